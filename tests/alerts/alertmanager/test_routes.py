"""Every alert reaches the receiver that it is for, as Alertmanager's own tool sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from alerts.alertmanager import routes_test_yaml
from alerts.alertmanager_check import route_problems
from alerts.catalogue import alerts_of
from alerts.deployment import Alerting, Deployment
from alerts.model import LABELS, Alert
from alerts.routes import RouteTest, route_tests
from oidcwatch.config import load_both
from oidcwatch.generation import deployment_of

Written = Callable[[Deployment, tuple[Alert, ...]], Path]


@pytest.mark.process
def test_alerts_of_every_kind_reach_their_receivers(
    deployment: Deployment, hand_made: tuple[Alert, ...], amtool: str, written: Written
) -> None:
    tests = route_tests(deployment, hand_made)

    assert len(tests) == 2 * len(hand_made)
    assert route_problems(written(deployment, hand_made), tests, amtool=amtool) == ()


@pytest.mark.process
def test_every_alert_of_the_full_example_reaches_its_receiver(root: Path, amtool: str, written: Written) -> None:
    example = deployment_of(load_both(root / "examples" / "oidcwatch.yaml", {}, connects=False))
    alerts = alerts_of(example)

    assert route_problems(written(example, alerts), route_tests(example, alerts), amtool=amtool) == ()


@pytest.mark.process
def test_an_issuer_under_maintenance_has_the_same_receivers(
    deployment: Deployment, hand_made: tuple[Alert, ...], amtool: str, written: Written
) -> None:
    partner = replace(deployment, issuers=deployment.issuers[1:])

    assert route_problems(written(deployment, hand_made), route_tests(partner, hand_made), amtool=amtool) == ()


@pytest.mark.process
def test_alerts_that_nobody_was_named_for_reach_nobody(
    deployment: Deployment, hand_made: tuple[Alert, ...], amtool: str, written: Written
) -> None:
    nobody = replace(deployment, alerting=Alerting())
    tests = route_tests(nobody, hand_made)

    assert {test.receiver for test in tests} == {"nobody"}
    assert route_problems(written(nobody, hand_made), tests, amtool=amtool) == ()


@pytest.mark.process
def test_an_alert_that_arrives_elsewhere_is_named(
    deployment: Deployment, hand_made: tuple[Alert, ...], amtool: str, written: Written
) -> None:
    labels = (("alertname", "Burnfast"), ("severity", "page"), ("drill", "true"))

    (problem,) = route_problems(written(deployment, hand_made), (RouteTest(labels, "page"),), amtool=amtool)

    assert problem == "Burnfast with drill=true reaches drill instead of page"


@pytest.mark.parametrize(
    ("name", "drill", "receiver"),
    [
        ("Watchdog", "false", "deadman"),
        ("Watchdog", "true", "deadman"),
        ("Burnfast", "false", "page"),
        ("Burnfast", "true", "drill"),
        ("ControlNotEnforced", "false", "security"),
        ("ControlNotEnforced", "true", "drill"),
        ("ControlTicket", "false", "security"),
        ("OneRegion", "false", "ticket"),
        ("Budget50", "false", "default"),
    ],
)
def test_what_an_alert_must_reach(
    deployment: Deployment, hand_made: tuple[Alert, ...], name: str, drill: str, receiver: str
) -> None:
    reached = {
        (dict(test.labels)["alertname"], dict(test.labels)["drill"]): test.receiver
        for test in route_tests(deployment, hand_made)
    }

    assert reached[name, drill] == receiver


def test_a_route_test_names_every_label_that_an_alert_has(deployment: Deployment, hand_made: tuple[Alert, ...]) -> None:
    document = yaml.safe_load(routes_test_yaml(route_tests(deployment, hand_made)))

    assert all(set(test["labels"]) == {"alertname", *LABELS} for test in document["tests"])
    assert len(document["tests"]) == 2 * len(hand_made)
