"""`oidcwatch keys timeline` draws what the ledger's history tells, whatever names the provider chose for its keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from exporters.key_timeline import Timeline, svg_of, text_of, timeline_of
from probes.ledger import Event, ExposureSeen, KeyFacts, KeyState, SetSeen, TokenSeen
from probes.memory import Memory
from probes.subjects import Issuer

if TYPE_CHECKING:
    from tests.oidcwatch.keys.conftest import Keys

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OLD = KeyFacts("AAAA", "old", "RSA", "RS256", "sig", "", 2048)
NEW = KeyFacts("BBBB", "new", "RSA", "RS256", "sig", "", 2048)
HOSTILE = KeyFacts("CCCC", '</text><script>alert(1)</script>"&', "RSA", "RS256", "sig", "", 2048)
SVG = "{http://www.w3.org/2000/svg}"


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def drawn(*seen: SetSeen | TokenSeen | ExposureSeen, until: float = 10) -> Timeline:
    """The timeline of an issuer of which this was observed."""
    events: list[Event] = []
    memory = Memory(keep=lambda issuer, ledger, more: events.extend(more))
    for each in seen:
        memory.observe(Issuer("acme", "https://login.acme.example"), each)
    (ledger,) = memory.ledgers.values()
    return timeline_of("acme", events, ledger, at(until))


def states(timeline: Timeline, key: KeyFacts) -> list[tuple[KeyState, float, float]]:
    """Each state with its first and last minute."""
    (bar,) = (bar for bar in timeline.bars if bar.key.thumbprint == key.thumbprint)
    return [
        (segment.state, (segment.start - START) / timedelta(minutes=1), (segment.end - START) / timedelta(minutes=1))
        for segment in bar.segments
    ]


def rotation() -> Timeline:
    return drawn(
        SetSeen(at(0), "eu", (OLD,), 60),
        TokenSeen(at(1), OLD, at(6)),
        SetSeen(at(2), "eu", (OLD, NEW), 60),
        TokenSeen(at(4), NEW, at(9)),
        SetSeen(at(7), "eu", (NEW,), 60),
    )


def test_a_key_goes_through_its_states() -> None:
    timeline = rotation()

    assert states(timeline, OLD) == [
        (KeyState.ANNOUNCED, 0, 1),
        (KeyState.ACTIVE, 1, 4),
        (KeyState.RETIRING, 4, 7),
        (KeyState.REMOVED, 7, 10),
    ]
    assert states(timeline, NEW) == [(KeyState.ANNOUNCED, 2, 4), (KeyState.ACTIVE, 4, 10)]


def test_a_key_that_signs_again_after_a_rollback_of_seconds_is_active_again() -> None:
    timeline = drawn(
        SetSeen(at(0), "eu", (OLD, NEW), 60),
        *(TokenSeen(at(minute), OLD, at(60)) for minute in (0, 1)),
        *(TokenSeen(at(minute), NEW, at(60)) for minute in (1.1, 1.2)),
        *(TokenSeen(at(minute), OLD, at(60)) for minute in (2, 3)),
    )

    assert states(timeline, OLD) == [
        (KeyState.ACTIVE, 0, 1.1),
        (KeyState.RETIRING, 1.1, 2),
        (KeyState.ACTIVE, 2, 10),
    ]
    assert states(timeline, NEW)[-1] == (KeyState.RETIRING, 2, 10)


def test_of_keys_that_signed_in_turn_the_one_that_went_on_is_active_in_the_end() -> None:
    timeline = drawn(
        SetSeen(at(0), "eu", (OLD, NEW), 60),
        *(TokenSeen(at(minute), key, at(60)) for minute, key in enumerate((OLD, NEW, OLD, NEW, NEW, NEW))),
    )

    assert states(timeline, OLD)[-1] == (KeyState.RETIRING, 2, 10)
    assert states(timeline, NEW)[-1] == (KeyState.ACTIVE, 2, 10)


def test_a_key_is_removed_when_no_region_has_it_any_more() -> None:
    timeline = drawn(
        SetSeen(at(0), "eu", (OLD,), 60),
        SetSeen(at(0), "us", (OLD,), 60),
        SetSeen(at(1), "eu", (NEW,), 60),
        SetSeen(at(3), "us", (NEW,), 60),
    )

    assert states(timeline, OLD) == [(KeyState.ANNOUNCED, 0, 3), (KeyState.REMOVED, 3, 10)]


def test_an_exposed_key_stays_compromised() -> None:
    timeline = drawn(
        SetSeen(at(0), "eu", (OLD,), 60), ExposureSeen(at(2), "eu", (OLD,)), SetSeen(at(3), "eu", (NEW,), 60)
    )

    assert states(timeline, OLD) == [(KeyState.ANNOUNCED, 0, 2), (KeyState.COMPROMISED, 2, 10)]


def test_the_text_has_a_row_for_each_key_within_the_width() -> None:
    lines = text_of(rotation(), width=65).splitlines()  # 40 columns: one is 15 seconds

    assert lines[1] == "old RS256".ljust(25) + "." * 4 + "#" * 12 + "=" * 12
    assert lines[2] == "new RS256".ljust(25) + " " * 8 + "." * 8 + "#" * 24
    assert max(map(len, lines)) <= 65


def test_the_picture_has_a_bar_for_each_state_and_loads_nothing() -> None:
    picture = svg_of(rotation())

    elements = list(ElementTree.fromstring(picture).iter())  # noqa: S314 - our own text
    told = [element.text for element in elements if element.tag == f"{SVG}title"]
    assert "old RS256: active from 2026-03-01 12:01:00 UTC to 2026-03-01 12:04:00 UTC" in told
    assert {element.tag.removeprefix(SVG) for element in elements} == {"svg", "rect", "text", "line", "title"}
    assert [name for element in elements for name in element.attrib if "href" in name or name.startswith("on")] == []


def test_names_that_a_provider_chose_are_text_in_the_picture() -> None:
    picture = svg_of(drawn(SetSeen(at(0), "eu", (HOSTILE,), 60)))

    tags = {element.tag for element in ElementTree.fromstring(picture).iter()}  # noqa: S314 - our own text
    assert f"{SVG}script" not in tags
    assert "<script" not in picture


def test_a_timeline_of_a_kept_ledger_is_printed(rotated: Path, keys: Keys) -> None:
    done = keys("timeline", "acme")

    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == ["old", "[red]new"]


def test_the_picture_is_written_to_a_file(rotated: Path, keys: Keys) -> None:
    file = rotated / "keys.svg"

    done = keys("timeline", "acme", "--picture", str(file))

    assert (done.exit_code, done.stdout) == (0, f"wrote {file}\n")
    assert file.read_text().startswith("<svg ")


def test_a_place_that_cannot_be_written_is_a_bad_call(rotated: Path, keys: Keys) -> None:
    done = keys("timeline", "acme", "--picture", str(rotated / "missing" / "keys.svg"))

    assert done.exit_code == 2
    assert "keys.svg: No such file or directory" in done.stderr


def test_an_issuer_without_keys_is_told_so(rotated: Path, keys: Keys) -> None:
    assert keys("timeline", "idle").stdout == "no keys of idle have been seen\n"
