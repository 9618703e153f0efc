"""Deployments to write pages for, a provider to run their checks on, and configurations that name both."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.deployment import Alerting, Deployment
from alerts.model import Alert, Area, Condition, Level, Role
from alerts.windows import Severity
from oidcwatch.config import load_both
from oidcwatch.runbooks import call_of, run_page
from probes.model import Check, Reason
from probes.redact import Redactor
from probes.subjects import Client, Issuer, Region
from runbooks.facts import Subject
from runbooks.running import Outcome
from runbooks.summary import Summary
from sandbox.launch import Sandbox, start_sandbox

_REGIONS = (Region("eu-west", "gcpv", "IE"), Region("us-east"), Region("ap-south", proxy="http://ap:3128"))
_ALERTING = Alerting(
    runbooks_url="https://runbooks.acme.example",
    grafana_url="https://grafana.acme.example",
    prometheus_url="https://prometheus.acme.example",
    alertmanager_url="https://alertmanager.acme.example",
    owners={"network": "netops", "security": "security-on-call"},
)


def _checks(issuer: Issuer) -> Iterator[Check]:
    regions = tuple(region.name for region in _REGIONS)
    for probe in ("discovery", "jwks"):
        yield Check(issuer, probe, interval=30, regions=regions)
    for client in issuer.clients:
        yield Check(issuer, "login", client, regions=regions)


@pytest.fixture(scope="session")
def deploy() -> Callable[..., Deployment]:
    """A deployment of so many issuers with so many clients each."""

    def make(issuers: int = 1, clients: int = 2, owner: str = "identity-platform", **more: Any) -> Deployment:
        def issuer(number: int) -> Issuer:
            own = tuple(Client(f"client-{each}", f"id-{each}") for each in range(clients))
            return Issuer(f"acme-{number}", f"https://login-{number}.acme.example/realms/main", owner, clients=own)

        made = tuple(issuer(number) for number in range(issuers))
        checks = tuple(check for each in made for check in _checks(each))
        return Deployment(made, checks, _REGIONS, **{"alerting": _ALERTING, **more})

    return make


@pytest.fixture(scope="session")
def burn(deploy: Callable[..., Deployment]) -> Subject:
    """An alert about an objective."""
    clause = (
        Condition("Share of bad events in 1h", 'errors:ratio1h{slo="login-success"}', ">", Decimal("0.0072")),
        Condition("Bad events in 1h", 'errors:bad1h{slo="login-success"}', ">=", Decimal("5.5")),
    )
    alert = Alert(
        "OidcLoginSuccessBurnFast", Severity.PAGE, Area.LOGIN, Role.SYMPTOM, Level.TARGET, (clause,),
        "{{ $labels.target }} at {{ $labels.issuer }}: {{ with query }}{{ . }}{{ else }}?{{ end }} of 180 runs are bad",
        "Users cannot sign in.", slo="login-success", tier="fast", keep_firing=timedelta(minutes=5),
        about="Of about 180 runs in 1h at least 6 must be bad.", runs_on=("login",),
    )  # fmt: skip
    return Subject(alert, "oidc-login-success", deploy())


@pytest.fixture(scope="session")
def cause(deploy: Callable[..., Deployment]) -> Subject:
    """An alert that names its reasons, of a deployment without any address."""
    clause = (Condition("Regions that saw it", "regions", ">", Decimal("0.5")),)
    alert = Alert(
        "OidcSignatureVerification", Severity.PAGE, Area.KEYS, Role.CAUSE, Level.ISSUER, (clause,),
        "{{ $labels.issuer }}: signatures do not verify", "Services refuse new tokens.",
        reasons=(Reason.KID_UNKNOWN, Reason.SIGNATURE_INVALID), lasting=timedelta(minutes=2),
    )  # fmt: skip
    return Subject(alert, "oidc-causes", deploy(alerting=Alerting()))


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """One provider for all tests of this folder."""
    with start_sandbox() as sandbox:
        yield sandbox


@dataclass(frozen=True)
class Bench:
    """A configuration of the provider, and its runbooks put to work."""

    sandbox: Sandbox
    config: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment of child processes, with the provider's secrets."""
        return {**os.environ, **self.sandbox.environ}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One `oidcwatch runbook` command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "oidcwatch", "runbook", *arguments, "-c", str(self.config)],
            env=self.environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def run(self, alert: str, told: Callable[[Outcome], None] = lambda _: None, **named: str) -> Summary:
        """The page's checks, run in this process."""
        call = call_of(load_both(self.config, self.environ), alert, "sandbox", **named)
        return asyncio.run(run_page(call, Redactor(), told))

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """`runbook run --json`: exit code and document."""
        done = self.command("run", *arguments, "--issuer", "sandbox", "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def bench(shared_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The provider without faults, before and after; two regions look at it."""
    for name, value in shared_sandbox.environ.items():
        monkeypatch.setenv(name, value)
    shared_sandbox.control.clear()
    config = tmp_path / "oidcwatch.yaml"
    config.write_text(yaml.safe_dump(_document(shared_sandbox, tmp_path), sort_keys=False))
    yield Bench(shared_sandbox, config)
    shared_sandbox.control.clear()
    shared_sandbox.control.clock(0, date=0)


def _document(sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    portal, machine = sandbox.clients["portal"], sandbox.clients["machine"]
    user = {"username": "alice", "password": {"env": "SANDBOX_ALICE_PASSWORD"}}
    clients: Sequence[dict[str, Any]] = (
        {
            "name": "portal", "client_id": portal.client_id, "owner": "portal-team",
            "auth": {"method": portal.auth_method, "secret": {"env": "SANDBOX_PORTAL_SECRET"}},
            "scopes": ["openid", "profile", "offline_access"], "redirect_uri": portal.redirect_uri, "user": user,
            "probes": [{"type": "login", "timeout": "20s"}],
        },
        {
            "name": "machine", "client_id": machine.client_id, "owner": "machine-team",
            "auth": {"method": machine.auth_method, "secret": {"env": "SANDBOX_MACHINE_SECRET"}},
            "scopes": list(machine.scopes), "audience": machine.audience,
            "probes": [{"type": "client_credentials", "timeout": "3s"}],
        },
    )  # fmt: skip
    return {
        "region": {"name": "here"},
        "agent": {"data_dir": str(folder / "data")},
        "alerting": {"owners": {"network": "netops"}, "runbooks_url": "https://runbooks.acme.example"},
        "issuers": [
            {
                "name": "sandbox", "url": sandbox.issuer, "owner": "identity-platform",
                "policy": {"allow_http": True}, "clients": list(clients),
                "probes": [{"type": "discovery", "timeout": "2s"}, {"type": "jwks", "timeout": "2s"}],
            }
        ],
    }  # fmt: skip


@pytest.fixture
def noon() -> datetime:
    """A moment."""
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
