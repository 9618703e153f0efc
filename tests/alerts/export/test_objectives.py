"""Objectives in the words of OpenSLO and Sloth: the same numbers, and queries that Prometheus reads."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.catalogue import alerts_of
from alerts.deployment import DEFAULT_SLOS, Deployment, Slo
from alerts.openslo import openslo_yaml
from alerts.sloth import sloth_yaml

EXPECTED = {
    *((issuer, slo) for issuer in ("acme", "partner") for slo in ("idp-availability", "jwks-fetch", "jwks-freshness")),
    *(
        ("acme", slo)
        for slo in ("login-success", "token-validation", "token-latency", "token-errors", "refresh-success")
    ),
}


def _openslo(deployment: Deployment) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(openslo_yaml(deployment)))


def _slos(deployment: Deployment) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each["spec"] for each in _openslo(deployment) if each["kind"] == "SLO"}


def _sloth(deployment: Deployment) -> dict[tuple[str, str], dict[str, Any]]:
    documents = yaml.safe_load_all(sloth_yaml(deployment))
    return {(document["service"], slo["name"]): slo for document in documents for slo in document["slos"]}


def test_every_objective_of_every_issuer_is_in_both(deployment: Deployment) -> None:
    assert set(_slos(deployment)) == {f"{issuer}-{slo}" for issuer, slo in EXPECTED}
    assert set(_sloth(deployment)) == EXPECTED


def test_what_an_openslo_objective_refers_to_is_there(deployment: Deployment) -> None:
    documents = _openslo(deployment)

    named = {(document["kind"], document["metadata"]["name"]) for document in documents}
    assert {document["apiVersion"] for document in documents} == {"openslo/v1"}
    assert {("Service", "acme"), ("Service", "partner"), ("DataSource", "prometheus")} <= named
    assert {spec["service"] for spec in _slos(deployment).values()} == {"acme", "partner"}


def test_events_are_counted_and_slices_are_judged(deployment: Deployment) -> None:
    slos = _slos(deployment)

    login, available = slos["acme-login-success"], slos["acme-idp-availability"]
    assert login["budgetingMethod"] == "Occurrences"
    assert login["objectives"] == [{"displayName": "Logins that succeed", "targetPercent": 99.95}]
    assert set(login["indicator"]["spec"]["ratioMetric"]) == {"counter", "bad", "total"}
    assert available["budgetingMethod"] == "Timeslices"
    assert available["objectives"][0]["timeSliceTarget"] == 1.0
    assert available["objectives"][0]["timeSliceWindow"] == "1m"
    assert available["timeWindow"] == [{"duration": "30d", "isRolling": True}]
    assert set(slos["acme-token-latency"]["indicator"]["spec"]["ratioMetric"]) == {"counter", "good", "total"}


@pytest.mark.parametrize("objective", ["99.9", "99.95", "99.999", "95", "33.333333333"])
def test_an_objective_keeps_its_digits(deployment: Deployment, objective: str) -> None:
    slo = replace(DEFAULT_SLOS[0], objective=Decimal(objective))
    exact = replace(deployment, slos=(slo,))

    assert f"targetPercent: {float(objective)}\n" in openslo_yaml(exact)
    assert f"objective: {float(objective)}\n" in sloth_yaml(exact)


def test_sloth_is_not_given_windows_that_it_has_no_alerts_for(deployment: Deployment) -> None:
    week = replace(DEFAULT_SLOS[0], window=timedelta(days=7))

    assert sloth_yaml(replace(deployment, slos=(week,))) == ""


def test_sloths_alerts_lead_to_pages_that_there_are(deployment: Deployment) -> None:
    pages = {f"https://runbooks.example/{alert.name}.html" for alert in alerts_of(deployment)}

    led = {
        slo["alerting"][alert]["annotations"]["runbook_url"]
        for slo in _sloth(deployment).values()
        for alert in ("page_alert", "ticket_alert")
        if not slo["alerting"][alert].get("disable")
    }

    assert led
    assert led <= pages


def test_a_tier_that_cannot_fire_is_switched_off_in_sloth(deployment: Deployment) -> None:
    low = Slo("token-latency", DEFAULT_SLOS[3].sli, Decimal(80), timedelta(days=30))

    ((_, slo),) = _sloth(replace(deployment, slos=(low,))).items()

    assert slo["alerting"]["page_alert"] == {"disable": True}
    assert "disable" not in slo["alerting"]["ticket_alert"]


@pytest.mark.process
def test_every_query_is_promql(deployment: Deployment, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.fail("promtool is not installed; on Debian: apt-get install prometheus")
    queries = sorted({*_queries(_openslo(deployment)), *_queries(list(_sloth(deployment).values()))})
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    done = subprocess.run(
        [promtool, "check", "rules", str(file)], check=False, capture_output=True, text=True, timeout=60
    )

    assert len(queries) >= 2 * len(EXPECTED)
    assert done.returncode == 0, done.stdout + done.stderr


def _queries(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _queries(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name == "query" or name.endswith("_query"):
                yield each.replace("{{.window}}", "5m")
            else:
                yield from _queries(each)
