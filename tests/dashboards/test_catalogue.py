"""Four dashboards, whole and the same for one issuer and for two hundred."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from alerts.catalogue import alerts_of
from alerts.deployment import Alerting, Deployment
from alerts.links import dashboard_url
from dashboards.catalogue import dashboards_of
from dashboards.queries import panels_of

Dashboards = dict[str, dict[str, Any]]

UIDS = ("oidc-executive", "oidc-oncall", "oidc-debug", "oidc-drill")
LARGEST_CONFIG_MAP = 1_048_576
"""Bytes: Kubernetes refuses more, and Grafana's dashboards are often kept in one."""


def test_there_are_four_dashboards_with_addresses_that_never_change(texts: Mapping[str, str]) -> None:
    assert tuple(texts) == tuple(f"{uid}.json" for uid in UIDS)


def test_dashboards_are_the_same_text_every_time(deployment: Deployment, texts: Mapping[str, str]) -> None:
    assert dashboards_of(deployment) == texts


@pytest.mark.parametrize("uid", UIDS)
def test_a_dashboard_has_the_schema_that_grafana_10_to_13_read(dashboards: Dashboards, uid: str) -> None:
    assert dashboards[uid]["schemaVersion"] == 42
    assert not {"id", "version", "spec", "apiVersion", "kind"} & dashboards[uid].keys()


@pytest.mark.parametrize("uid", UIDS)
def test_a_dashboard_has_no_keys_of_later_schemas(dashboards: Dashboards, uid: str) -> None:
    keys = {key for item in _dicts(dashboards[uid]) for key in item}

    assert not keys & {"placement", "repeatDirection"}


@pytest.mark.parametrize("uid", UIDS)
def test_what_was_chosen_is_carried_to_the_other_dashboards(dashboards: Dashboards, uid: str) -> None:
    (link,) = dashboards[uid]["links"]

    assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == (
        "dashboards",
        ["oidcwatch"],
        True,
        True,
    )
    assert "oidcwatch" in dashboards[uid]["tags"]


@pytest.mark.parametrize("uid", UIDS)
def test_a_dashboard_is_narrowed_by_issuer_client_and_region(dashboards: Dashboards, uid: str) -> None:
    choices = {each["name"]: each for each in dashboards[uid]["templating"]["list"]}

    for name in ("issuer", "target", "region"):
        assert choices[name]["multi"]
        assert choices[name]["includeAll"]
        assert choices[name]["allValue"] == ".+"


@pytest.mark.parametrize("uid", UIDS)
def test_what_was_posted_and_what_metrics_tell_is_annotated(dashboards: Dashboards, uid: str) -> None:
    annotations = {each["name"]: each for each in dashboards[uid]["annotations"]["list"]}

    assert annotations["Deployments, rotations, drills"]["target"]["tags"] == ["oidcwatch"]
    assert {"Pages", "Key set changed", "Configuration loaded", "Drill"} < annotations.keys()


def test_dashboards_do_not_grow_with_issuers(texts: Mapping[str, str], large_deployment: Deployment) -> None:
    large = dashboards_of(large_deployment)

    assert [len(text) for text in large.values()] == [len(text) for text in texts.values()]


def test_every_dashboard_fits_into_a_config_map(texts: Mapping[str, str]) -> None:
    assert max(len(text.encode()) for text in texts.values()) < LARGEST_CONFIG_MAP


def test_the_first_screen_asks_little(dashboards: Dashboards) -> None:
    panels = dashboards["oidc-oncall"]["panels"]
    folded = next(number for number, panel in enumerate(panels) if panel.get("collapsed"))

    shown = [panel for panel in panels[:folded] if panel["type"] != "row"]

    assert len(shown) <= 12


def test_without_logins_the_executive_dashboard_speaks_of_what_there_is(deployment: Deployment) -> None:
    polls = tuple(check for check in deployment.checks if check.probe == "jwks")

    text = dashboards_of(Deployment(deployment.issuers, polls, deployment.regions))["oidc-executive.json"]

    titles = {panel["title"] for panel in panels_of(json.loads(text))}
    assert "Login success, 24 h" not in titles
    assert "Objectives" in titles


def test_without_addresses_no_link_leads_nowhere(deployment: Deployment) -> None:
    plain = Deployment(deployment.issuers, deployment.checks, deployment.regions, alerting=Alerting())

    texts = dashboards_of(plain)

    assert "](Oidc" not in "".join(texts.values())
    assert '"url": "${__data.fields.Alert}.html"' not in "".join(texts.values())


def test_every_link_of_an_alert_leads_to_its_panel(deployment: Deployment, dashboards: Dashboards) -> None:
    ids = {panel["id"] for panel in panels_of(dashboards["oidc-oncall"])}

    for alert in alerts_of(deployment):
        url = dashboard_url(deployment.alerting, alert)
        assert int(re.findall(r"viewPanel=(\d+)", url)[0]) in ids
        assert "/d/oidc-oncall?" in url


def _dicts(value: object) -> Iterator[dict[str, object]]:
    match value:
        case dict():
            yield value
            for item in value.values():
                yield from _dicts(item)
        case list():
            for item in value:
                yield from _dicts(item)


def test_the_alert_of_a_row_is_silenced_by_its_name(texts: Mapping[str, str]) -> None:
    assert (
        "https://alertmanager.example/#/silences/new?filter=%7Balertname%3D%22${__data.fields.Alert}%22%7D"
        in texts["oidc-oncall.json"]
    )
