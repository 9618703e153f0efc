"""From an injected fault to its name: the alert that people are told, and the cause and owner that its runbook finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from oidcwatch.config import load
from probes.reasons import REASONS, Owner
from runbooks.facts import team_of

FAULTS, REASONS_AT_LEAST = 20, 15


@pytest.mark.process
def test_the_alert_and_its_runbook_lead_from_every_fault_to_its_cause(
    findings: Sequence[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {found.case.issuer: problem for found in findings if (problem := _missed(found))}

    with capsys.disabled():
        print(f"\n{len(findings) - len(wrong)}/{len(findings)} causes found")
    assert not wrong, _listed(wrong)


@pytest.mark.process
def test_the_runbook_names_who_can_mend_it(findings: Sequence[Any], scene: Any) -> None:
    settings = load(scene.config, scene.environ)
    issuers = {issuer.name: issuer for issuer in settings.issuers}

    expected = {found.case.issuer: REASONS[found.case.reason].owner for found in findings}
    named = {found.case.issuer: (found.answer or {}).get("owner") for found in findings}
    called = {found.case.issuer: (found.answer or {}).get("team") for found in findings}

    assert named == {issuer: owner.value for issuer, owner in expected.items()}
    assert called == {name: _team(owner, settings, issuers[name]) for name, owner in expected.items()}


@pytest.mark.process
def test_nobody_is_told_of_a_cause_that_was_not_injected(findings: Sequence[Any]) -> None:
    wrong = {
        found.case.issuer: f"also told: {', '.join(sorted(others))}"
        for found in findings
        if (others := found.told - {found.case.alert} - found.case.follows.keys())
    }

    assert not wrong, _listed(wrong)


@pytest.mark.process
def test_the_runbook_counts_the_regions_of_all_agents(findings: Sequence[Any], scene: Any) -> None:
    seen = {found.case.issuer: (found.answer or {}).get("regions") for found in findings}

    assert seen == dict.fromkeys(seen, sorted(scene.regions))


def test_the_faults_are_of_every_kind(cases: Sequence[Any]) -> None:
    owners = {REASONS[case.reason].owner for case in cases}

    assert len(cases) >= FAULTS
    assert len({case.reason for case in cases}) >= REASONS_AT_LEAST
    assert owners >= {Owner.IDENTITY_PROVIDER, Owner.NETWORK, Owner.APPLICATION, Owner.GATEWAY, Owner.PROBE_OWNER}


def _missed(found: Any) -> str:
    case, answer = found.case, found.answer
    if answer is None:
        return f"{case.alert} was not sent; sent were: {', '.join(sorted(found.told)) or 'none'}"
    if answer["cause"] != case.reason:
        return f"{case.alert}: {case.reason} was injected, {answer['cause']} is named"
    return ""


def _team(owner: Owner, settings: Any, issuer: Any) -> str:
    client = issuer.clients[0] if len(issuer.clients) == 1 else None
    return team_of(owner, settings.alerting, issuer, client)


def _listed(wrong: dict[str, str]) -> str:
    return "\n".join(f"{issuer}: {problem}" for issuer, problem in wrong.items())
