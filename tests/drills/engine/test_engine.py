"""A drill on the embedded provider: what was predicted is measured, and in the end the provider is as it was."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from drills.driver import Ready
from drills.journal import read_log
from drills.lab import TOKEN_LIFETIME
from drills.plan import NotReady
from drills.progress import Progress
from drills.record import AlertSeen, Phase, Verdict, from_json, to_json
from drills.recovery import NotRestored
from drills.scenario import Scenario
from drills.scenarios import SCENARIOS

pytestmark = pytest.mark.process

STARTED = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
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


def test_a_terminal_that_has_gone_away_keeps_no_drill_from_its_rollback(range_: Range) -> None:
    before = range_.keys()

    def hang_up(progress: Progress) -> None:
        if progress.phase is Phase.OBSERVE:
            raise SystemExit(1)

    drilled = range_.run(range_.plan(SCENARIOS["zero-lead"], ("static-keys",)), tell=hang_up)

    assert drilled.record.verdict is Verdict.ABORTED
    assert range_.keys() == before


def test_a_rollback_that_leaves_another_key_signing_is_not_believed(range_: Range) -> None:
    plan = range_.plan(SCENARIOS["zero-lead"], ("go-oidc",))

    with pytest.raises(NotRestored, match="not with"):
        range_.run(dataclasses.replace(plan, driver=range_.forgetful(plan.driver)))

    assert read_log(plan.journal.folder).touched
    range_.driver().restore(read_log(plan.journal.folder).before)


def test_a_key_is_not_announced_for_less_than_its_verifiers_need(range_: Range) -> None:
    with pytest.raises(NotReady, match="a longer --longest"):
        range_.run(range_.plan(SCENARIOS["routine"], ("apigee",), shorten={"ttl": 45.0}))


def test_a_verifier_that_ends_in_the_midst_of_a_drill_fails_it(range_: Range) -> None:
    def kill(progress: Progress) -> None:
        if progress.phase is Phase.OBSERVE:
            range_.kill_canaries()

    drilled = range_.run(
        range_.plan(SCENARIOS["jwks-outage-5xx"], ("go-oidc",), emulate=frozenset(), longest=8.0), tell=kill
    )

    assert drilled.record.verdict is Verdict.FAIL
    assert "go-oidc could not be asked any more" in drilled.record.because[0]


def test_what_fires_once_agents_are_told_is_the_drills_and_what_fired_before_is_not(range_: Range) -> None:
    told = threading.Event()

    class Watched:
        def now(self) -> tuple[AlertSeen, ...]:
            names = ("OidcEarlier", "OidcDrillRunning") if told.is_set() else ("OidcEarlier",)
            return tuple(AlertSeen(name, STARTED, "info", False, "") for name in names)

    def tell(on: bool) -> tuple[Ready, ...]:
        told.set()
        return ()

    drilled = range_.run(range_.plan(SCENARIOS["zero-lead"], ("pyjwt",), alerts=Watched(), tell_agents=tell))

    assert drilled.record.alerts.fired == ("OidcDrillRunning",)
