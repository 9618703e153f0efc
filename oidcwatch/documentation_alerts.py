"""The reference pages of what is generated for the full example: its alerts with their pages, its dashboards' panels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from alerts.links import ONCALL, panel_id
from alerts.model import NONE, Alert, Area
from alerts.promql import number
from alerts.rotation import alerts_of_finding
from alerts.rotation_table import ROTATION
from dashboards.catalogue import dashboards_of
from dashboards.queries import panels_of
from exporters.findings import LEVELS
from exporters.metrics import FINDING, FINDING_LEVEL
from oidcwatch.config import load_both
from oidcwatch.documentation_markdown import anchor, anchor_of, code, link, table
from oidcwatch.generation import Material, deployment_of, material_of

_EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "oidcwatch.yaml"
_GENERATED = "../../examples/generated/oidcwatch"


@cache
def _material() -> Material:
    return material_of(deployment_of(load_both(_EXAMPLE, {}, connects=False)))


@cache
def _dashboards() -> Mapping[str, dict[str, Any]]:
    return {name: json.loads(text) for name, text in dashboards_of(_material().deployment).items()}


def alert_names() -> tuple[str, ...]:
    """Every alert that the full example has."""
    return tuple(alert.name for alert in _material().alerts)


def alerts_page() -> Iterator[str]:
    """Every alert, by area: when it fires, whom it wakes, its runbook page and its panel."""
    yield from (
        "These are the alerts that `oidcwatch generate all -c examples/oidcwatch.yaml` makes. Which there are depends on",
        "the probes and objectives of a configuration; thresholds and the number of bad runs that are needed follow from",
        f"its objectives, intervals and regions. Each has a panel on the dashboard `{ONCALL}` that draws what the rule",
        "compares, and a runbook page of its name. The tests that promtool and amtool run are generated with them.",
        "",
    )
    for area in Area:
        alerts = [alert for alert in _material().alerts if alert.area is area]
        if alerts:
            yield from (f"## {area}", "")
            yield from table(("alert", "severity", "role", "fires when", "runbook", "panel"), map(_row, alerts))
    yield from _findings()


def _findings() -> Iterator[str]:
    """Which finding about keys leads to which alert, and what rehearses it."""
    yield from (
        "## Findings about key rotation",
        "",
        f"Each of these has a level, {code(FINDING_LEVEL.name)}, and is told by the alerts beside it with its id in the label",
        f"{code(FINDING.name)}. The level from which on an alert fires is in parentheses; a page hides the ticket for the same.",
        "",
    )
    severities = {level: severity.value for severity, level in LEVELS.items()}
    rows = (
        (
            anchor(f"finding {row.id}") + link(code(row.id), f"checks.md#{anchor_of(row.id)}"),
            row.wrong,
            ", ".join(
                f"{link(code(alert.name), f'#{anchor_of(alert.name)}')} ({severities[alert.level_of(row) or 0]})"
                for alert in alerts_of_finding(row.id)
            ),
            code(f"oidcwatch drill run {row.drill}") if row.drill else "",
        )
        for row in ROTATION.values()
    )
    yield from table(("finding", "what is wrong", "alerts", "rehearsed by"), rows)


def _row(alert: Alert) -> tuple[str, ...]:
    runbook = link("page", f"{_GENERATED}/runbooks/{alert.name}.md")
    severity = alert.severity if alert.tier == NONE else f"{alert.severity} ({alert.tier})"
    when = "; or ".join(
        ", and ".join(f"{each.title.lower()} {each.op} {number(each.threshold)}" for each in clause)
        for clause in alert.any_of
    )
    return (f"{anchor(alert.name)}{code(alert.name)}", severity, alert.role, when, runbook, str(panel_id(alert.name)))


def dashboard_names() -> tuple[str, ...]:
    """The uid of every dashboard."""
    return tuple(board["uid"] for board in _dashboards().values())


def panels_page() -> Iterator[str]:
    """Every panel of every dashboard, with its id: `/d/UID?viewPanel=ID` opens it."""
    yield from (
        "Panels by dashboard, in the order of the screen. The id is stable: alerts and runbooks link to",
        "`/d/UID?viewPanel=ID`. The panels of alerts are in rows that are folded until somebody opens them.",
        "",
    )
    for name, board in _dashboards().items():
        uid = board["uid"]
        yield from (anchor(uid), "", f"## {uid}: {board['title']}", "")
        yield from (board.get("description", ""), "", link("JSON", f"{_GENERATED}/dashboards/{name}"), "")
        rows = (
            (
                str(panel.get("id", "")),
                panel.get("type", ""),
                panel.get("title", ""),
                _first(panel.get("description", "")),
            )
            for panel in panels_of(board)
        )
        yield from table(("id", "type", "title", "what it shows"), rows)


def _first(description: str) -> str:
    return description.split("\n", 1)[0]
