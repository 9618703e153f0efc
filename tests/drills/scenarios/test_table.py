"""What the table of drills says fits what there is: moves, alerts, checks, reasons and verifiers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts.causes_table import CAUSES
from alerts.rotation import ROTATION_ALERTS
from alerts.rotation_table import ROTATION
from drills.driver import Driver
from drills.scenario import Action, Detection, Generation, Hold, Judge, Measure, Scenario
from drills.scenarios import SCENARIOS
from drills.verifiers import verifiers
from oidcwatch.documentation_pages import all_checks
from probes.model import Reason
from probes.reasons import REASONS, Owner

NAMES = {
    *("routine", "zero-lead", "early-removal", "compromise", "kid-reuse", "kid-missing", "kid-duplicate"),
    *("jwks-outage-5xx", "jwks-outage-timeout", "jwks-outage-html", "jwks-outage-error-body", "jwks-outage-empty"),
    *("jwks-outage-slow", "edge-inconsistency", "clock-skew-ahead", "clock-skew-behind", "algorithm-change"),
    *("issuer-change", "token-endpoint-errors", "token-endpoint-slow", "client-secret-expiry"),
}
INCIDENTS = {"I1", "I2", "I3", "I5", "I6", "I8", "I9", "I13"}

NEEDED = {Measure.ACCEPT: Generation.NEW, Measure.REJECT: Generation.OLD, Measure.OUTAGE: Generation.OLD}
"""The token on which a measure is seen."""
HARMLESS = {"routine", "incident-gitlab-uncacheable"}


def wrong(right: Callable[[Scenario], bool]) -> list[str]:
    """Names of the drills that are not right."""
    return [name for name, scenario in SCENARIOS.items() if not right(scenario)]


def detected(scenario: Scenario) -> Detection:
    return scenario.detects or Detection(frozenset(), Owner.IDENTITY_PROVIDER)


def test_every_drill_that_is_asked_for_is_there() -> None:
    assert SCENARIOS.keys() >= NAMES


def test_every_incident_is_replayed_once() -> None:
    numbers = [scenario.incident for scenario in SCENARIOS.values() if scenario.incident]

    assert sorted(numbers) == sorted(INCIDENTS)


def test_every_drill_that_an_alert_names_is_there() -> None:
    named = {row.drill for row in ROTATION.values() if row.drill}

    assert named <= SCENARIOS.keys()


@pytest.mark.process
def test_the_sandbox_can_do_every_move(driver: Driver) -> None:
    assert wrong(lambda scenario: scenario.actions <= driver.can) == []


def test_the_clock_of_a_drill_is_that_of_its_measure() -> None:
    def right(scenario: Scenario) -> bool:
        started = [move.starts for move in scenario.moves if move.starts]
        return started == ([scenario.measures] if scenario.measures else [])

    assert wrong(right) == []


def test_a_drill_ends_with_an_observation() -> None:
    assert wrong(lambda scenario: scenario.moves[-1].hold is Hold.OBSERVED) == []


def test_a_measure_can_be_seen_on_the_tokens_that_are_asked_about() -> None:
    assert wrong(lambda scenario: scenario.measures is None or NEEDED[scenario.measures] in scenario.polls) == []


def test_alerts_are_generated_ones() -> None:
    known = {cause.name for cause in CAUSES} | {alert.name for alert in ROTATION_ALERTS}

    assert wrong(lambda scenario: scenario.alerts <= known) == []


def test_an_alert_is_expected_for_a_reason_that_is_expected() -> None:
    causes = {cause.name: set(cause.reasons) for cause in CAUSES}

    def right(scenario: Scenario) -> bool:
        return all(causes[name] & wider(scenario) for name in scenario.alerts & causes.keys())

    def wider(scenario: Scenario) -> set[Reason]:
        # One finding fails the run in which a kid is reused, and the removed key those that follow.
        removed = Action.REUSE_KID in scenario.actions
        return {*detected(scenario).reasons, *({Reason.ROTATION_UNSAFE} if removed else ())}

    assert wrong(right) == []


def test_findings_are_ids_of_checks() -> None:
    known = {check.id for check in all_checks()}

    assert wrong(lambda scenario: detected(scenario).findings <= known) == []


def test_the_owner_is_that_of_each_reason() -> None:
    def right(scenario: Scenario) -> bool:
        return all(REASONS[reason].owner is detected(scenario).owner for reason in detected(scenario).reasons)

    assert wrong(right) == []


def test_verifiers_are_in_their_table() -> None:
    assert wrong(lambda scenario: set(scenario.verifiers) <= verifiers().keys()) == []


def test_what_is_judged_by_detection_says_what_is_to_be_seen() -> None:
    assert wrong(lambda scenario: scenario.judge is not Judge.DETECTED or scenario.detects is not None) == []


def test_what_only_a_verifier_shows_names_the_verifier() -> None:
    def right(scenario: Scenario) -> bool:
        return Reason.RESOURCE_REJECTED not in detected(scenario).reasons or bool(scenario.verifiers)

    assert wrong(right) == []


def test_a_drill_that_stays_rotated_has_put_a_new_key_in_place() -> None:
    new = {Action.ACTIVATE, Action.ROTATE, Action.REPLACE}

    assert wrong(lambda scenario: not scenario.keeps or bool(scenario.actions & new)) == []


def test_users_are_told_what_they_would_notice() -> None:
    assert wrong(lambda scenario: bool(scenario.caution) == (scenario.name not in HARMLESS)) == []
