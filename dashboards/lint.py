"""The rules of Grafana's dashboard-linter, and our own, as a table; `.lint` tells the Go tool the same exceptions.

https://github.com/grafana/dashboard-linter (docs/rules). What needs a parser (target-promql) is promtool's in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from alerts.rules_file import dump
from dashboards.board import DEBUG
from dashboards.lint_layout import distinct_ids, links_lead_somewhere, no_overflow, no_overlap, short_uid
from dashboards.lint_queries import (
    counters_are_rated,
    declared_variables,
    has_matcher,
    logql_auto,
    logql_selects,
    rate_interval,
    some_query,
)
from dashboards.queries import Json, panels_of

Check = Callable[[Json], Iterator[str]]
"""Messages about what is wrong with a dashboard; none when it is right."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Names are dashboard-linter's where it has the rule."""

    name: str
    check: Check
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Where a rule does not hold, and why; for all dashboards without `dashboard` (a uid)."""

    rule: str
    reason: str
    dashboard: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule."""

    dashboard: str
    rule: str
    message: str


_NEEDS_TEXT = frozenset({"stat", "table", "timeseries", "gauge"})
_NEEDS_SOURCE = frozenset({"table", "timeseries"})


def _template_datasource(dashboard: Json) -> Iterator[str]:
    sources = [each for each in dashboard["templating"]["list"] if each["type"] == "datasource"]
    if not sources:
        yield "has no data source variable"
    for source in sources:
        name, label = f"{source['query']}_datasource", f"{source['query'].title()} data source"
        names = {name, "datasource"} if len(sources) == 1 else {name}
        labels = {label, "Data source"} if len(sources) == 1 else {label}
        if source["name"] not in names or source["label"] not in labels:
            yield f"data source variable {source['name']} ({source['label']}) should be {name} ({label})"


def _template(name: str) -> Check:
    def check(dashboard: Json) -> Iterator[str]:
        if not any(each["name"] == name and each.get("multi") for each in dashboard["templating"]["list"]):
            yield f"has no variable {name} with several values"

    return check


def _template_labels(dashboard: Json) -> Iterator[str]:
    for each in _query_variables(dashboard):
        if not each["query"].startswith("label_values("):
            yield f"variable {each['name']} asks {each['query']}"


def _template_reload(dashboard: Json) -> Iterator[str]:
    for each in _query_variables(dashboard):
        if each["refresh"] != 2:
            yield f"variable {each['name']} is not refreshed when the time range changes"


def _panel_datasource(dashboard: Json) -> Iterator[str]:
    for panel in _of_type(dashboard, _NEEDS_SOURCE):
        if panel["datasource"]["uid"] not in {"$datasource", "${datasource}"}:
            yield f"{panel['title']} does not use the data source variable"


def _panel_text(dashboard: Json) -> Iterator[str]:
    for panel in _of_type(dashboard, _NEEDS_TEXT):
        if not panel.get("title") or not panel.get("description"):
            yield f"panel {panel['id']} has no title or no description"


def _panel_units(dashboard: Json) -> Iterator[str]:
    for panel in _of_type(dashboard, _NEEDS_TEXT):
        defaults, overrides = panel["fieldConfig"]["defaults"], panel["fieldConfig"]["overrides"]
        units = {defaults.get("unit"), *(p["value"] for o in overrides for p in o["properties"] if p["id"] == "unit")}
        if wrong := units - UNITS:
            yield f"{panel['title']} has the units {sorted(map(str, wrong))}"


def _panel_targets(dashboard: Json) -> Iterator[str]:
    for panel in _of_type(dashboard, _NEEDS_TEXT):
        if not panel.get("targets"):
            yield f"{panel['title']} asks nothing"


def _uneditable(dashboard: Json) -> Iterator[str]:
    if dashboard["editable"]:
        yield "is editable"


def _query_variables(dashboard: Json) -> Iterator[Json]:
    return (each for each in dashboard["templating"]["list"] if each["type"] == "query")


def _of_type(dashboard: Json, kinds: frozenset[str]) -> Iterator[Json]:
    return (panel for panel in panels_of(dashboard) if panel["type"] in kinds)


UNITS = frozenset(
    {"none", "string", "short", "percentunit", "s", "d", "bytes", "reqps", "dateTimeAsIso", "bool_yes_no"}
)
"""The part of Grafana's units (packages/grafana-data/src/valueFormats/categories.ts) that we use."""

RULES: tuple[Rule, ...] = (
    Rule("template-datasource-rule", _template_datasource),
    Rule("template-job-rule", _template("job")),
    Rule("template-instance-rule", _template("instance")),
    Rule("template-label-promql-rule", _template_labels),
    Rule("template-on-time-change-reload-rule", _template_reload),
    Rule("panel-datasource-rule", _panel_datasource),
    Rule("panel-title-description-rule", _panel_text),
    Rule("panel-units-rule", _panel_units),
    Rule("panel-no-targets-rule", _panel_targets),
    Rule("target-logql-rule", logql_selects),
    Rule("target-logql-auto-rule", logql_auto),
    Rule("target-promql-rule", some_query),
    Rule("target-rate-interval-rule", rate_interval),
    Rule("target-job-rule", has_matcher("job")),
    Rule("target-instance-rule", has_matcher("instance")),
    Rule("target-counter-agg-rule", counters_are_rated),
    Rule("uneditable-dashboard", _uneditable),
    Rule("distinct-ids", distinct_ids, ours=True),
    Rule("no-overlap", no_overlap, ours=True),
    Rule("no-overflow", no_overflow, ours=True),
    Rule("short-uid", short_uid, ours=True),
    Rule("declared-variables", declared_variables, ours=True),
    Rule("links-lead-somewhere", links_lead_somewhere, ours=True),
)

_NO_JOB = (
    "Who is watched is told by issuer, client and region; which agent looked, and under which job, is not of interest."
)
EXCLUSIONS: tuple[Exclusion, ...] = (
    *(Exclusion(f"{what}-{label}-rule", _NO_JOB) for what in ("template", "target") for label in ("job", "instance")),
    Exclusion(
        "template-datasource-rule",
        "Tempo and Loki are optional here; `datasource` keeps its name so that links carry it from dashboard to dashboard.",
        DEBUG,
    ),
)


def problems_of(dashboards: Mapping[str, str]) -> tuple[Problem, ...]:
    """What breaks a rule and is not excluded."""
    return tuple(
        Problem(dashboard["uid"], rule.name, message)
        for dashboard in map(json.loads, dashboards.values())
        for rule in RULES
        if not any(each.rule == rule.name and each.dashboard in ("", dashboard["uid"]) for each in EXCLUSIONS)
        for message in rule.check(dashboard)
    )


def lint_file(dashboards: Mapping[str, str]) -> str:
    """The `.lint` file of dashboard-linter for the folder of these dashboards; it knows dashboards by title."""
    titles = {dashboard["uid"]: dashboard["title"] for dashboard in map(json.loads, dashboards.values())}
    rows = {
        each.rule: {
            "reason": each.reason,
            **({"entries": [{"dashboard": titles[each.dashboard]}]} if each.dashboard else {}),
        }
        for each in EXCLUSIONS
    }
    return dump({"exclusions": rows})
