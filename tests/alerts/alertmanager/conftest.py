"""Deployments and alerts to route, Alertmanager's tools, and a live Alertmanager that knows them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest

from alerts.alertmanager import TEMPLATES, alertmanager_yaml, templates
from alerts.deployment import Alerting, Deployment, Maintenance
from alerts.model import Alert, Area, Condition, Level, Role, Team
from alerts.windows import TIERS, Severity
from probes.subjects import Client, Issuer, Region

INSTALL = "on Debian: apt-get install prometheus-alertmanager"
_STARTS_WITHIN = 20.0
_CONDITION = Condition("Bad", "bad", ">", Decimal(0))

Wait = Callable[[Callable[[], Any]], Any]
MakeAlert = Callable[..., Alert]


def _alert(name: str, severity: Severity, area: Area, role: Role, level: Level, **more: Any) -> Alert:
    return Alert(name, severity, area, role, level, ((_CONDITION,),), f"{name} on evidence", "Users wait.", **more)


@pytest.fixture(scope="session")
def hand_made() -> tuple[Alert, ...]:
    """Alerts of every area, severity, role, level and tier."""
    page, ticket, info = Severity
    burns = (
        _alert(
            f"Burn{tier.name}",
            tier.severity,
            Area.LOGIN,
            Role.SYMPTOM,
            Level.TARGET,
            slo="login-success",
            tier=tier.name,
        )
        for tier in TIERS
    )
    areas = (_alert(f"Area{area.value}", page, area, Role.CAUSE, Level.TARGET) for area in Area)
    return (
        *burns,
        *areas,
        _alert("OidcProviderDown", page, Area.PROVIDER, Role.CAUSE, Level.ISSUER),
        _alert("ProviderSlow", ticket, Area.PROVIDER, Role.CAUSE, Level.ISSUER),
        _alert("ClientAuth", page, Area.CLIENT, Role.CAUSE, Level.TARGET, owner=Team.CLIENT),
        _alert("ClientTicket", ticket, Area.CLIENT, Role.CAUSE, Level.TARGET, owner=Team.CLIENT),
        _alert("GatewayDown", page, Area.RESOURCE, Role.CAUSE, Level.TARGET, owner="gateway"),
        _alert("OneRegion", ticket, Area.LOGIN, Role.REGION, Level.REGION, slo="login-success", tier="fast"),
        _alert("Budget50", info, Area.LOGIN, Role.BUDGET, Level.TARGET, slo="login-success", tier="budget-50"),
        _alert("BudgetSpent", ticket, Area.LOGIN, Role.BUDGET, Level.TARGET, slo="login-success", tier="budget-0"),
        _alert("Coverage", ticket, Area.PROBE, Role.WATCHER, Level.TARGET, slo="login-success"),
        _alert("AgentAbsent", page, Area.PROBE, Role.WATCHER, Level.AGENT),
        _alert("CheckStalled", ticket, Area.PROBE, Role.WATCHER, Level.TARGET),
        _alert("ControlNotEnforced", page, Area.SECURITY, Role.CAUSE, Level.TARGET),
        _alert("ControlTicket", ticket, Area.SECURITY, Role.CAUSE, Level.TARGET),
        _alert("DrillRunning", info, Area.DRILL, Role.CAUSE, Level.ISSUER),
        _alert("Watchdog", info, Area.PROBE, Role.WATCHER, Level.AGENT),
    )


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    """Two issuers, somebody behind every route, two teams with receivers of their own, and maintenance on Sundays."""
    clients = (Client("portal", "portal"), Client("orders", "orders", owner="orders-team"))
    receivers = {
        "page": ({"pagerduty": {"routing_key_file": "/run/secrets/pagerduty"}},),
        "ticket": ({"webhook": {"url": "https://tickets.example/hook"}},),
        "security": (
            {
                "email": {
                    "to": "security@acme.example",
                    "from": "oidcwatch@acme.example",
                    "smarthost": "smtp.acme.example:587",
                    "auth_username": "oidcwatch",
                    "auth_password_file": "/run/secrets/smtp",
                }
            },
        ),
        "drill": ({"slack": {"api_url_file": "/run/secrets/slack", "channel": "#game-days"}},),
        "deadman": ({"webhook": {"url": "https://deadman.example/oidcwatch"}},),
        "default": ({"opsgenie": {"api_key_file": "/run/secrets/opsgenie"}},),
    }
    teams: dict[str, Any] = {
        "orders-team": {"page": ({"webhook": {"url": "https://orders.example/pages"}},)},
        "gateway": {
            "page": ({"webhook": {"url": "https://gateway.example/pages"}},),
            "ticket": ({"webhook": {"url": "https://gateway.example/tickets"}},),
        },
    }
    sundays = Maintenance("patching", ("partner",), days="sunday", start="02:00", end="04:00", location="Europe/Dublin")
    return Deployment(
        issuers=(
            Issuer("acme", "https://login.acme.example", owner="identity", clients=clients),
            Issuer("partner", "https://id.partner.example"),
        ),
        checks=(),
        regions=(Region("eu-west"), Region("us-east")),
        alerting=Alerting(
            alertmanager_url="https://alertmanager.acme.example",
            receivers=receivers,
            teams=teams,
            maintenance=(sundays,),
        ),
    )


@pytest.fixture(scope="session")
def amtool() -> str:
    """Alertmanager's command line tool."""
    return _tool("amtool")


def _tool(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.fail(f"{' or '.join(names)} is not installed; {INSTALL}")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Deployment, tuple[Alert, ...]], Path]:
    """Writes the configuration and its templates; gives the path of the first."""

    def write(deployment: Deployment, alerts: tuple[Alert, ...]) -> Path:
        config = tmp_path / "alertmanager.yml"
        config.write_text(alertmanager_yaml(deployment, alerts), encoding="utf-8")
        (tmp_path / TEMPLATES).write_text(templates(), encoding="utf-8")
        return config

    return write


@pytest.fixture(scope="session")
def wait_for() -> Wait:
    """Asks until the answer is true, and gives it."""

    def wait(ask: Callable[[], Any]) -> Any:
        end = time.monotonic() + _STARTS_WITHIN
        while not (answer := ask()):
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.05)
        return answer

    return wait


@dataclass(frozen=True, slots=True)
class Sink:
    """A receiver on loopback that keeps what it is sent, by path."""

    url: str
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def sent_to(self, path: str) -> list[dict[str, Any]]:
        return [body for where, body in self.posts if where == path]


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    posts: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Sink(f"http://127.0.0.1:{server.server_address[1]}", posts)
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True, slots=True)
class Live:
    """A running Alertmanager."""

    url: str

    def fire(self, *alerts: dict[str, str], annotations: dict[str, str] | None = None) -> None:
        """Posts alerts with these labels, which fire from now for an hour."""
        now = datetime.now(UTC)
        times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
        document = [{"labels": labels, "annotations": annotations or {}, **times} for labels in alerts]
        self._open("/api/v2/alerts", json.dumps(document).encode())

    def hidden(self) -> dict[tuple[str, str], bool]:
        """Whether each alert is inhibited, by name and issuer."""
        alerts = json.loads(self._open("/api/v2/alerts"))
        return {
            (each["labels"]["alertname"], each["labels"]["issuer"]): bool(each["status"]["inhibitedBy"])
            for each in alerts
        }

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            self._open("/-/ready")
        except OSError:
            return False
        return True

    def _open(self, path: str, body: bytes | None = None) -> bytes:
        request = Request(self.url + path, body, {"Content-Type": "application/json"})  # noqa: S310 - http on loopback
        with urlopen(request, timeout=5) as response:  # noqa: S310 - http on loopback
            content: bytes = response.read()
            return content


@pytest.fixture(scope="module")
def live(
    deployment: Deployment,
    hand_made: tuple[Alert, ...],
    sink: Sink,
    wait_for: Wait,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Live]:
    """An Alertmanager with the generated configuration, sixty times faster, whose receivers are the sink.

    The issuer `partner` is under maintenance all the time.
    """
    folder = tmp_path_factory.mktemp("alertmanager")
    slack = folder / "slack-url"
    slack.write_text(f"{sink.url}/slack")
    receivers: dict[str, Any] = {
        name: ({"webhook": {"url": f"{sink.url}/{name}"}},) for name in deployment.alerting.receivers
    }
    receivers["page"] = (*receivers["page"], {"slack": {"api_url_file": str(slack), "channel": "#oncall"}})
    teams = {"orders-team": {"page": ({"webhook": {"url": f"{sink.url}/orders"}},)}}
    always = (Maintenance("always", ("partner",)),)
    alerting = replace(deployment.alerting, receivers=receivers, teams=teams, maintenance=always)
    rehearsal = replace(deployment, alerting=alerting, speed=60)
    config = folder / "alertmanager.yml"
    config.write_text(alertmanager_yaml(rehearsal, hand_made), encoding="utf-8")
    (folder / TEMPLATES).write_text(templates(), encoding="utf-8")
    port = _free_port()
    command = [
        _tool("prometheus-alertmanager", "alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.external-url=https://alertmanager.acme.example",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            running = Live(f"http://127.0.0.1:{port}")
            wait_for(lambda: running.ready() or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield running
        finally:
            process.terminate()
            process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
