"""Dashboards keep the rules of dashboard-linter, in our table of them and in the Go tool."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dashboards.lint import EXCLUSIONS, RULES, lint_file, problems_of

Json = dict[str, Any]
Breaks = Callable[[Json], None]

GRAPH: Json = {
    "id": 2, "type": "timeseries", "title": "Runs", "description": "How many.", "gridPos": {"x": 0, "y": 1, "w": 12, "h": 8},
    "datasource": {"type": "prometheus", "uid": "${datasource}"},
    "fieldConfig": {"defaults": {"unit": "short"}, "overrides": []},
    "targets": [
        {"datasource": {"type": "prometheus"}, "refId": "A", "expr": 'rate(a_total{job=~"$job",instance=~"$instance"}[$__rate_interval])'}
    ],
}  # fmt: skip
LOGS: Json = {
    "id": 3, "type": "logs", "title": "Log", "gridPos": {"x": 12, "y": 1, "w": 12, "h": 8},
    "targets": [{"datasource": {"type": "loki"}, "refId": "A", "expr": '{app="x"}'}],
}  # fmt: skip


def variable(name: str) -> Json:
    return {
        "name": name, "type": "query", "query": f"label_values(up, {name})", "refresh": 2, "multi": True, "includeAll": True,
        "allValue": ".+",
    }  # fmt: skip


GOOD: Json = {
    "uid": "oidc-oncall", "title": "OIDC / On-call", "editable": False, "annotations": {"list": []},
    "templating": {
        "list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
            variable("job"),
            variable("instance"),
        ]
    },
    "panels": [{"id": 1, "type": "row", "title": "Row", "panels": [], "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}}, GRAPH, LOGS],
}  # fmt: skip


def panel(key: str, value: object) -> Breaks:
    return lambda dashboard: dashboard["panels"][1].__setitem__(key, value)


def query(expr: str, number: int = 1) -> Breaks:
    return lambda dashboard: dashboard["panels"][number]["targets"][0].__setitem__("expr", expr)


def choice(number: int, key: str, value: object) -> Breaks:
    return lambda dashboard: dashboard["templating"]["list"][number].__setitem__(key, value)


BREAKS: Mapping[str, Breaks] = {
    "template-datasource-rule": choice(0, "label", "Source"),
    "template-job-rule": choice(1, "multi", False),
    "template-instance-rule": choice(2, "multi", False),
    "template-label-promql-rule": choice(1, "query", "up"),
    "template-on-time-change-reload-rule": choice(1, "refresh", 1),
    "panel-datasource-rule": panel("datasource", {"type": "prometheus", "uid": "abc"}),
    "panel-title-description-rule": panel("description", ""),
    "panel-units-rule": panel("fieldConfig", {"defaults": {"unit": "furlongs"}, "overrides": []}),
    "panel-no-targets-rule": panel("targets", []),
    "target-logql-rule": query('app="x"', 2),
    "target-logql-auto-rule": query('count_over_time({app="x"}[5m])', 2),
    "target-promql-rule": query(" "),
    "target-rate-interval-rule": query('rate(a_total{job=~"$job",instance=~"$instance"}[5m])'),
    "target-job-rule": query('up{instance=~"$instance"}'),
    "target-instance-rule": query('up{job=~"$job"}'),
    "target-counter-agg-rule": query('sum(a_total{job=~"$job",instance=~"$instance"})'),
    "uneditable-dashboard": lambda dashboard: dashboard.__setitem__("editable", True),
    "distinct-ids": panel("id", 3),
    "no-overlap": panel("gridPos", {"x": 6, "y": 1, "w": 12, "h": 8}),
    "no-overflow": panel("gridPos", {"x": 20, "y": 20, "w": 12, "h": 8}),
    "short-uid": lambda dashboard: dashboard.__setitem__("uid", "x" * 41),
    "declared-variables": query('up{job=~"$job",instance=~"$instance",a="$unknown"}'),
    "links-lead-somewhere": panel("links", [{"url": "/d/nowhere"}]),
}


def test_the_dashboards_keep_every_rule(texts: Mapping[str, str]) -> None:
    assert problems_of(texts) == ()


def test_all_seventeen_rules_of_dashboard_linter_are_there() -> None:
    assert sum(not rule.ours for rule in RULES) == 17


def test_a_dashboard_that_keeps_all_rules_has_no_problem() -> None:
    assert [message for rule in RULES for message in rule.check(GOOD)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_broken_rule_is_found(rule: Any) -> None:
    dashboard = copy.deepcopy(GOOD)
    BREAKS[rule.name](dashboard)

    assert list(rule.check(dashboard)) != []


def test_an_exclusion_is_of_a_rule_and_says_why() -> None:
    names = {rule.name for rule in RULES}

    assert all(each.rule in names and each.reason for each in EXCLUSIONS)


def test_every_exclusion_is_needed(texts: Mapping[str, str]) -> None:
    dashboards = [json.loads(text) for text in texts.values()]
    rules = {rule.name: rule for rule in RULES}

    for each in EXCLUSIONS:
        meant = (dashboard for dashboard in dashboards if each.dashboard in ("", dashboard["uid"]))
        assert any(list(rules[each.rule].check(dashboard)) for dashboard in meant), each.rule


@pytest.fixture(scope="session")
def linter() -> str | None:
    """The Go tool, or None where there is no Go to build it with."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oidcwatch" / "bin"
    found = shutil.which("dashboard-linter") or shutil.which("dashboard-linter", path=str(cache))
    assert found or not shutil.which("go"), "dashboard-linter is missing: deploy/install.sh linters"
    return found


@pytest.mark.process
def test_the_go_tool_agrees_where_there_is_go(linter: str | None, texts: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / ".lint").write_text(lint_file(texts))
    for name, text in texts.items():
        (tmp_path / name).write_text(text)

    for name in texts if linter else ():
        command = [str(linter), "lint", "--strict", str(tmp_path / name)]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stdout + ran.stderr
