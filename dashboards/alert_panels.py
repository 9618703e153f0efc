"""A panel for every alert: exactly the series that its rule compares, with the thresholds that it compares them to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from grafana_foundation_sdk.models import dashboard as model

from alerts.deployment import Alerting
from alerts.links import panel_id, runbook_url, silence_url
from alerts.model import Alert, Area, Condition, Level
from alerts.promql import number
from dashboards.grafana import Section, Tile
from dashboards.scope import filtered
from dashboards.style import BAD, COUNT, SECONDS, SHARE, Look, Query, graph_builder

_WHERE: Mapping[Level, str] = MappingProxyType(
    {
        Level.ISSUER: "{{issuer}}, drill {{drill}}",
        Level.TARGET: "{{target}} at {{issuer}}, drill {{drill}}",
        Level.REGION: "{{target}} at {{issuer}} from {{region}}, drill {{drill}}",
        Level.FINDING: "{{finding}} at {{issuer}}, drill {{drill}}",
        Level.AGENT: "",
    }
)

# What a condition's title calls its values.
_UNITS = (
    ("share", SHARE), ("error budget", SHARE), ("agreement", SHARE), ("multiple", "none"), ("days", "d"),
    ("seconds", SECONDS),
)  # fmt: skip

AREAS: Mapping[Area, str] = MappingProxyType(
    {
        Area.PROVIDER: "Is the provider there?",
        Area.LOGIN: "Can users sign in?",
        Area.TOKEN: "Does the token endpoint answer?",
        Area.KEYS: "Do tokens validate, and are keys in order?",
        Area.REFRESH: "Do sessions last?",
        Area.CLIENT: "Are clients registered as they should be?",
        Area.RESOURCE: "Do services accept tokens?",
        Area.CLOCK: "Are clocks right?",
        Area.CERTIFICATE: "Are certificates valid?",
        Area.SECURITY: "Do security controls hold?",
        Area.PROBE: "Can the probes be trusted?",
        Area.DRILL: "Is a drill running?",
    }
)


def alert_sections(alerts: Iterable[Alert], alerting: Alerting, first_id: int) -> tuple[Section, ...]:
    """A folded row for each area that has alerts; their ids count up from `first_id`, one for each area."""
    by_area: dict[Area, list[Alert]] = {}
    for alert in alerts:
        by_area.setdefault(alert.area, []).append(alert)
    return tuple(
        Section(id, f"Alerts: {title}", tuple(alert_panel(alert, alerting) for alert in by_area[area]), folded=True)
        for id, (area, title) in enumerate(AREAS.items(), first_id)
        if area in by_area
    )


def alert_panel(alert: Alert, alerting: Alerting) -> Tile:
    """The alert's panel, at the id that the alert links to."""
    conditions = tuple(_distinct(alert.conditions))
    where = _WHERE[alert.level]
    queries = [
        Query(filtered(each.series, alert.level), f"{each.title}: {where}" if where else each.title)
        for each in conditions
    ]
    queries += [Query(f"vector({number(group[0].threshold)})", _legend(group)) for group in _by_threshold(conditions)]
    main = unit_of(conditions[0])
    # Grafana takes a pattern without slashes for one that must match the whole name.
    panel = graph_builder(panel_id(alert.name), title(alert), about(alert, alerting), queries, Look(main, low=None))
    for unit in dict.fromkeys(map(unit_of, conditions)):
        if unit != main:
            names = "|".join(re.escape(each.title) for each in conditions if unit_of(each) == unit)
            panel.override_by_regexp(
                f"/^({_THRESHOLD} )?({names})/", [_set("unit", unit), _set("custom.axisPlacement", "right")]
            )
    line = {"fill": "dash", "dash": [8, 6]}
    colour = {"mode": "fixed", "fixedColor": BAD}
    panel.override_by_regexp(f"/^{_THRESHOLD} /", [_set("color", colour), _set("custom.lineStyle", line)])
    return Tile(panel.build(), 12, 9)


_THRESHOLD = "Threshold of"


def _by_threshold(conditions: Iterable[Condition]) -> Iterable[list[Condition]]:
    """Conditions that are compared with the same number of the same unit share a line."""
    groups: dict[tuple[str, str, Decimal], list[Condition]] = {}
    for each in conditions:
        groups.setdefault((unit_of(each), each.op, each.threshold), []).append(each)
    return groups.values()


def _legend(group: list[Condition]) -> str:
    return f"{_THRESHOLD} {group[0].title}{' and others' if len(group) > 1 else ''}: {bound(group[0])}"


def title(alert: Alert) -> str:
    """The alert's name, by which it is found, and what is compared first."""
    return f"{alert.name}: {_lower(alert.conditions[0].title)}"


def about(alert: Alert, alerting: Alerting) -> str:
    """What it means that the alert fires, and what to do."""
    clauses = (" and ".join(f"{_lower(each.title)} {bound(each)}" for each in clause) for clause in alert.any_of)
    page, silence = runbook_url(alerting, alert.name), silence_url(alerting, alert.name)
    runbook = f"[Runbook]({page})" if alerting.runbooks_url else f"Runbook: {page}"
    parts = (
        f"Fires when {'; or when '.join(clauses)}. Each threshold is a dashed line.",
        alert.about,
        f"When it fires: {alert.impact}",
        runbook + (f", [silence]({silence})" if silence else ""),
    )
    return "\n\n".join(part for part in parts if part)


def bound(condition: Condition) -> str:
    """The comparison, in words of the reader: `> 0.72 %`."""
    if unit_of(condition) == SHARE:
        return f"{condition.op} {number(condition.threshold * 100)} %"
    return f"{condition.op} {number(condition.threshold)}{' s' if unit_of(condition) == SECONDS else ''}"


def unit_of(condition: Condition) -> str:
    """Grafana's name of the unit that the series has."""
    return next((unit for word, unit in _UNITS if word in condition.title.lower()), COUNT)


def _distinct(conditions: Iterable[Condition]) -> Iterable[Condition]:
    """Clauses often share a series: it is drawn once for each threshold."""
    return {(each.series, each.op, each.threshold): each for each in conditions}.values()


def _lower(title: str) -> str:
    """As the rest of a sentence; names in it keep their letters."""
    return title[0].lower() + title[1:]


def _set(name: str, value: object) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(name, value)
