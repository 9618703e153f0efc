"""Whatever is observed in whatever order: the ledger stays coherent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from probes.ledger import EventKind, KeyState

if TYPE_CHECKING:
    from tests.probes.ledger.conftest import Diary

KIDS = st.sampled_from(["one", "two", "three", "ec-one"])
SETS = st.tuples(st.just("set"), st.sampled_from(["eu", "us"]), st.frozensets(KIDS))
TOKENS = st.tuples(st.just("token"), KIDS, st.integers(0, 60))
LEAKS = st.tuples(st.just("leak"), KIDS)
DAYS = st.lists(SETS | TOKENS | LEAKS, max_size=30)


def write(diary: Diary, day: list[tuple[object, ...]]) -> Diary:
    for minute, entry in enumerate(day):
        match entry:
            case "set", str(region), frozenset() as kids:
                diary.published(minute, *sorted(map(str, kids)), region=region)
            case "token", str(kid), int(lives):
                diary.token(minute, kid, lives)
            case "leak", str(kid):
                diary.exposed(minute, kid)
    return diary


@given(day=DAYS)
def test_times_are_in_order(new_diary: Callable[[], Diary], day: list[tuple[object, ...]]) -> None:
    diary = write(new_diary(), day)

    for record in diary.ledger.keys.values():
        for sight in record.sights.values():
            assert sight.after is None or sight.after < sight.first
            assert sight.first <= sight.last
            assert sight.gone is None or sight.last < sight.gone
        assert record.use is None or record.use.first <= record.use.last <= record.use.expires


@given(day=DAYS)
def test_a_key_leaves_the_set_as_often_as_it_enters_it_or_once_less(
    new_diary: Callable[[], Diary], day: list[tuple[object, ...]]
) -> None:
    diary = write(new_diary(), day)

    for record in diary.ledger.keys.values():
        for region, sight in record.sights.items():
            kinds = [event.kind for event in diary.events if event.key == record.facts and event.region == region]
            entered = sum(kind in (EventKind.FOUND, EventKind.PUBLISHED, EventKind.RETURNED) for kind in kinds)
            assert entered - kinds.count(EventKind.REMOVED) == (0 if sight.gone else 1)


@given(day=DAYS)
def test_of_each_algorithm_one_key_signs_at_most(new_diary: Callable[[], Diary], day: list[tuple[object, ...]]) -> None:
    diary = write(new_diary(), day)

    active = [kid for kid, state in diary.states().items() if state is KeyState.ACTIVE]
    assert len([kid for kid in active if kid.startswith("ec")]) <= 1
    assert len([kid for kid in active if not kid.startswith("ec")]) <= 1


@given(day=DAYS)
def test_what_was_compromised_stays_so(new_diary: Callable[[], Diary], day: list[tuple[object, ...]]) -> None:
    diary = write(new_diary(), day)

    leaked = {event.key.kid for event in diary.events if event.kind is EventKind.EXPOSED}
    assert {kid for kid, state in diary.states().items() if state is KeyState.COMPROMISED} == leaked
