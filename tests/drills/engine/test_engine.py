"""A drill on the embedded provider: what was predicted is measured, and in the end the provider is as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from drills.lab import TOKEN_LIFETIME
from drills.plan import NotReady
from drills.progress import Progress
from drills.record import Phase, Verdict, from_json, to_json
from drills.scenario import Scenario
from drills.scenarios import SCENARIOS

pytestmark = pytest.mark.process

Range = Any  # of the conftest, which tests cannot import
CLASSES = ("go-oidc", "pyjwt", "apigee")


def test_a_rotation_without_lead_is_accepted_when_predicted(range_: Range) -> None:
    before = range_.keys()

    drilled = range_.run(range_.plan(SCENARIOS["zero-lead"], CLASSES))

    record = drilled.record
    assert record.verdict is Verdict.PASS, record.because
    assert [each.name for each in record.verifiers] == list(CLASSES)
    assert all(each.ok and each.observed.accept is not None for each in record.verifiers)
    assert range_.keys() == before


def test_a_verifier_that_never_takes_the_new_key_fails_the_drill_and_is_named(range_: Range) -> None:
    drilled = range_.run(range_.plan(SCENARIOS["zero-lead"], ("pyjwt", "static-keys")))

    assert drilled.record.verdict is Verdict.FAIL
    assert "static-keys" in drilled.record.because[0]
    assert any("Restart static-keys" in each for each in drilled.record.follow_ups)


def test_a_routine_rotation_disturbs_nobody_and_stays(range_: Range) -> None:
    signing, published = range_.keys()
    range_.control.settings(access_token_lifetime=40)

    drilled = range_.run(range_.plan(SCENARIOS["routine"], CLASSES, longest=60.0))
    range_.control.settings(access_token_lifetime=TOKEN_LIFETIME)

    assert drilled.record.verdict is Verdict.PASS, drilled.record.because
    now, left = range_.keys()
    assert now != signing
    assert signing not in left
    assert len(left) == len(published)


def test_stopping_a_drill_rolls_back_and_says_so(range_: Range) -> None:
    before, stop = range_.keys(), threading.Event()

    def stop_when_observing(progress: Progress) -> None:
        if progress.phase is Phase.OBSERVE:
            stop.set()

    drilled = range_.run(range_.plan(SCENARIOS["zero-lead"], ("static-keys",)), stop, stop_when_observing)

    assert drilled.record.verdict is Verdict.ABORTED
    assert "stopped" in drilled.record.because[0]
    assert range_.keys() == before
    assert not drilled.log.touched


def test_a_drill_does_not_begin_when_a_verifier_refuses_what_is_valid(range_: Range) -> None:
    before = range_.keys()
    range_.control.fault("access-token-bad-signature", client_id="machine")

    with pytest.raises(NotReady, match="pyjwt"):
        range_.run(range_.plan(SCENARIOS["zero-lead"], ("pyjwt",)))

    range_.control.clear()
    assert range_.keys() == before


def test_the_record_survives_json(range_: Range, quick: Callable[[Scenario], Scenario]) -> None:
    record = range_.run(range_.plan(quick(SCENARIOS["early-removal"]), ("pyjwt",))).record

    assert from_json(to_json(record)) == record
