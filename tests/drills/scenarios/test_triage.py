"""Whose fault a refusal is: the token is judged by ourselves, with a key set that was fetched now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from drills.outside import Outside
from drills.scenario import Scenario
from drills.scenarios import SCENARIOS
from drills.triage import Cause, cause_of_refusal, local_validation, triage
from probes.model import Failure, Reason, Stage
from probes.reasons import Owner

Moved = Callable[[Scenario], None]


def test_a_verifier_that_refuses_what_verifies_is_its_own_owners_matter() -> None:
    assert cause_of_refusal(None) == Cause(Reason.RESOURCE_REJECTED, Stage.RESOURCE, Owner.GATEWAY)


def test_what_does_not_verify_keeps_its_reason_and_its_owner() -> None:
    local = Failure(Reason.SIGNATURE_INVALID, Stage.ACCESS_TOKEN, "")

    assert cause_of_refusal(local) == Cause(Reason.SIGNATURE_INVALID, Stage.ACCESS_TOKEN, Owner.IDENTITY_PROVIDER)


@pytest.mark.process
def test_a_token_of_a_published_key_verifies(outside: Outside) -> None:
    assert local_validation(outside.mint(), outside) is None


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "reason", "stage"),
    [
        ("early-removal", Reason.KID_UNKNOWN, Stage.ACCESS_TOKEN),
        ("kid-reuse", Reason.SIGNATURE_INVALID, Stage.ACCESS_TOKEN),
        ("jwks-outage-5xx", Reason.SERVER_ERROR, Stage.JWKS),
    ],
)
def test_an_old_token_is_refused_for_what_the_provider_did(
    name: str, reason: Reason, stage: Stage, outside: Outside, moved: Moved
) -> None:
    old = outside.mint()

    moved(SCENARIOS[name])

    assert triage(old, outside) == Cause(reason, stage, Owner.IDENTITY_PROVIDER)


@pytest.mark.process
def test_a_key_set_that_takes_longer_than_the_policy_allows_is_the_providers_fault(
    outside: Outside, moved: Moved
) -> None:
    old, policy = outside.mint(), replace(outside.issuer.policy, max_response_seconds=0.5)
    moved(SCENARIOS["jwks-outage-timeout"])

    cause = triage(old, replace(outside, issuer=replace(outside.issuer, policy=policy)))

    assert cause == Cause(Reason.TIMEOUT, Stage.JWKS, Owner.IDENTITY_PROVIDER)


@pytest.mark.process
def test_an_old_token_that_still_verifies_is_refused_by_the_verifier_alone(outside: Outside, moved: Moved) -> None:
    old = outside.mint()

    moved(SCENARIOS["zero-lead"])

    assert triage(old, outside).owner is Owner.GATEWAY


@pytest.mark.process
def test_a_token_for_another_audience_is_the_applications_matter(outside: Outside) -> None:
    other = replace(outside, client=replace(outside.client, audience="invoices"))

    assert triage(outside.mint(), other).reason is Reason.AUDIENCE_MISMATCH


@pytest.mark.process
def test_the_detail_of_a_refusal_holds_no_part_of_the_token(outside: Outside) -> None:
    token = outside.mint()
    broken = f"{token}.{token}"

    failure = local_validation(broken, outside)

    assert failure is not None
    assert not any(part in failure.detail for part in token.split("."))
