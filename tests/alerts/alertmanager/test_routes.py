"""Every alert reaches the receiver that it is for, as Alertmanager's own tool sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from alerts.alertmanager import routes_test_yaml
from alerts.alertmanager_check import route_problems
from alerts.catalogue import alerts_of, groups_of
from alerts.deployment import Alerting, Deployment
from alerts.model import LABELS, Alert, Recording
from alerts.routes import RouteTest, route_tests
from oidcwatch.config import load_both
from oidcwatch.generation import deployment_of

Written = Callable[[Deployment, tuple[Alert, ...]], Path]


@pytest.mark.process
def test_alerts_of_every_kind_reach_their_receivers(
    deployment: Deployment, hand_made: tuple[Alert, ...], amtool: str, written: Written
) -> None:
    tests = route_tests(deployment, hand_made)

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
    ("name", "owner", "drill", "receiver"),
    [
        ("Watchdog", "identity", "false", "deadman"),
        ("Watchdog", "identity", "true", "deadman"),
        ("Burnfast", "identity", "false", "page"),
        ("Burnfast", "identity", "true", "drill"),
        ("ControlNotEnforced", "identity", "false", "security"),
        ("ControlNotEnforced", "identity", "true", "drill"),
        ("ControlTicket", "identity", "false", "security"),
        ("OneRegion", "identity", "false", "ticket"),
        ("Budget50", "identity", "false", "default"),
        ("ClientAuth", "identity", "false", "page"),
        ("ClientAuth", "orders-team", "false", "page-orders-team"),
        ("ClientAuth", "orders-team", "true", "drill"),
        ("ClientTicket", "orders-team", "false", "ticket"),
        ("GatewayDown", "gateway", "false", "page-gateway"),
    ],
)
def test_what_an_alert_must_reach(
    deployment: Deployment, hand_made: tuple[Alert, ...], name: str, owner: str, drill: str, receiver: str
) -> None:
    reached = {
        (labels["alertname"], labels["owner"], labels["drill"]): test.receiver
        for test in route_tests(deployment, hand_made)
        if (labels := dict(test.labels))
    }

    assert reached[name, owner, drill] == receiver


def test_an_alert_is_tested_with_every_team_that_it_can_have(
    deployment: Deployment, hand_made: tuple[Alert, ...]
) -> None:
    tested = {
        (labels["alertname"], labels["target"], labels["owner"])
        for test in route_tests(deployment, hand_made)
        if (labels := dict(test.labels))["alertname"] in ("ClientAuth", "GatewayDown", "Burnfast")
    }

    assert tested == {
        ("ClientAuth", "portal", "identity"),
        ("ClientAuth", "orders", "orders-team"),
        ("GatewayDown", "portal", "gateway"),
        ("Burnfast", "portal", "identity"),
    }


def test_client_authentication_that_fails_pages_the_clients_owner(root: Path) -> None:
    example = deployment_of(load_both(root / "examples" / "oidcwatch.yaml", {}, connects=False))

    (test,) = [
        test
        for test in route_tests(example, alerts_of(example))
        if (labels := dict(test.labels))["alertname"] == "OidcClientAuthentication"
        and (labels["target"], labels["drill"]) == ("machine", "false")
    ]

    assert (dict(test.labels)["owner"], test.receiver) == ("orders-team", "page-orders-team")


def test_owners_are_those_that_the_rules_look_up(root: Path) -> None:
    example = deployment_of(load_both(root / "examples" / "oidcwatch.yaml", {}, connects=False))

    recorded = {
        (rule.labels["issuer"], rule.labels.get("target", "")): rule.labels["owner"]
        for group in groups_of(example)
        for rule in group.rules
        if group.name == "oidc-owners" and isinstance(rule, Recording)
    }

    team_of = example.alerting.team_of
    assert recorded == {
        **{(issuer.name, ""): team_of(issuer) for issuer in example.issuers},
        **{
            (issuer.name, client.name): team_of(issuer, client)
            for issuer in example.issuers
            for client in issuer.clients
        },
    }


def test_a_route_test_names_every_label_that_an_alert_has(deployment: Deployment, hand_made: tuple[Alert, ...]) -> None:
    tests = route_tests(deployment, hand_made)

    document = yaml.safe_load(routes_test_yaml(tests))

    assert all(set(test["labels"]) == {"alertname", *LABELS} for test in document["tests"])
    assert len(document["tests"]) == len(tests)
