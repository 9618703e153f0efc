"""Prometheus and Alertmanager as child processes on loopback, with the rules and routes of one deployment."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import yaml

from alerts.alertmanager import TEMPLATES, alertmanager_yaml, templates
from alerts.catalogue import alerts_of
from alerts.deployment import Deployment
from alerts.promql import duration
from alerts.rules_file import rules_yaml
from sandbox.peers.peer import PeerFailed
from sandbox.peers.process import LOOPBACK, child_environ, choose_port, running, wait_for_answer

_READY_SECONDS = 60.0
_RESEND = timedelta(minutes=1)  # Prometheus' default
_RULES, _PROMETHEUS, _ALERTMANAGER = "oidcwatch.rules.yaml", "prometheus.yaml", "alertmanager.yaml"
ROUTES = ("page", "ticket", "security", "drill", "deadman", "default")

# Debian puts its own name before that of the project.
_PROGRAMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"prometheus": ("prometheus",), "prometheus-alertmanager": ("alertmanager", "prometheus-alertmanager")}
)


class MonitoringError(RuntimeError):
    """Prometheus or Alertmanager did not start; the message has the end of what it said."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of the programs."""

    prometheus: str
    alertmanager: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """URLs without a trailing slash."""

    prometheus: str
    alertmanager: str
    receiver: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of an instant vector."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that is pending or firing in Prometheus."""

    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    since: datetime

    @property
    def name(self) -> str:
        """The label `alertname`."""
        return self.labels["alertname"]


@dataclass(frozen=True, slots=True)
class Monitoring:
    """A running pair. Its questions raise httpx.HTTPError when there is no good answer."""

    addresses: Addresses
    _started: tuple[_Started, ...]

    def wait(self) -> None:
        """Returns when both are ready. Raises MonitoringError."""
        for started in self._started:
            started.wait()

    def query(self, promql: str) -> tuple[Sample, ...]:
        """The instant vector (or the one scalar, without labels) of now."""
        data = self._get("/api/v1/query", {"query": promql})
        if data["resultType"] == "scalar":
            return (Sample({}, float(data["result"][1])),)
        return tuple(Sample(row["metric"], float(row["value"][1])) for row in data["result"])

    def alerts(self) -> tuple[ActiveAlert, ...]:
        """What is pending or firing in Prometheus now, whatever Alertmanager makes of it."""
        return tuple(
            ActiveAlert(row["state"], row["labels"], row["annotations"], datetime.fromisoformat(row["activeAt"]))
            for row in self._get("/api/v1/alerts", {})["alerts"]
        )

    def _get(self, path: str, parameters: Mapping[str, str]) -> Any:
        # No proxy of the environment: both are on loopback.
        answer = httpx.get(self.addresses.prometheus + path, params=parameters, trust_env=False, timeout=10.0)
        answer.raise_for_status()
        return answer.json()["data"]


@dataclass(frozen=True, slots=True)
class _Started:
    ready: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self) -> None:
        try:
            wait_for_answer(self.ready, self.process, log=self.log, seconds=_READY_SECONDS)
        except PeerFailed as error:
            # The folder of the log is gone when people read this.
            raise MonitoringError(f"{error}\n{self.log.read_text('utf-8', 'replace')[-2000:]}") from error


def missing_programs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Debian's names of the packages that are not installed."""
    return tuple(package for package, names in _PROGRAMS.items() if _found(names, environ) is None)


def find_binaries(environ: Mapping[str, str]) -> Binaries:
    """Where the programs are. Raises MonitoringError with the command that installs what is missing."""
    missing = missing_programs(environ)
    if missing:
        raise MonitoringError(f"{' and '.join(missing)} not found: {install_command(missing)}")
    prometheus, alertmanager = (_found(names, environ) or "" for names in _PROGRAMS.values())
    return Binaries(prometheus, alertmanager)


def install_command(packages: tuple[str, ...]) -> str:
    """What a person types on Debian or Ubuntu."""
    return f"apt-get install {' '.join(packages)}"


def _found(names: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    return next(filter(None, (shutil.which(name, path=environ.get("PATH", "")) for name in names)), None)


def choose_addresses(receiver: str) -> Addresses:
    """Free ports; they must be known before anything starts, because alerts carry links."""
    prometheus, alertmanager = (f"http://{LOOPBACK}:{choose_port(0)}" for _ in range(2))
    return Addresses(prometheus, alertmanager, receiver)


def alerting_document(addresses: Addresses) -> dict[str, Any]:
    """The section `alerting` of a configuration: every route posts to the receiver, tickets at any hour."""
    return {
        "prometheus_url": addresses.prometheus,
        "alertmanager_url": addresses.alertmanager,
        "grafana_url": f"http://{LOOPBACK}:3000",  # where Grafana listens when somebody starts one
        "runbooks_url": f"{addresses.receiver}/runbooks",
        "receivers": {route: [{"webhook": {"url": f"{addresses.receiver}/{route}"}}] for route in ROUTES},
        "office_hours": {"days": "monday:sunday", "start": "00:00", "end": "24:00"},
    }


@contextmanager
def start_monitoring(
    folder: Path,
    deployment: Deployment,
    addresses: Addresses,
    targets: Mapping[str, str],
    *,
    binaries: Binaries,
    environ: Mapping[str, str],
    scrape: timedelta,
) -> Iterator[Monitoring]:
    """Both programs for the length of the block; they are started, and may not be ready yet (see `Monitoring.wait`).

    `targets` are host:port by the name that the label `instance` takes. All files lie in `folder`.
    """
    _write(folder, deployment, addresses, targets, scrape)
    environment = child_environ(environ, {})
    with ExitStack() as parts:

        def start(name: str, url: str, command: list[str]) -> _Started:
            log = folder / f"{name}.log"
            return _Started(
                f"{url}/-/ready",
                parts.enter_context(running(command, environ=environment, cwd=folder, log=log)),
                log,
            )

        alertmanager = start(
            "alertmanager",
            addresses.alertmanager,
            [
                binaries.alertmanager,
                f"--config.file={folder / _ALERTMANAGER}",
                f"--storage.path={folder / 'alertmanager-data'}",
                f"--web.listen-address={_place(addresses.alertmanager)}",
                f"--web.external-url={addresses.alertmanager}",
                "--cluster.listen-address=",
            ],
        )
        prometheus = start(
            "prometheus",
            addresses.prometheus,
            [
                binaries.prometheus,
                f"--config.file={folder / _PROMETHEUS}",
                f"--storage.tsdb.path={folder / 'prometheus-data'}",
                f"--web.listen-address={_place(addresses.prometheus)}",
                f"--web.external-url={addresses.prometheus}",
                # An alert that fires before Prometheus has found Alertmanager is only sent again after this.
                f"--rules.alert.resend-delay={duration(deployment.paced(_RESEND))}",
            ],
        )
        yield Monitoring(addresses, (alertmanager, prometheus))


def _write(
    folder: Path, deployment: Deployment, addresses: Addresses, targets: Mapping[str, str], scrape: timedelta
) -> None:
    document = {
        "global": {"scrape_interval": duration(scrape), "scrape_timeout": duration(scrape)},
        "rule_files": [_RULES],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [_place(addresses.alertmanager)]}]}]},
        "scrape_configs": [
            {
                "job_name": "oidcwatch",
                "static_configs": [
                    {"targets": [place], "labels": {"instance": name}} for name, place in targets.items()
                ],
            }
        ],
    }
    texts = {
        _PROMETHEUS: yaml.safe_dump(document, sort_keys=False),
        _RULES: rules_yaml(deployment),
        _ALERTMANAGER: alertmanager_yaml(deployment, alerts_of(deployment)),
        TEMPLATES: templates(),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _place(url: str) -> str:
    return url.removeprefix("http://")
