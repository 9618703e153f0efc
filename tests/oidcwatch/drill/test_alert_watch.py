"""What a drill learns from a real Prometheus and Alertmanager: alerts, budgets, abort rules; and what it does without."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import pytest
import yaml

from drills.alert_watch import AlertLook, summarise
from drills.driver import Ready
from drills.guard import BLIND_SECONDS, PrometheusGuard
from drills.monitoring import Monitoring, monitoring
from drills.record import AlertSeen
from drills.target import AbortRule
from oidcwatch.stack_monitoring import find_binaries
from sandbox.peers.process import child_environ, choose_port, running, wait_for_answer

pytestmark = pytest.mark.process

T = TypeVar("T")

NOBODY = "http://127.0.0.1:9"
RULES = {
    "groups": [
        {
            "name": "drill",
            "rules": [
                {
                    "alert": "OidcJwksInvalid",
                    "expr": 'broken{kind="cause"} > 0',
                    "labels": {"severity": "page", "role": "cause", "area": "keys"},
                    "annotations": {"runbook_url": "https://runbooks.acme.example/OidcJwksInvalid"},
                },
                {"alert": "OidcProviderDown", "expr": 'broken{kind="consequence"} > 0', "labels": {"severity": "page"}},
            ],
        }
    ]
}
ROUTES = {
    "route": {"receiver": "somebody", "group_wait": "0s", "group_interval": "1s"},
    "receivers": [{"name": "somebody"}],
    "inhibit_rules": [
        {
            "source_matchers": ['alertname="OidcJwksInvalid"'],
            "target_matchers": ['alertname="OidcProviderDown"'],
            "equal": ["issuer"],
        }
    ],
}


@dataclass
class Metrics:
    """What a scrape finds, by series."""

    values: dict[str, float] = field(default_factory=dict)

    def text(self) -> bytes:
        return "".join(f"{series} {value}\n" for series, value in self.values.items()).encode()


@dataclass
class Watched:
    """Prometheus and Alertmanager, and what they look at."""

    metrics: Metrics
    prometheus: str
    alertmanager: str
    ask: Monitoring

    def until(self, what: Callable[[], T], seconds: float = 60.0) -> T:
        """Waits until it is something, and gives it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = what()
            if found:
                return found
            time.sleep(0.1)
        pytest.fail(f"did not happen within {seconds:g} s")

    def look(self, issuer: str) -> AlertLook:
        return AlertLook(self.ask, issuer, True, lambda text: None)

    def guard(self, issuer: str, *aborts: AbortRule) -> PrometheusGuard:
        return PrometheusGuard(self.ask, issuer, Decimal("0.25"), aborts, told=True)


@pytest.fixture(scope="module")
def metrics() -> Iterator[tuple[Metrics, str]]:
    found = Metrics()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(found.text())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found, f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, metrics: tuple[Metrics, str]) -> Iterator[Watched]:
    binaries = find_binaries(os.environ)
    folder = tmp_path_factory.mktemp("watched")
    places = {name: f"127.0.0.1:{choose_port(0)}" for name in ("prometheus", "alertmanager")}
    _write(folder, metrics[1], places["alertmanager"])
    commands = {
        "alertmanager": [
            binaries.alertmanager,
            f"--config.file={folder / 'alertmanager.yaml'}",
            f"--storage.path={folder / 'alertmanager'}",
            "--cluster.listen-address=",
        ],
        "prometheus": [
            binaries.prometheus,
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            "--rules.alert.resend-delay=1s",
        ],
    }
    environ = child_environ(os.environ, {})

    def command(name: str) -> list[str]:
        return [*commands[name], f"--web.listen-address={places[name]}"]

    logs = {name: folder / f"{name}.log" for name in commands}
    with (
        running(command("alertmanager"), environ=environ, cwd=folder, log=logs["alertmanager"]) as alertmanager,
        running(command("prometheus"), environ=environ, cwd=folder, log=logs["prometheus"]) as prometheus,
        monitoring(f"http://{places['prometheus']}", f"http://{places['alertmanager']}") as ask,
    ):
        for name, process in (("alertmanager", alertmanager), ("prometheus", prometheus)):
            wait_for_answer(f"http://{places[name]}/-/ready", process, log=logs[name], seconds=60.0)
        yield Watched(metrics[0], f"http://{places['prometheus']}", f"http://{places['alertmanager']}", ask)


def _write(folder: Path, target: str, alertmanager: str) -> None:
    document = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "fake", "static_configs": [{"targets": [target]}]}],
    }
    for name, content in (("prometheus", document), ("rules", RULES), ("alertmanager", ROUTES)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def test_what_fires_is_seen_with_who_was_told_and_its_runbook(watched: Watched) -> None:
    look = watched.look("told")
    watched.metrics.values['broken{kind="cause",issuer="told",drill="true"}'] = 1

    (seen,) = watched.until(lambda: [each for each in look.now() if each.notified])

    assert (seen.name, seen.severity) == ("OidcJwksInvalid", "page")
    assert (seen.role, seen.area) == ("cause", "keys")
    assert seen.runbook == "https://runbooks.acme.example/OidcJwksInvalid"
    assert seen.at.tzinfo is UTC


def test_an_alert_that_ended_and_fires_again_has_the_time_of_its_new_beginning(watched: Watched) -> None:
    look, series = watched.look("again"), 'broken{kind="cause",issuer="again",drill="true"}'
    watched.metrics.values[series] = 1
    (first,) = watched.until(look.now)
    watched.metrics.values[series] = 0
    watched.until(lambda: not look.now())
    watched.metrics.values[series] = 1

    (second,) = watched.until(look.now)

    assert second.at > first.at


def test_alerts_of_another_issuer_and_of_real_runs_are_not_the_drills(watched: Watched) -> None:
    look = watched.look("mine")
    watched.metrics.values['broken{kind="cause",issuer="other",drill="true"}'] = 1
    watched.metrics.values['broken{kind="cause",issuer="mine",drill="false"}'] = 1

    watched.until(lambda: watched.look("other").now() and watched.guard("mine").broken())

    assert look.now() == ()


def test_what_is_inhibited_fires_and_nobody_was_told(watched: Watched) -> None:
    look = watched.look("inhibited")
    for kind in ("cause", "consequence"):
        watched.metrics.values[f'broken{{kind="{kind}",issuer="inhibited",drill="true"}}'] = 1

    def both() -> tuple[AlertSeen, ...]:
        found = look.now()
        return found if len(found) == 2 and any(each.notified for each in found) else ()

    seen = watched.until(both)

    assert {each.name: each.notified for each in seen} == {"OidcJwksInvalid": True, "OidcProviderDown": False}


def test_a_spent_budget_forbids_the_drill_and_another_does_not(watched: Watched) -> None:
    for slo, left in (("login-success", 0.1), ("token-errors", 0.9)):
        watched.metrics.values[
            f'issuer_target:oidc_sli_budget_left:ratio{{issuer="spent",slo="{slo}",target="",drill="false"}}'
        ] = left

    def all_three() -> tuple[Ready, ...]:
        found = watched.guard("spent").budget()
        return found if len(found) == 3 else ()

    lines = watched.until(all_three)

    assert {line.name: line.ok for line in lines} == {
        "error budget login-success": False,
        "error budget token-errors": True,
        "alerts": True,
    }
    assert lines[0].text == "10% left, and a drill wants 25%: wait (drill.least_budget)"


def test_an_abort_rule_ends_the_drill_when_its_value_is_above_the_threshold(watched: Watched) -> None:
    rule = AbortRule('errors{issuer="users"}', 0.01, "1 % of real requests are refused")
    guard = watched.guard("users", rule)
    before = guard.broken()
    watched.metrics.values['errors{issuer="users"}'] = 0.05

    reason = watched.until(guard.broken)

    assert (before, reason) == ("", "1 % of real requests are refused: 0.05 is above 0.01")


def test_an_abort_rule_that_prometheus_refuses_forbids_the_drill(watched: Watched) -> None:
    rule = AbortRule("sum(", 0.0, "nonsense")

    line = next(line for line in watched.guard("anybody", rule).budget() if line.name.startswith("abort rule"))

    assert not line.ok
    assert line.text.startswith("cannot be evaluated: ")
    assert line.text.endswith("; correct drill.abort_when")


@pytest.mark.parametrize(
    ("query", "ok", "says"),
    [
        ('errors{issuer="nobody"}', False, "the query gives no series, which never ends a drill"),
        ("vector(0) / vector(0)", False, "the query gives NaN, which never ends a drill"),
        ('errors{issuer="nobody"} or vector(0)', True, "not above 0.5"),
        ("vector(0) / vector(0) >= 0 or vector(0)", True, "not above 0.5"),
    ],
)
def test_an_abort_rule_that_could_never_end_a_drill_forbids_it(
    watched: Watched, query: str, ok: bool, says: str
) -> None:
    line = next(
        line for line in watched.guard("anybody", AbortRule(query, 0.5, "it hurts")).budget() if "rule" in line.name
    )

    assert line.ok == ok
    assert line.text.startswith(says)


def test_a_page_for_real_runs_forbids_a_drill_and_ends_one(watched: Watched) -> None:
    watched.metrics.values['broken{kind="cause",issuer="hurt",drill="false"}'] = 1
    guard = watched.guard("hurt")

    reason = watched.until(guard.broken)

    assert reason == "OidcJwksInvalid pages for runs outside of the drill"
    assert [(line.ok, line.text) for line in guard.budget() if line.name == "alerts"] == [
        (False, "OidcJwksInvalid pages: end that trouble first")
    ]


def test_a_prometheus_that_does_not_answer_is_noted_once() -> None:
    notes: list[str] = []
    with monitoring(NOBODY) as ask:
        look = AlertLook(ask, "acme", True, notes.append)

        assert (look.now(), look.now()) == ((), ())

    assert len(notes) == 1
    assert notes[0].startswith("Prometheus does not answer: ")


def test_a_drill_does_not_start_where_its_budget_cannot_be_seen() -> None:
    with monitoring(NOBODY) as ask:
        (line,) = PrometheusGuard(ask, "acme", Decimal("0.25"), (), told=True).budget()

    assert not line.ok
    assert line.text.startswith("Prometheus does not answer (")


def test_a_drill_ends_when_nobody_could_have_seen_users_suffer_for_long() -> None:
    now = [0.0]
    with monitoring(NOBODY) as ask:
        guard = PrometheusGuard(ask, "acme", Decimal("0.25"), (), told=True, monotonic=lambda: now[0])
        early = guard.broken()
        now[0] = BLIND_SECONDS

        late = guard.broken()

    assert early == ""
    assert late.startswith("abort rules cannot be evaluated for 30 s: ")


def test_alerts_are_summed_up_against_what_was_expected() -> None:
    def seen(name: str, notified: bool) -> AlertSeen:
        return AlertSeen(name, datetime(2026, 3, 1, tzinfo=UTC), "page", notified, "")

    summary = summarise(
        {"OidcJwksInvalid", "OidcRotationUnsafe"},
        [seen("OidcJwksInvalid", True), seen("OidcDrillRunning", True), seen("A", True), seen("B", False)],
        agents=True,
        alertmanager=True,
    )

    assert summary.fired == ("A", "B", "OidcDrillRunning", "OidcJwksInvalid")
    assert summary.missing == ("OidcRotationUnsafe",)
    assert summary.unexpected == ("A",)


def in_an_outage(name: str, severity: str, role: str, area: str = "keys") -> AlertSeen:
    return AlertSeen(name, datetime(2026, 3, 1, tzinfo=UTC), severity, True, "", role=role, area=area)


OUTAGE = (
    in_an_outage("OidcJwksUnavailable", "page", "cause"),
    in_an_outage("OidcJwksFetchBurnFast", "page", "symptom"),
    in_an_outage("OidcIdpAvailabilityBurnEscalation", "page", "symptom", "provider"),
    in_an_outage("OidcIdpAvailabilityRegion", "ticket", "region", "provider"),
    in_an_outage("OidcJwksFetchBudget10", "ticket", "budget"),
    in_an_outage("OidcJwksStale", "ticket", "cause"),
)


def test_what_users_feel_of_an_expected_cause_is_a_consequence_of_it() -> None:
    summary = summarise({"OidcJwksUnavailable"}, OUTAGE, agents=False, alertmanager=True)

    assert summary.unexpected == ()
    assert summary.consequences == tuple(sorted(each.name for each in OUTAGE[1:]))


def test_another_cause_that_pages_is_no_consequence() -> None:
    other = in_an_outage("OidcJwksInvalid", "page", "cause")
    secret = in_an_outage("OidcAuditMissing", "ticket", "cause", "security")

    summary = summarise({"OidcJwksUnavailable"}, (*OUTAGE, other, secret), agents=False, alertmanager=True)

    assert summary.unexpected == ("OidcAuditMissing", "OidcJwksInvalid")


def test_where_no_alert_is_expected_what_users_feel_is_not_either() -> None:
    summary = summarise((), OUTAGE[1:2], agents=True, alertmanager=False)

    assert summary.unexpected == ("OidcJwksFetchBurnFast",)
    assert summary.consequences == ()


def test_an_expected_alert_that_fired_before_the_first_move_is_neither_missing_nor_evidence() -> None:
    summary = summarise(
        {"OidcJwksUnavailable", "OidcJwksStale"}, OUTAGE[:1], before=("OidcJwksStale",), agents=False, alertmanager=True
    )

    assert summary.not_judged == ("OidcJwksStale",)
    assert summary.missing == ()
    assert summary.fired == ("OidcJwksUnavailable",)
