"""The panel of an alert draws what the rule compares."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from alerts.catalogue import alerts_of
from alerts.deployment import Alerting, Deployment
from alerts.links import panel_id
from alerts.model import Alert, Area, Condition, Level, Role
from alerts.promql import number
from alerts.windows import Severity
from dashboards.alert_panels import alert_panel, alert_sections, bound, unit_of
from dashboards.queries import panels_of
from dashboards.scope import filtered

SHARE = Condition("Share of bad events in 1h", 'a:ratio1h{slo="x"}', ">", Decimal("0.0072"))
COUNT = Condition("Bad events in 1h", 'a:bad1h{slo="x"}', ">=", Decimal("2.5"))


def alert(*clauses: tuple[Condition, ...], level: Level = Level.TARGET) -> Alert:
    return Alert(
        "OidcSomething", Severity.PAGE, Area.LOGIN, Role.SYMPTOM, level, clauses, "It fails", "Users cannot sign in."
    )  # fmt: skip


def expressions(of: Alert) -> list[str]:
    panel = alert_panel(of, Alerting()).panel
    return [target.expr for target in panel.targets or []]  # type: ignore[attr-defined]  # all are Prometheus queries


def test_every_alert_has_a_panel_at_its_id_with_exactly_its_series_and_thresholds(
    deployment: Deployment, dashboards: dict[str, dict[str, Any]]
) -> None:
    panels = {panel["id"]: panel for panel in panels_of(dashboards["oidc-oncall"])}

    for each in alerts_of(deployment):
        drawn = {target["expr"] for target in panels[panel_id(each.name)]["targets"]}
        series = {filtered(condition.series, each.level) for condition in each.conditions}
        thresholds = {f"vector({number(condition.threshold)})" for condition in each.conditions}
        assert drawn == series | thresholds, each.name


def test_the_description_of_an_alerts_panel_says_when_it_fires_and_leads_to_its_runbook(
    deployment: Deployment, dashboards: dict[str, dict[str, Any]]
) -> None:
    panels = {panel["id"]: panel for panel in panels_of(dashboards["oidc-oncall"])}

    for each in alerts_of(deployment):
        about = panels[panel_id(each.name)]["description"]
        assert f"https://runbooks.example/{each.name}.html" in about
        assert each.impact in about
        assert all(bound(condition) in about for condition in each.conditions), each.name


def test_a_series_that_two_clauses_share_is_drawn_once() -> None:
    assert expressions(alert((SHARE, COUNT), (COUNT,))).count(filtered(COUNT.series, Level.TARGET)) == 1


def overridden(of: Alert, setting: str) -> set[str]:
    """Names of the series that an override gives this setting, as Grafana's stringToJsRegex matches them."""
    panel = alert_panel(of, Alerting()).panel
    names = [target.legend_format for target in panel.targets or []]  # type: ignore[attr-defined]  # all are Prometheus queries
    assert panel.field_config
    found = set()
    for override in panel.field_config.overrides:
        pattern = str(override.matcher.options)
        assert pattern[0] == pattern[-1] == "/"
        if any(each.id_val == setting for each in override.properties):
            found |= {name for name in names if re.search(pattern[1:-1], name)}
    return found


def test_a_count_is_drawn_on_an_axis_of_its_own_beside_a_share() -> None:
    moved = overridden(alert((SHARE, COUNT)), "custom.axisPlacement")

    assert moved == {
        "Bad events in 1h: {{target}} at {{issuer}}, drill {{drill}}",
        "Threshold of Bad events in 1h: >= 2.5",
    }


def test_thresholds_are_dashed_lines() -> None:
    dashed = overridden(alert((SHARE, COUNT)), "custom.lineStyle")

    assert dashed == {"Threshold of Share of bad events in 1h: > 0.72 %", "Threshold of Bad events in 1h: >= 2.5"}


@pytest.mark.parametrize(
    ("title", "unit"),
    [
        ("Share of bad slices in 5m", "percentunit"),
        ("Error budget left", "percentunit"),
        ("Days until the first certificate expires", "d"),
        ("Age of the newest good key set, seconds", "s"),
        ("Failures in 5m", "short"),
    ],
)
def test_the_title_of_a_condition_tells_its_unit(title: str, unit: str) -> None:
    assert unit_of(Condition(title, "x", ">", Decimal(1))) == unit


def test_a_share_is_compared_in_percent() -> None:
    assert bound(SHARE) == "> 0.72 %"


def test_alerts_of_an_area_share_a_folded_row(deployment: Deployment) -> None:
    alerts = alerts_of(deployment)

    sections = alert_sections(alerts, deployment.alerting, 50)

    assert all(section.folded for section in sections)
    assert len(sections) == len({each.area for each in alerts})
    assert sum(len(section.tiles) for section in sections) == len(alerts)
