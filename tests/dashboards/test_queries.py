"""Every query of every panel parses, and finds data where something happens."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from alerts.deployment import Deployment
from alerts.rules_file import rules_yaml
from dashboards.catalogue import dashboards_of
from dashboards.queries import PanelQuery, queries_of
from exporters import metrics as m
from exporters.metrics import Metric, MetricType
from probes.model import Check
from probes.registry import PROBES

MINUTES = 20
RISES = f"0+1x{MINUTES}"
TIMES = f"0+60x{MINUTES}"

INTENDED_EMPTY = {
    "OidcProbeAbsent": "is about the absence of all data",
}
"""Alerts whose panels show nothing while something is measured, and why."""

VALUES = {
    "oidc-executive/110/A": 0.5,  # login success: as many runs fail as succeed
    "oidc-executive/111/A": 0.5,
    "oidc-executive/113/A": 1,  # availability: the last runs succeeded
    "oidc-executive/114/A": 1,  # coverage
    "oidc-executive/115/A": 0,  # the first budget is spent
    "oidc-executive/142/A": 0.5,  # by region, in runs
    "oidc-oncall/110/A": 0.5,  # each step succeeds once for two runs that count
    "oidc-oncall/141/A": 0,  # the key sets have just been fetched
    "oidc-debug/331/A": 0.5,  # refreshes that succeed
    "oidc-drill/402/A": 1,  # issuers under drill
    "oidc-drill/403/A": 60 * MINUTES,  # since the drill began
}
"""What panels show at the end of the scenario."""

TELEMETRY = (
    'keycloak_user_events_total{event="login",error=""}',
    'oauth2_proxy_requests_total{code="202"}',
    *(f"oidc_provider_{part}_count" for part in ("token", "jwks", "userinfo", "refresh")),
    *(f"envoy_http_jwt_authn_{part}" for part in ("allowed", "denied", "jwks_fetch_success", "jwks_fetch_failed")),
    'istio_requests_total{response_code="401",destination_service_name="orders"}',
    'authentication_attempts{result="error"}',
    'apiserver_authentication_jwt_authenticator_jwks_fetch_last_timestamp_seconds{result="success",jwt_issuer_hash="1"}',
    'alertmanager_notifications_total{integration="webhook"}',
    'alertmanager_notifications_failed_total{integration="webhook"}',
)
"""What others export (domain.md section 5.1)."""


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool")
    assert found, "promtool is missing: deploy/install.sh stack"
    return found


@pytest.mark.process
@pytest.mark.parametrize(
    "probes", [set(PROBES), {"jwks"}, {"client_credentials"}, set()], ids=["all", "jwks", "cc", "none"]
)
def test_every_query_parses_whatever_is_probed(
    promtool: str, deployment: Deployment, probes: set[str], tmp_path: Path
) -> None:
    checks = tuple(check for check in deployment.checks if check.probe in probes)
    texts = dashboards_of(replace(deployment, checks=checks))
    rules = [{"record": f"panel:query{number}", "expr": query.expr} for number, query in enumerate(queries_of(texts))]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    checked = subprocess.run(
        [promtool, "check", "rules", file], check=False, capture_output=True, text=True, timeout=60
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


@dataclass(frozen=True)
class Ran:
    """What promtool said about the queries."""

    queries: tuple[PanelQuery, ...]
    said: str

    def failed(self, expressions: Mapping[str, PanelQuery]) -> list[PanelQuery]:
        """Queries whose expectation was not met; promtool names the expression as Go quotes it."""
        failed = set(re.findall(r'expr: "(.*)", time: ', self.said))
        quoted = {json.dumps(expr, ensure_ascii=False)[1:-1]: query for expr, query in expressions.items()}
        return [query for expr, query in quoted.items() if expr in failed]


@pytest.fixture(scope="module")
def ran(promtool: str, two_issuers: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder, queries = tmp_path_factory.mktemp("queries"), queries_of(dashboards_of(two_issuers))
    (folder / "rules.yml").write_text(rules_yaml(two_issuers))
    (folder / "tests.yml").write_text(yaml.safe_dump(_scenario(two_issuers, queries)))
    command = [promtool, "test", "rules", "tests.yml"]
    said = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=300)
    return Ran(queries, said.stdout + said.stderr)


@pytest.mark.process
def test_prometheus_refuses_no_query(ran: Ran) -> None:
    assert re.findall(r"err: .*", ran.said) == []
    assert "Unit Testing:" in ran.said


@pytest.mark.process
def test_every_query_finds_data_when_things_fail_and_a_drill_runs(ran: Ran) -> None:
    empty = ran.failed({_counted(query): query for query in ran.queries})

    assert {query.title.split(":")[0] for query in empty} == set(INTENDED_EMPTY), [query.name for query in empty]


@pytest.mark.process
def test_panels_show_what_was_measured(ran: Ran) -> None:
    wrong = ran.failed({_rounded(query): query for query in ran.queries})

    assert [query.name for query in wrong] == []
    assert set(VALUES) <= {query.name for query in ran.queries}


def _counted(query: PanelQuery) -> str:
    return f"count({query.expr}) > bool 0"


def _rounded(query: PanelQuery) -> str:
    return f"round(avg({query.expr}), 0.01)"


def _scenario(deployment: Deployment, queries: tuple[PanelQuery, ...]) -> dict[str, object]:
    expected = {_counted(query): 1.0 for query in queries}
    expected |= {_rounded(query): VALUES[query.name] for query in queries if query.name in VALUES}
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in _series(deployment)],
                "promql_expr_test": [
                    {"expr": expr, "eval_time": f"{MINUTES}m", "exp_samples": [{"value": value}]}
                    for expr, value in expected.items()
                ],
            }
        ],
    }


def _series(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Half of all runs fail, for every reason at once; the second issuer is under drill."""
    for check in deployment.checks:
        drill = check.issuer.name != deployment.issuers[0].name
        for region in deployment.regions:
            labels = (check.issuer.name, check.target, check.probe, region.name, str(drill).lower())
            yield from _of_check(check, dict(zip(m.BASE_LABELS, labels, strict=True)))
    for metric in m.WATCHER_METRICS:
        own = {label.name: "1" for label in metric.labels}
        if metric is not m.REGION_INFO:
            yield from _values(metric, own)
    for region in deployment.regions:
        yield from _values(m.REGION_INFO, {m.REGION: region.name, m.GEOHASH.name: region.geohash})
    yield from ((name, TIMES if "timestamp" in name else RISES) for name in TELEMETRY)


def _of_check(check: Check, base: dict[str, str]) -> Iterator[tuple[str, str]]:
    kind = PROBES[check.probe]
    for metric in m.metrics_of(kind):
        for own in itertools.product(*(map(str, label.values(kind)) for label in metric.labels)):
            yield from _values(metric, {**base, **dict(zip((label.name for label in metric.labels), own, strict=True))})


def _values(metric: Metric, labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    labels = {**labels, "instance": "agent:9464"}
    if metric.type is MetricType.HISTOGRAM:
        for bound, values in (("0.5", f"0+0.5x{MINUTES}"), ("1.0", RISES), ("+Inf", RISES)):
            yield _named(f"{metric.name}_bucket", {**labels, m.LE: bound}), values
        yield _named(f"{metric.name}_count", labels), RISES
        yield _named(f"{metric.name}_sum", labels), RISES
    elif metric.type is MetricType.COUNTER:
        yield _named(metric.name, labels), RISES
    else:
        yield _named(metric.name, labels), TIMES if "timestamp" in metric.name else f"1x{MINUTES}"


def _named(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in labels.items() if value)
    return f"{name}{{{inside}}}"
