"""A clock that is wrong for a moment does not spoil what is known of the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probes.ledger import KeyState
from probes.ledger_measures import last_lead, last_overlap

if TYPE_CHECKING:
    from tests.probes.ledger.conftest import Diary

YEAR = 365 * 1440


def test_a_token_from_the_future_makes_its_key_not_the_signing_one_for_good(diary: Diary) -> None:
    diary.published(0, "old", "new").token(YEAR, "old")

    diary.published(1, "old", "new").token(2, "new")

    assert diary.states() == {"old": KeyState.RETIRING, "new": KeyState.ACTIVE}


def test_a_set_from_the_future_is_corrected_by_the_next_look(diary: Diary) -> None:
    diary.published(0, "old").published(YEAR, "old", "new")

    diary.published(1, "old", "new")

    sights = {record.facts.kid: record.sights["eu"] for record in diary.ledger.keys.values()}
    assert (sights["old"].first, sights["old"].last) == (diary.at(0), diary.at(1))
    assert (sights["new"].first, sights["new"].last, sights["new"].after) == (diary.at(1), diary.at(1), None)
    assert diary.ledger.watches["eu"].last == diary.at(1)


def test_what_appears_at_the_first_look_after_a_step_was_found_and_not_seen_to_appear(diary: Diary) -> None:
    diary.published(YEAR, "old")

    diary.published(1, "old", "new")

    assert diary.told()[-1] == ("found", "new", "eu")


def test_a_rotation_in_the_future_hides_no_later_one(diary: Diary) -> None:
    diary.published(0, "first").token(0, "first").published(YEAR, "second").token(YEAR, "second")

    diary.polled(range(1, 20), "second").polled(range(20, 30), "second", "third").token(29, "third")
    diary.polled(range(30, 40), "second", "third").published(40, "third")

    assert last_lead(diary.ledger) == 9 * 60
    assert last_overlap(diary.ledger) == 38 * 60


@pytest.mark.parametrize("late", [1, 4])
def test_a_run_that_tells_late_what_it_saw_corrects_nothing(diary: Diary, late: float) -> None:
    diary.published(0, "old", "new").token(10, "old").token(10.5, "new")
    before = dict(diary.ledger.keys)

    diary.published(10.5 - late, region="us")

    assert diary.ledger.keys == before
