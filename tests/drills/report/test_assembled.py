"""What a drill claims is what its journal shows: who was not watched for long enough, and who did not recover."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drills.assemble import record_of
from drills.journal import Entry, Journal, read_log
from drills.moving import ROW
from drills.prediction import Observed, predict
from drills.record import EventKind, Record, Verdict
from drills.report.markdown import markdown
from drills.scenario import Generation, Measure, Scenario
from drills.scenarios import SCENARIOS
from drills.subject import Kind, Sample
from drills.verifiers import verifiers

OLD, NEW = Generation.OLD, Generation.NEW
OBSERVED, HEALED, ENDED = 60, 70, 80
"""Seconds from the clock's start until the observation was over, until the fault was, and until the drill was."""


@dataclass(frozen=True)
class Seen:
    """A verifier: what was predicted of it, and the seconds at which it refused each token."""

    name: str
    expected: float | None
    refused: Mapping[Generation, Iterable[int]] = field(default_factory=dict)


@pytest.fixture
def assembled(tmp_path: Path) -> Any:
    """The record of a drill in which every verifier was asked about both tokens each second."""

    def made(scenario: Scenario, *seen: Seen, flushed: float | None = None) -> Record:
        journal = Journal.create(tmp_path, scenario.name, datetime.now(UTC))
        clock = time.time() - 1000.0
        marks = {"healed": HEALED, **({} if flushed is None else {"flushed": flushed})}
        journal.write(Entry.OPENED, poll=1.0, agents=[], url="https://login.acme.example")
        journal.write(Entry.PREDICTED, verifiers=[_predicted(each) for each in seen])
        journal.write(Entry.MOVING, number=1, action="replace", life=3600.0)
        journal.write(Entry.CLOCK, measure=scenario.measures, started=clock)
        journal.write(Entry.EVENT, kind=EventKind.MOVE, text="replace")
        for name, seconds in marks.items():
            journal.write(Entry.EVENT, kind=EventKind.NOTE, text=name, **{name: clock + seconds})
        for each in seen:
            for second in range(ENDED):
                for generation in sorted(scenario.polls | ({NEW} if flushed == second else set())):
                    ok = second not in each.refused.get(generation, ())
                    at = clock + second + (0.1 if generation is NEW else 0.0)
                    journal.sample(Sample(each.name, generation, at, ok, "" if ok else "no key"))
        journal.write(Entry.ENDED, ending="")
        journal.close()
        return record_of(read_log(journal.folder), scenario)

    return made


def _predicted(seen: Seen) -> Mapping[str, Any]:
    row = verifiers()[seen.name]
    bounds = predict(row, Observed())
    return {
        "row": ROW.dump_python(row, mode="json", by_alias=True), "version": "1", "kind": Kind.EMULATED, "language": "",
        "bounds": {measure: getattr(bounds, measure).seconds for measure in Measure},
        "whys": {measure: getattr(bounds, measure).why for measure in Measure},
        "expected": seen.expected, "why": "", "known": True,
    }  # fmt: skip


def test_what_was_not_watched_for_long_enough_is_counted_and_fails_the_drill(assembled: Any) -> None:
    record = assembled(SCENARIOS["early-removal"], Seen("go-oidc", None), Seen("istio", 1195.0))

    assert record.verdict is Verdict.FAIL
    assert record.because == (
        "1 of 2 verifiers was not watched for long enough: istio (predicted 1195.0 s); a longer --longest shows it.",
    )
    assert [(each.ok, each.watched) for each in record.verifiers] == [(True, True), (False, False)]
    assert [each.predicted.reject for each in record.verifiers] == [None, 1195.0]


def test_only_what_has_no_bound_is_to_be_restarted(assembled: Any) -> None:
    refused = {NEW: range(HEALED)}
    static, slow = Seen("static-keys", None, refused), Seen("istio", 1195.0, refused)

    record = assembled(SCENARIOS["zero-lead"], static, slow)

    longer = (
        "Watch istio for longer: istio had not accepted tokens of the new key within 69 s: not watched for long enough "
        "(predicted 1195.0 s): a longer --longest shows it"
    )
    assert "Restart static-keys before a new key signs, or make it fetch the key set again." in record.follow_ups
    assert [each for each in record.follow_ups if "istio" in each and "Confirm" not in each] == [longer]
    assert "static-keys never accepted a token of the new key: it needs a restart or new settings." in record.because


def test_a_key_that_a_flush_ends_need_not_be_watched_until_it_ends_by_itself(assembled: Any) -> None:
    gone = {OLD: range(OBSERVED + 2, ENDED)}

    record = assembled(
        SCENARIOS["compromise"], Seen("go-oidc", None, gone), Seen("keyfunc", 3595.0, gone), flushed=OBSERVED
    )

    assert record.verdict is Verdict.PASS, record.because
    assert record.because[0] == (
        "1 of 2 verifiers did what was predicted; 1 of 2 verifiers was not watched for long enough, but dropped the key "
        "at a token of the new one: keyfunc."
    )


def test_a_key_that_no_flush_ends_is_still_to_be_watched(assembled: Any) -> None:
    record = assembled(SCENARIOS["compromise"], Seen("istio", 1195.0), flushed=OBSERVED)

    assert record.verdict is Verdict.FAIL
    assert "1 of 1 verifiers was not watched for long enough" in record.because[0]


def test_the_time_to_recover_is_that_of_all_verifiers_or_none(assembled: Any) -> None:
    soon, never = Seen("jose", 5.0, {OLD: range(5, HEALED)}), Seen("pyjwt", 5.0, {OLD: range(5, ENDED)})

    all_, some = (assembled(SCENARIOS["early-removal"], *each) for each in ((soon,), (soon, never)))

    assert all_.recover_seconds is not None
    assert some.recover_seconds is None
    assert "| Time to recover | **not all recovered** | refused to the end: pyjwt |" in markdown(some)


def test_a_verifier_that_takes_the_new_token_and_not_the_old_one_has_not_recovered(assembled: Any) -> None:
    record = assembled(SCENARIOS["zero-lead"], Seen("jose", 5.0, {NEW: range(5), OLD: range(20, ENDED)}))

    assert record.recover_seconds is None
    assert "jose still refused the old token in the end." in record.because
