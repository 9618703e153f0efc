"""What is given to prometheus-operator says the same as the files do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from alerts.alertmanager import alertmanager_yaml, templates
from alerts.catalogue import alerts_of, groups_of
from alerts.deployment import Deployment, OfficeHours
from alerts.kubernetes import alertmanager_config, alertmanager_secret, prometheus_rules
from alerts.rules_file import rules_yaml


def _config(deployment: Deployment) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(alertmanager_config(deployment, alerts_of(deployment)))
    return document


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for child in route.get("routes", ()):
        yield from _routes(child)


def test_the_object_holds_the_groups_of_the_rule_file(deployment: Deployment) -> None:
    text = prometheus_rules(deployment, groups_of(deployment), namespace="monitoring", labels={"release": "kube"})

    document = yaml.safe_load(text)
    assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert document["metadata"] == {"name": "oidcwatch", "namespace": "monitoring", "labels": {"release": "kube"}}
    assert document["spec"] == yaml.safe_load(rules_yaml(deployment))


def test_many_groups_are_several_objects_that_each_fit(deployment: Deployment) -> None:
    groups = groups_of(deployment)

    documents = list(yaml.safe_load_all(prometheus_rules(deployment, groups, largest=40_000)))

    assert [document["metadata"]["name"] for document in documents] == [
        f"oidcwatch-{number}" for number in range(1, len(documents) + 1)
    ]
    assert len(documents) > 1
    parts = [document["spec"]["groups"] for document in documents]
    assert all(len(part) == 1 or len(json.dumps(part).encode()) <= 41_000 for part in parts)
    written = [group["name"] for part in parts for group in part]
    assert written == [group.name for group in groups]


def test_the_routes_are_those_of_the_file_in_camel_case(deployment: Deployment) -> None:
    file = yaml.safe_load(alertmanager_yaml(deployment, alerts_of(deployment)))

    spec = _config(deployment)["spec"]

    assert [route["receiver"] for route in _routes(spec["route"])] == [
        route["receiver"] for route in _routes(file["route"])
    ]
    page = next(route for route in spec["route"]["routes"] if route["receiver"] == "page")
    assert page == {
        "receiver": "page",
        "matchers": [{"name": "severity", "matchType": "=", "value": "page"}],
        "groupBy": ["issuer", "area", "drill"],
        "routes": [
            {
                "receiver": "page",
                "matchers": [{"name": "issuer", "matchType": "=", "value": "partner"}],
                "muteTimeIntervals": ["maintenance-patching"],
            }
        ],
        "groupWait": "30s",
        "groupInterval": "1m",
        "repeatInterval": "1h",
    }
    assert len(spec["inhibitRules"]) == len(file["inhibit_rules"])
    assert set(spec["inhibitRules"][0]) == {"sourceMatch", "targetMatch", "equal"}


def test_a_team_has_its_route_there_too(deployment: Deployment) -> None:
    orders = {"orders-team": {"page": ({"webhook": {"url": "https://orders.example"}},)}}

    spec = _config(replace(deployment, alerting=replace(deployment.alerting, teams=orders)))["spec"]

    (page,) = [route for route in spec["route"]["routes"] if route["receiver"] == "page"]
    own = page["routes"][0]
    assert own["receiver"] == "page-orders-team"
    assert own["matchers"] == [{"name": "owner", "matchType": "=", "value": "orders-team"}]
    assert "page-orders-team" in [receiver["name"] for receiver in spec["receivers"]]


def test_hours_are_said_without_a_time_zone(deployment: Deployment) -> None:
    intervals = {each["name"]: each["timeIntervals"] for each in _config(deployment)["spec"]["muteTimeIntervals"]}

    assert intervals["maintenance-patching"] == [
        {"weekdays": ["sunday"], "times": [{"startTime": "23:00", "endTime": "24:00"}]},
        {"weekdays": ["monday"], "times": [{"startTime": "00:00", "endTime": "01:00"}]},
    ]


def test_hours_of_another_time_zone_are_left_out_and_named(deployment: Deployment) -> None:
    dublin = replace(deployment.alerting, office_hours=OfficeHours(location="Europe/Dublin"))

    text = alertmanager_config(replace(deployment, alerting=dublin), alerts_of(deployment))

    assert text.startswith("# Left out, since an AlertmanagerConfig has hours in UTC only: office-hours.\n")
    spec = yaml.safe_load(text)["spec"]
    assert [each["name"] for each in spec["muteTimeIntervals"]] == ["maintenance-patching"]
    assert not [route for route in _routes(spec["route"]) if "activeTimeIntervals" in route]


def test_files_of_secrets_are_keys_of_the_clusters_secrets(deployment: Deployment) -> None:
    receivers = {each["name"]: each for each in _config(deployment)["spec"]["receivers"]}

    assert receivers["page"]["pagerdutyConfigs"][0]["routingKey"] == {"name": "oidcwatch", "key": "pagerduty"}
    assert receivers["security"]["emailConfigs"][0]["authPassword"] == {"name": "oidcwatch", "key": "smtp"}
    assert receivers["security"]["emailConfigs"][0]["requireTLS"] is True
    assert receivers["drill"]["slackConfigs"][0]["apiURL"] == {"name": "oidcwatch", "key": "slack-url"}
    assert receivers["nobody"] == {"name": "nobody"}


def test_messages_bring_their_templates_with_them(deployment: Deployment) -> None:
    (page,) = [each for each in _config(deployment)["spec"]["receivers"] if each["name"] == "page"]

    (pagerduty,) = page["pagerdutyConfigs"]
    assert pagerduty["description"] == templates() + '{{ template "oidcwatch.title" . }}'
    assert pagerduty["details"] == [{"key": "firing", "value": templates() + '{{ template "oidcwatch.body" . }}'}]


def test_what_has_another_shape_there_is_refused(deployment: Deployment) -> None:
    nested = {"webhook": {"url": "https://x.example", "http_config": {"follow_redirects": False}}}
    alerting = replace(deployment.alerting, receivers={"page": (nested,)})

    with pytest.raises(ValueError, match=r"http_config: has another shape .*configSecret"):
        alertmanager_config(replace(deployment, alerting=alerting), ())


def test_the_secret_holds_the_whole_configuration(deployment: Deployment) -> None:
    alerts = alerts_of(deployment)

    document = yaml.safe_load(alertmanager_secret(deployment, alerts, namespace="monitoring"))

    assert (document["apiVersion"], document["kind"]) == ("v1", "Secret")
    assert document["stringData"]["oidcwatch.tmpl"] == templates()
    config = yaml.safe_load(document["stringData"]["alertmanager.yaml"])
    assert config["templates"] == ["/etc/alertmanager/config/oidcwatch.tmpl"]
    assert {**config, "templates": ["oidcwatch.tmpl"]} == yaml.safe_load(alertmanager_yaml(deployment, alerts))
