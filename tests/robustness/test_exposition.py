"""What a live agent exposes, judged by Prometheus's own tools."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

pytestmark = pytest.mark.process

KINDS = ("discovery", "jwks", "client_credentials", "login", "refresh")
OPENMETRICS = "application/openmetrics-text"


def _counters(text: str) -> dict[str, float]:
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if re.match(r"oidc_\w+_total{", line)
    }


def test_what_all_five_kinds_expose_is_sound_and_a_first_failure_is_seen_by_increase(
    bench: Any, need: Callable[[str, str], str], tmp_path: Path
) -> None:
    promtool = need("promtool", "prometheus")
    with bench.agent(bench.document(*KINDS)) as agent:
        for kind in KINDS:
            agent.until(lambda kind=kind: agent.runs("success", probe=kind))
        before = _counters(agent.get("/metrics")[1])
        bench.sandbox.control.fault("code-rejected")
        bench.sandbox.control.fault("jwks-not-json")
        agent.again()
        agent.until(lambda: agent.runs("failure", probe="jwks") and agent.runs("failure", probe="login"))
        text = agent.get("/metrics")[1]
        exposed = agent.get("/metrics", accept=OPENMETRICS)[1]
        agent.write(bench.document("discovery"))
        assert agent.get("/-/reload", method="POST")[0] == 200
        left = agent.get("/metrics")[1]

    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    _exemplars_carry_run_ids(exposed)
    _increase_sees(promtool, tmp_path, before, _counters(text))
    assert not re.search('probe="(?!discovery)', left)
    assert 'probe="discovery"' in left


def _exemplars_carry_run_ids(exposed: str) -> None:
    families = list(text_string_to_metric_families(exposed))  # type: ignore[no-untyped-call]  # it has no types
    exemplars = [sample.exemplar for family in families for sample in family.samples if sample.exemplar]

    assert len(families) > 20
    assert exemplars
    assert all(re.fullmatch("[0-9a-f]{32}", exemplar.labels["trace_id"]) for exemplar in exemplars)


def _increase_sees(promtool: str, folder: Path, before: dict[str, float], after: dict[str, float]) -> None:
    """Two scrapes a minute apart: `increase()` must see every counter that has moved, first failures among them."""
    moved = {name for name in after if after[name] > before.get(name, 0)}
    first = {name for name in moved if before.get(name) == 0}
    series = [{"series": name, "values": f"{before.get(name, '_')} {after[name]}"} for name in sorted(moved)]
    tests = [
        {
            "expr": f"increase({name}[2m]) > bool 0",
            "eval_time": "1m",
            # An empty label is none to Prometheus.
            "exp_samples": [{"labels": re.sub(r"^\w+|,\w+=\"\"", "", name), "value": 1}],
        }
        for name in sorted(moved)
    ]
    file = folder / "increase.test.yaml"
    group = {"interval": "1m", "input_series": series, "promql_expr_test": tests}
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [group]}))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert moved <= before.keys(), json.dumps(sorted(moved - before.keys()))
    assert any("oidc_probe_failures_total" in name and 'probe="login"' in name for name in first)
    assert any("oidc_token_responses_total" in name and 'outcome="invalid_grant"' in name for name in first)
