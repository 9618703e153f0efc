"""Prometheus's own tool judges what is exposed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from exporters import metrics as m
from exporters.metric_set import expose
from exporters.prometheus import PrometheusExporter
from exporters.watcher import AgentMetrics, BrowserMetrics
from probes.model import Measurement, Quantity, Reason

if TYPE_CHECKING:
    from tests.exporters.conftest import Make, SetClock

pytestmark = pytest.mark.process


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    assert path, "promtool is missing: apt-get install prometheus"
    return path


def test_promtool_has_no_complaint_about_the_exposition(
    promtool: str, exporter: PrometheusExporter, registry: CollectorRegistry, make: Make, clock: SetClock
) -> None:
    BrowserMetrics(registry)
    agent = AgentMetrics(registry, version="0.1.0", python="3.11.2")
    agent.config_loaded(clock())
    checks = [make.check(probe) for probe in ("discovery", "jwks", "client_credentials", "login", "refresh")]
    exporter.configure(checks)
    measured = [
        *(Measurement(Quantity.CLOCK_OFFSET, 0.1), Measurement(Quantity.JWKS_MAX_AGE, 300)),
        *(Measurement(Quantity.JWKS_CHANGED, 1.7e9), Measurement(Quantity.JWKS_AGREEMENT, 1)),
        Measurement(Quantity.JWKS_KEYS, 2, (("state", "active"),)),
        Measurement(Quantity.TLS_EXPIRY, 1.9e9, (("endpoint", "jwks"),)),
        Measurement(Quantity.TOKEN_LIFETIME, 300, (("token", "access_token"),)),
    ]
    for check in checks:
        exporter.publish(make.result(check, measurements=tuple(measured)))
        exporter.publish(make.result(check, reason=Reason.TIMEOUT))
    body, _ = expose(registry, "text/plain")

    done = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False, timeout=60)

    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
    exposed = {line.split()[2] for line in body.decode().splitlines() if line.startswith("# TYPE ")}
    assert exposed == {row.name for row in m.METRICS}


def test_increase_sees_the_first_failure(
    promtool: str, tmp_path: Path, exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check()])
    before = _counters(registry)
    exporter.publish(make.result(reason=Reason.SERVER_ERROR))
    after = _counters(registry)
    born_at_one = after.keys() - before.keys()
    moved = {name for name in before if after[name] > before[name]}

    # The two expositions as two scrapes a minute apart; `_` would be a series that did not exist.
    series = [{"series": name, "values": f"{before.get(name, '_')} {after[name]}"} for name in sorted(moved)]
    expected = [
        {"expr": f"increase({name}[2m]) > bool 0", "eval_time": "1m", "exp_samples": [{"labels": labels, "value": 1}]}
        for name in sorted(moved)
        for labels in [re.sub(r"^\w+", "", name)]
    ]
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": expected}]
    document = {"evaluation_interval": "1m", "tests": tests}
    file = tmp_path / "increase.test.yaml"
    file.write_text(json.dumps(document))  # JSON is YAML
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr
    assert born_at_one == set()
    assert len(moved) == 4  # runs, first tries, failures, failed steps


def _counters(registry: CollectorRegistry) -> dict[str, int]:
    """Counters of the exposition by series, as PromQL writes them."""
    lines = expose(registry, "text/plain")[0].decode().splitlines()
    return {
        line.rsplit(" ", 1)[0]: int(float(line.rsplit(" ", 1)[1]))
        for line in lines
        if re.match(r"\w+_total{.*region=\"eu\"", line)
    }
