"""What a token hides that ended in the midst of a drill is not held against a verifier, and no longer drill is advised."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drills.assemble import record_of
from drills.journal import Entry, Journal, read_log
from drills.moving import ROW
from drills.prediction import Observed, predict
from drills.record import EventKind, Record, Verdict
from drills.running import OLD_ENDED
from drills.scenario import Generation, Measure
from drills.scenarios import SCENARIOS
from drills.subject import Kind, Sample
from drills.verifiers import verifiers

TOKEN_ENDED, HEALED, ENDED = 43, 70, 80
Ended = Callable[..., Record]


@pytest.fixture
def ended(tmp_path: Path) -> Ended:
    """The record of a drill on PyJWT: its token ended after 43 s, and it refused tokens in these seconds."""

    def made(name: str, expected: float, refused: range, *, asked_again: bool) -> Record:
        scenario, row = SCENARIOS[name], verifiers()["pyjwt"]
        bounds, clock = predict(row, Observed()), time.time() - 1000.0
        said = {
            "row": ROW.dump_python(row, mode="json", by_alias=True), "version": "1", "kind": Kind.EMULATED,
            "language": "", "expected": expected, "why": "", "known": True,
            "bounds": {measure: getattr(bounds, measure).seconds for measure in Measure},
            "whys": {measure: getattr(bounds, measure).why for measure in Measure},
        }  # fmt: skip
        journal = Journal.create(tmp_path, name, datetime.now(UTC))
        journal.write(Entry.OPENED, poll=1.0, agents=[], url="https://login.acme.example")
        journal.write(Entry.PREDICTED, verifiers=[said])
        journal.write(Entry.MOVING, number=1, action="replace", life=45.0)
        journal.write(Entry.CLOCK, measure=scenario.measures, started=clock)
        for mark, second in ((OLD_ENDED, TOKEN_ENDED), ("healed", HEALED)):
            journal.write(Entry.EVENT, kind=EventKind.NOTE, text=mark, **{mark: clock + second})
        for second in (*range(TOKEN_ENDED), *(range(HEALED, ENDED) if asked_again else ())):
            ok = second not in refused
            journal.sample(Sample("pyjwt", Generation.OLD, clock + second, ok, "" if ok else "no key"))
        journal.write(Entry.ENDED, ending="")
        journal.close()
        return record_of(read_log(journal.folder), scenario)

    return made


def test_the_end_of_the_token_is_named_as_what_cut_the_measurement(ended: Ended) -> None:
    record = ended("early-removal", 200.0, range(0), asked_again=True)

    assert record.verdict is Verdict.FAIL
    assert record.because[0] == (
        "1 of 1 verifiers was not watched for long enough: pyjwt (predicted 200.0 s); its token ended after 43 s, and "
        "tokens that live longer show it."
    )
    assert not any("--longest" in sentence for sentence in (*record.because, *record.follow_ups))


def test_what_was_refused_in_the_outage_is_not_refused_in_the_end(ended: Ended) -> None:
    record = ended("jwks-outage-5xx", 20.0, range(20, HEALED), asked_again=True)

    assert record.verdict is Verdict.PASS, record.because


def test_a_verifier_that_was_not_asked_after_the_outage_is_not_said_to_refuse_or_to_be_well(ended: Ended) -> None:
    record = ended("jwks-outage-5xx", 20.0, range(20, HEALED), asked_again=False)

    assert record.because == ("pyjwt refused the old token, and was not asked again when the fault was over.",)


def test_what_is_refused_after_the_outage_is_refused_in_the_end(ended: Ended) -> None:
    record = ended("jwks-outage-5xx", 20.0, range(20, ENDED), asked_again=True)

    assert "pyjwt still refused the old token in the end." in record.because
    assert any(each.startswith("Restart pyjwt after such a fault") for each in record.follow_ups)
