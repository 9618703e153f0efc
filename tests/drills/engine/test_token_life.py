"""Tokens that end before the drill does: what that hides is said, and after the fault verifiers are asked again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drills import token
from drills.lab import TOKEN_LIFETIME
from drills.plan import NotReady
from drills.progress import Progress
from drills.record import Phase, Verdict
from drills.scenario import Generation, Scenario
from drills.scenarios import SCENARIOS

pytestmark = pytest.mark.process

Range = Any  # of the conftest, which tests cannot import


@pytest.fixture
def short(range_: Range) -> Iterator[Range]:
    """The provider, with tokens that live for forty seconds."""
    range_.control.settings(access_token_lifetime=40)
    yield range_
    range_.control.settings(access_token_lifetime=TOKEN_LIFETIME)


def test_a_drill_does_not_begin_when_its_token_ends_before_anything_is_shown(short: Range) -> None:
    plan = short.plan(SCENARIOS["early-removal"], ("pyjwt",), shorten={"ttl": 60.0}, longest=120.0)

    with pytest.raises(NotReady, match=r"tokens live for \d+ s, which is too short .* of pyjwt \(\d\d s\)"):
        short.run(plan)


def test_a_verifier_that_cannot_be_seen_to_its_end_is_named_beside_those_that_can(short: Range) -> None:
    stop = threading.Event()

    def end(progress: Progress) -> None:
        if progress.phase is Phase.PREDICT:
            stop.set()

    plan = short.plan(SCENARIOS["early-removal"], ("pyjwt", "authlib"), shorten={"ttl": 60.0}, longest=120.0)
    record = short.run(plan, stop, end).record

    (line,) = (check for check in record.preflight if check.name == "token's life")
    assert line.ok
    assert "pyjwt" in line.text
    assert "authlib" not in line.text


def test_what_the_drill_does_not_wait_for_anyway_is_not_held_against_its_tokens(short: Range) -> None:
    stop = threading.Event()

    def end(progress: Progress) -> None:
        if progress.phase is Phase.PREDICT:
            stop.set()

    plan = short.plan(SCENARIOS["early-removal"], ("pyjwt",), shorten={"ttl": 60.0}, longest=20.0)
    record = short.run(plan, stop, end).record

    assert not any(check.name == "token's life" for check in record.preflight)


def test_a_verifier_whose_token_ended_in_the_outage_is_asked_about_a_new_one_of_the_old_key(
    short: Range, monkeypatch: pytest.MonkeyPatch, quick: Callable[[Scenario], Scenario]
) -> None:
    monkeypatch.setattr(token, "TOKEN_SPARE", 30.0)  # so that a token of forty seconds is of use for ten

    drilled = short.run(
        short.plan(quick(SCENARIOS["jwks-outage-5xx"]), ("pyjwt", "go-oidc"), shorten={"ttl": 3.0}, longest=14.0)
    )

    record = drilled.record
    assert record.verdict is Verdict.PASS, record.because
    assert record.healed is not None
    healed = record.healed.timestamp()
    old = [each for each in drilled.log.samples if each.verifier == "pyjwt" and each.generation is Generation.OLD]
    assert max(each.at for each in old if each.at < healed) < healed - 2
    assert old[-1].ok
    assert old[-1].at >= healed
    assert sum("the token of the old key has ended" in event.text for event in record.events) == 1
