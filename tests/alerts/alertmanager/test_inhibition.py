"""What may be silent for what: held against every pair of alerts, without an Alertmanager."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from alerts.alertmanager_inhibition import INHIBITIONS, Inhibition, inhibitions_for, may_hide
from alerts.catalogue import alerts_of
from alerts.model import LABELS, Alert, Area, Role
from alerts.windows import Severity
from oidcwatch.config import load_both
from oidcwatch.generation import deployment_of

URGENCY = (Severity.PAGE, Severity.TICKET, Severity.INFO)


@pytest.fixture(scope="module", params=["hand-made", "the full example"])
def alerts(request: pytest.FixtureRequest, hand_made: tuple[Alert, ...], root: Path) -> tuple[Alert, ...]:
    if request.param == "hand-made":
        return hand_made
    return alerts_of(deployment_of(load_both(root / "examples" / "oidcwatch.yaml", {}, connects=False)))


@pytest.fixture(scope="module")
def pairs(alerts: tuple[Alert, ...]) -> list[tuple[Alert, Alert]]:
    """Every alert with every one that it may hide."""
    return [
        (source, target)
        for rule, source, target in product(inhibitions_for(alerts), alerts, alerts)
        if source is not target and may_hide(rule, source, target)
    ]


@pytest.mark.parametrize("rule", INHIBITIONS, ids=str)
def test_only_labels_that_every_alert_has_are_compared_and_drill_always_is(rule: Inhibition) -> None:
    assert set(rule.equal) <= set(LABELS)
    assert "drill" in rule.equal


@pytest.mark.parametrize("rule", INHIBITIONS, ids=str)
def test_no_rule_goes_by_severity_alone(rule: Inhibition) -> None:
    assert {matcher.label for matcher in rule.source} - {"severity"}


def test_nothing_hides_what_is_more_urgent(pairs: list[tuple[Alert, Alert]]) -> None:
    wrong = [
        (source.name, target.name)
        for source, target in pairs
        if URGENCY.index(source.severity) > URGENCY.index(target.severity)
    ]

    assert pairs
    assert wrong == []


def test_no_two_alerts_hide_each_other(pairs: list[tuple[Alert, Alert]]) -> None:
    names = {(source.name, target.name) for source, target in pairs}

    assert [pair for pair in names if pair[::-1] in names] == []


def test_security_and_drills_are_never_hidden(pairs: list[tuple[Alert, Alert]]) -> None:
    assert [target.name for _, target in pairs if target.area in (Area.SECURITY, Area.DRILL)] == []


def test_the_watcher_is_hidden_by_the_watcher_only(pairs: list[tuple[Alert, Alert]]) -> None:
    assert [
        (source.name, target.name)
        for source, target in pairs
        if target.role is Role.WATCHER and source.role is not Role.WATCHER
    ] == []


def test_rules_that_no_alert_can_meet_are_left_out() -> None:
    assert inhibitions_for(()) == ()


def test_every_rule_of_the_table_concerns_an_alert_that_there_is(root: Path) -> None:
    example = deployment_of(load_both(root / "examples" / "oidcwatch.yaml", {}, connects=False))

    assert inhibitions_for(alerts_of(example)) == INHIBITIONS
