"""The whole way of an alert, live: from a fault in front of an agent to a message at a webhook. In the order of a day."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from alerts.links import panel_id
from alerts.model import LABELS
from alerts.rotation_table import ROTATION
from oidcwatch.sandbox_config import ISSUER

if TYPE_CHECKING:
    from tests.stack.conftest import Live

pytestmark = pytest.mark.process

TWO, ONE = ("us-east", "ap-south"), ("us-east",)
# Without latency: on a busy machine this provider may really be slow.
BUDGETS = 'issuer_target:oidc_sli_budget_left:ratio{drill="false", slo!="token-latency"}'
REAL_FAILURES = 'sum(oidc_probe_runs_total{drill="false", result="failure"})'
PAGED_WITHIN = timedelta(minutes=4)
UNSCALED = timedelta(seconds=3)
"""A probe's interval and a scrape: they are as long as they are, whatever the windows."""


@dataclass
class Outage:
    """Token endpoint errors in two of three regions, since then."""

    live: Live
    began: datetime


@pytest.fixture(scope="module")
def outage(stack: Live) -> Iterator[Outage]:
    """One that has been paged."""
    stack.begin()
    began = stack.break_token_endpoint(*TWO)
    stack.until(lambda: stack.told("page"))
    yield Outage(stack, began)
    stack.break_token_endpoint()


def drilled(live: Live, folder: Path, scenario: str) -> dict[str, Any]:
    """The record of a drill on the stack's provider, of which its agents are told, watched by its Prometheus."""
    stack, control = live.stack, live.stack.sandbox.control
    document = yaml.safe_load(stack.config.read_text(encoding="utf-8"))
    document["issuers"][0]["drill"] = {
        "client": "machine",
        "provider": {"type": "sandbox", "control": control.url, "fault_control": control.fault_url},
        "agents": [agent.url for agent in stack.agents.values()],
    }
    config = folder / "drill.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    command = [sys.executable, "-m", "oidcwatch", "drill", "run", scenario, "--issuer", ISSUER, "-c", str(config)]
    command += [
        "--yes",
        "--json",
        "--verifier",
        "pyjwt",
        "--ttl",
        "6s",
        "--cooldown",
        "2s",
        "--out",
        str(folder / "drills"),
    ]
    ended = subprocess.run(
        command, env={**os.environ, **stack.sandbox.environ}, capture_output=True, text=True, timeout=120, check=False
    )
    record: dict[str, Any] = json.loads(ended.stdout or "{}")
    assert "verifiers" in record, (ended.returncode, ended.stdout, ended.stderr)
    return record


def in_time(live: Live) -> timedelta:
    """Four minutes in the time of the rules."""
    return live.stack.deployment.paced(PAGED_WITHIN) + UNSCALED


def test_a_healthy_provider_raises_nothing_but_the_sign_of_life(live: Live) -> None:
    live.until(live.stack.notifications)

    sent = {(each.route, alert.name) for each in live.stack.notifications() for alert in each.alerts}
    assert sent == {("deadman", "Watchdog")}
    assert live.firing() == {("Watchdog", "false")}
    assert set(live.values(BUDGETS)) == {1.0}


def test_a_drill_finds_every_alert_that_it_expects(live: Live, tmp_path: Path) -> None:
    record = drilled(live, tmp_path, "jwks-outage-5xx")

    assert record["verdict"] == "pass", record["because"]
    assert {"OidcDrillRunning", "OidcJwksUnavailable"} <= set(record["alerts"]["fired"])
    assert record["alerts"]["missing"] == []
    assert record["page_seconds"] is not None
    assert set(live.values(BUDGETS)) == {1.0}


def test_a_drill_alarms_its_own_receiver_and_spends_no_budget(live: Live) -> None:
    live.stack.drill("on")
    live.until(lambda: live.values('count(oidc_probe_success{drill="true"})') == [9.0])

    began = live.break_token_endpoint(*TWO)
    live.until(lambda: [alert for alert in live.told("drill") if alert.labels["severity"] == "page"])
    first = next(n for n in live.notifications("drill") if any(a.labels["severity"] == "page" for a in n.alerts))
    # Until the budgets have been calculated anew, if there were anything to take from them.
    evaluated = live.values('timestamp(issuer_target:oidc_sli_budget_left:ratio{slo="token-errors"})')
    live.until(
        lambda: live.values('timestamp(issuer_target:oidc_sli_budget_left:ratio{slo="token-errors"})') > evaluated
    )

    assert first.received_at - began <= in_time(live)
    assert {alert.labels["drill"] for alert in live.told("drill")} == {"true"}
    assert {each.route for each in live.stack.notifications()} <= {"deadman", "drill"}
    assert set(live.values(BUDGETS)) == {1.0}
    assert live.values(REAL_FAILURES) == [0.0]


def test_the_series_of_a_drill_end_with_it_and_the_probes_go_on(live: Live) -> None:
    good = 'sum(oidc_probe_runs_total{drill="false", result="success"})'
    before = live.values(good)

    live.stack.drill("off")

    live.until(lambda: not live.values('oidc_probe_runs_total{drill="true"}'))
    live.until(lambda: live.values(good) > before)
    assert live.values(REAL_FAILURES) == [0.0]


def test_a_fault_in_one_region_is_a_ticket_and_no_page(live: Live) -> None:
    live.break_token_endpoint(*ONE)

    tickets = live.until(lambda: [alert for alert in live.told("ticket") if alert.labels["role"] == "region"])

    assert {alert.labels["region"] for alert in tickets} == set(ONE)
    assert live.notifications("page") == []


def test_token_errors_in_two_regions_page_within_four_minutes(outage: Outage) -> None:
    first, *_ = outage.live.notifications("page")

    assert first.received_at - outage.began <= in_time(outage.live)


def test_a_page_says_where_to_look_and_its_links_lead_there(outage: Outage) -> None:
    page = outage.live.told("page")[0]

    runbook = httpx.get(page.annotations["runbook_url"], trust_env=False, timeout=60)
    assert runbook.status_code == 200
    assert page.name in runbook.text
    assert f"viewPanel={panel_id(page.name)}" in page.annotations["dashboard_url"]
    assert "var-issuer=sandbox" in page.annotations["dashboard_url"]
    assert set(LABELS) <= page.labels.keys()
    assert page.labels["owner"] == "identity-platform"
    assert page.annotations["summary"].startswith("sandbox")


def test_recovery_resolves_what_was_paged(outage: Outage) -> None:
    live = outage.live
    paged = live.until(lambda: {alert.name for alert in live.told("page") if alert.labels["tier"] == "fast"})

    live.break_token_endpoint()

    live.until(lambda: paged <= {alert.name for alert in live.told("page", "resolved")})


def test_a_key_that_leaves_before_its_tokens_pages_with_the_rule_that_is_broken(live: Live) -> None:
    control = live.stack.sandbox.control
    old = control.keys()["RS256"]["active"]
    signed = 'sum(oidc_token_validations_total{probe="client_credentials", drill="false", result="success"})'
    before = live.values(signed)[0]
    live.until(lambda: live.values(signed)[0] > before)  # every agent knows a token of the old key

    control.rotate("overlap", alg="RS256")
    control.rotate("remove", kid=old)

    pages = live.until(lambda: [alert for alert in live.told("page") if "ROT-05" in alert.annotations["summary"]])
    assert f"ROT-05: {ROTATION['ROT-05'].wrong}" in pages[0].annotations["summary"]
    assert pages[0].labels["area"] == "keys"
    assert set(live.values('oidc_rotation_finding_level{finding="ROT-05", drill="false"}')) == {3.0}


def test_a_killed_agent_is_told_as_a_stall_and_as_missing_coverage(live: Live) -> None:
    live.stack.stop_agent("ap-south")

    live.until(lambda: [alert for alert in live.told("ticket") if alert.labels["role"] == "watcher"])
    live.until(lambda: {("OidcRegionStalled", "false"), ("OidcRegionCoverageLow", "false")} <= live.firing())

    said = {alert.name: alert.annotations["summary"] for alert in live.stack.alerts()}
    assert "ap-south" in said["OidcRegionStalled"]
