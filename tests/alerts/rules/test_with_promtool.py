"""Prometheus's own tool takes the rules of every kind of deployment, and the tests that are emitted with them pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from alerts.deployment import Deployment
from alerts.rules_file import rules_yaml
from alerts.unit_tests import unit_tests_yaml

if TYPE_CHECKING:
    from tests.alerts.rules.conftest import Promtool

pytestmark = pytest.mark.process


def test_promtool_has_no_complaint_about_the_rules(promtool: Promtool, written: Path) -> None:
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", written / "oidcwatch.rules.yml")

    assert "SUCCESS" in said


def test_the_emitted_unit_tests_pass(promtool: Promtool, written: Path) -> None:
    said = promtool("test", "rules", written / "oidcwatch.tests.yml")

    assert "SUCCESS" in said


def test_every_objective_is_named_in_each_of_its_stories(deployment: Deployment) -> None:
    document = yaml.safe_load(unit_tests_yaml(deployment, "rules.yml"))

    for story in ("a total outage", "one failed run", "a stalled prober", "first runs", "a drill"):
        (test,) = (test for test in document["tests"] if test["name"].startswith(story))
        asked = " ".join(each["expr"] for each in test["promql_expr_test"])
        assert [slo.name for slo in deployment.fed() if f'slo="{slo.name}"' not in asked] == []


def test_what_is_emitted_is_the_same_each_time(deployment: Deployment) -> None:
    first = rules_yaml(deployment), unit_tests_yaml(deployment, "rules.yml")

    again = rules_yaml(deployment), unit_tests_yaml(deployment, "rules.yml")

    assert first == again


def test_a_broken_rule_fails_its_emitted_test(
    promtool: Promtool, make: Callable[..., Deployment], tmp_path: Path
) -> None:
    deployment = make("discovery", slos=())
    rules = re.sub(r'reason=~"dns_failure[^"]*"', 'reason="never"', rules_yaml(deployment))
    (tmp_path / "rules.yml").write_text(rules, encoding="utf-8")
    (tmp_path / "tests.yml").write_text(unit_tests_yaml(deployment, "rules.yml"), encoding="utf-8")

    with pytest.raises(AssertionError, match="OidcProviderDown"):
        promtool("test", "rules", tmp_path / "tests.yml")
