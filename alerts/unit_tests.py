"""Unit tests for promtool, made for a deployment's own rules: what must fire, what must not, and what must end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alerts.catalogue import groups_of
from alerts.deployment import Deployment
from alerts.promql import duration
from alerts.rules_file import dump
from alerts.scenarios import tick
from alerts.unit_tests_cases import Case, Material, material_of
from alerts.unit_tests_causes import cause_stories
from alerts.unit_tests_objectives import objective_stories
from alerts.unit_tests_rotation import rotation_stories
from alerts.unit_tests_watching import watching_stories


def unit_tests_yaml(deployment: Deployment, rule_file_name: str) -> str:
    """The file that `promtool test rules` reads; `rule_file_name` is where the rules are, seen from this file.

    One issuer and client stand for all that an objective covers: the rules treat all alike, and a test of hundreds
    would take minutes. Alerts are looked up as series and not by `alert_rule_test`, which compares texts as well.
    """
    material = material_of(deployment)
    document = {
        "rule_files": [rule_file_name],
        "evaluation_interval": duration(tick(deployment)),
        # Otherwise promtool takes the groups in any order, and what one records may be a step late for another.
        "group_eval_order": [group.name for group in groups_of(deployment)],
        "tests": [_test(deployment, case) for case in _cases(material)],
    }
    return dump(document)


def _cases(material: Material) -> Iterator[Case]:
    yield from objective_stories(material)
    yield from cause_stories(material)
    yield from rotation_stories(material)
    yield from watching_stories(material)


def _test(deployment: Deployment, case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "interval": duration(tick(deployment)),
        "input_series": list(case.series),
        "promql_expr_test": [
            {
                "expr": expected.expr,
                "eval_time": duration(expected.minute * tick(deployment)),
                "exp_samples": [{"labels": labels, "value": 1} for labels in expected.samples],
            }
            for expected in case.expected
        ],
    }
