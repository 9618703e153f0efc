"""Real incidents, replayed: each is detected with the reason and the owner that ended the search in reality."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drills.record import Record, Verdict
from drills.scenario import Scenario
from drills.scenarios import SCENARIOS
from probes.model import Reason
from probes.reasons import Owner

pytestmark = pytest.mark.process

_BY_NUMBER = {scenario.incident: scenario for scenario in SCENARIOS.values() if scenario.incident}
_GATEWAY, _PROVIDER = Owner.GATEWAY, Owner.IDENTITY_PROVIDER


@pytest.mark.parametrize(
    ("incident", "reason", "owner", "seen_by", "finding"),
    [
        ("I1", Reason.ROTATION_UNSAFE, _PROVIDER, "jwks", "ROT-05"),
        ("I2", Reason.JWKS_INCONSISTENT, _PROVIDER, "jwks", "ROT-09"),
        ("I3", Reason.RESOURCE_REJECTED, _GATEWAY, "kube-apiserver", ""),
        ("I5", Reason.RESOURCE_REJECTED, _GATEWAY, "istio", ""),
        ("I6", Reason.RESOURCE_REJECTED, _GATEWAY, "static-keys", ""),
        ("I8", Reason.RESOURCE_REJECTED, _GATEWAY, "microsoft-identitymodel", ""),
        ("I9", Reason.SERVER_ERROR, _PROVIDER, "jwks", ""),
        ("I13", Reason.ROTATION_UNSAFE, _PROVIDER, "jwks", "ROT-08"),
    ],
)
def test_an_incident_is_detected_with_its_reason_and_its_owner(
    incident: str, reason: Reason, owner: Owner, seen_by: str, finding: str, rehearse: Callable[[Scenario], Record]
) -> None:
    record = rehearse(_BY_NUMBER[incident])

    assert record.verdict is Verdict.PASS, record.because
    assert any(
        (each.reason, each.owner, each.by, each.expected) == (reason, owner, seen_by, True)
        and (not finding or finding in each.findings)
        for each in record.detected
    ), record.detected


def test_a_verifier_that_tells_first_does_not_cut_the_probes_short(rehearse: Callable[..., Record]) -> None:
    record = rehearse(_BY_NUMBER["I9"], watch=4.0)

    told = {each.by for each in record.detected if each.expected}
    assert {"pyjwt-2026-03", "jwks"} <= told


def test_a_failed_fetch_wipes_the_keys_that_a_verifier_had(rehearse: Callable[[Scenario], Record]) -> None:
    record = rehearse(_BY_NUMBER["I9"])

    assert [each.observed.outage is not None for each in record.verifiers] == [True]
