"""The live stack: sandbox, an agent for each of three regions, Prometheus, Alertmanager and a receiver, on loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import yaml

from alerts.deployment import Deployment
from oidcwatch.config import REGION_VARIABLE, load_both
from oidcwatch.generation import deployment_of
from oidcwatch.sandbox_config import ISSUER, PLACES, REGIONS, Pace, issuer_document
from oidcwatch.stack_monitoring import (
    ActiveAlert,
    Binaries,
    Monitoring,
    Sample,
    alerting_document,
    choose_addresses,
    find_binaries,
    start_monitoring,
)
from oidcwatch.stack_receiver import Notification, Receiver, start_receiver
from runbooks.site import pages_of
from sandbox.control_client import Control
from sandbox.faultproxy import FaultProxy
from sandbox.http1 import Upstream
from sandbox.launch import Sandbox, start_sandbox
from sandbox.loopthread import loop_thread
from sandbox.peers.process import LOOPBACK, choose_port, running, wait_for_answer

_READY_SECONDS = 60.0
_END_SECONDS = 15.0

Say = Callable[[str], None]
"""Shows one line of progress. What it raises ends the start."""


_PACE = Pace(discovery="2s", jwks="2s", client_credentials="2s", login="10s")


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How fast everything goes. With `speed` the windows of the rules are that many times shorter."""

    speed: int = 1
    pace: Pace = _PACE
    scrape: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class StackAgent:
    """The agent of one region. `path` steers the proxy that it looks through: what breaks there, breaks for it alone."""

    region: str
    url: str
    path: Control
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything that runs. Questions raise httpx.HTTPError when there is no good answer."""

    folder: Path
    config: Path
    """The configuration of all agents together: what everything is generated from."""
    deployment: Deployment
    sandbox: Sandbox
    agents: Mapping[str, StackAgent]
    """By region."""
    monitoring: Monitoring
    receiver: Receiver

    @property
    def prometheus_url(self) -> str:
        return self.monitoring.addresses.prometheus

    @property
    def alertmanager_url(self) -> str:
        return self.monitoring.addresses.alertmanager

    def notifications(self) -> tuple[Notification, ...]:
        """What Alertmanager has sent, oldest first."""
        return self.receiver.notifications()

    def query(self, promql: str) -> tuple[Sample, ...]:
        """The instant vector of now."""
        return self.monitoring.query(promql)

    def alerts(self) -> tuple[ActiveAlert, ...]:
        """What is pending or firing in Prometheus."""
        return self.monitoring.alerts()

    def stop_agent(self, region: str) -> None:
        """Kills the region's agent with its browser, without a word, as when its machine dies."""
        process = self.agents[region].process
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def drill(self, state: str) -> None:
        """Switches the drill on the sandbox `on` or `off` at every agent that runs."""
        for agent in self.agents.values():
            if agent.process.poll() is None:
                parameters = {"issuer": ISSUER, "state": state}
                answer = httpx.post(f"{agent.url}/-/drill", params=parameters, trust_env=False, timeout=10.0)
                answer.raise_for_status()


@contextmanager
def start_stack(options: StackOptions, environ: Mapping[str, str], say: Say = lambda line: None) -> Iterator[Stack]:
    """Everything for the length of the block, ready when it begins; no process is left after it.

    Raises MonitoringError, sandbox.launch.SandboxError or sandbox.peers.peer.PeerFailed when a part does not start.
    """
    binaries = find_binaries(environ)
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="oidcwatch-stack-")))
        receiver = parts.enter_context(start_receiver())
        say("starting the sandbox provider")
        sandbox = parts.enter_context(start_sandbox(environ=environ))
        say(f"starting agents in {', '.join(REGIONS)}")
        agents = {region: _start_agent(parts, folder, sandbox, options, region, environ) for region in REGIONS}
        parts.callback(_drain, tuple(agents.values()))  # before anything else is ended
        say("starting Prometheus and Alertmanager")
        config, deployment, monitoring = _watch(parts, folder, sandbox, options, agents, receiver, binaries, environ)
        monitoring.wait()
        for agent in agents.values():
            wait_for_answer(f"{agent.url}/-/ready", agent.process, log=agent.log, seconds=_READY_SECONDS)
        say("everything runs")
        yield Stack(folder, config, deployment, sandbox, MappingProxyType(agents), monitoring, receiver)


def _start_agent(
    parts: ExitStack, folder: Path, sandbox: Sandbox, options: StackOptions, region: str, environ: Mapping[str, str]
) -> StackAgent:
    path, proxy = parts.enter_context(_path_to(sandbox))
    port = choose_port(0)
    document = {
        # One agent looks from one region alone, and does so through the region's proxy.
        "region": {"name": f"{region}-host"},
        "egress": [{"region": region, "proxy": proxy, **PLACES[region]}],
        "agent": {
            "listen": f"{LOOPBACK}:{port}",
            "data_dir": str(folder / f"data-{region}"),
            "start_spread": "2s",
            "drain": "5s",
        },
        "issuers": [issuer_document(sandbox, options.pace, (region,))],
    }
    config, log = folder / f"agent-{region}.yaml", folder / f"agent-{region}.log"
    _write(config, document)
    inherited = {name: value for name, value in environ.items() if not name.startswith("OIDCWATCH_")}
    process = parts.enter_context(
        running(
            [sys.executable, "-m", "oidcwatch", "run", "-c", str(config)],
            environ={**inherited, **sandbox.environ},
            cwd=folder,
            log=log,
        )
    )
    return StackAgent(region, f"http://{LOOPBACK}:{port}", path, log, process)


@contextmanager
def _path_to(sandbox: Sandbox) -> Iterator[tuple[Control, str]]:
    """A forward proxy that breaks exchanges on command: its control, and its URL.

    A fault proxy takes requests in absolute form (RFC 9112 section 3.2.2), as clients send them to a proxy for plain
    http, and its one upstream is the one provider.
    """
    with loop_thread("path") as loop:
        proxy = FaultProxy(Upstream.from_url(sandbox.issuer, None))
        loop.run(proxy.start())
        try:
            yield Control("", f"http://{LOOPBACK}:{proxy.control_port}"), proxy.url
        finally:
            loop.run(proxy.stop())


def _watch(
    parts: ExitStack,
    folder: Path,
    sandbox: Sandbox,
    options: StackOptions,
    agents: Mapping[str, StackAgent],
    receiver: Receiver,
    binaries: Binaries,
    environ: Mapping[str, str],
) -> tuple[Path, Deployment, Monitoring]:
    addresses = choose_addresses(receiver.url)
    own, *others = ({"name": region, **place} for region, place in PLACES.items())
    document = {
        "region": own,
        "other_regions": others,
        "issuers": [issuer_document(sandbox, options.pace)],
        "alerting": alerting_document(addresses),
    }
    config = folder / "oidcwatch.yaml"
    _write(config, document)
    loaded = load_both(config, {name: value for name, value in environ.items() if name != REGION_VARIABLE})
    deployment = deployment_of(loaded, speed=options.speed)
    receiver.serve_runbooks(lambda: pages_of(deployment))
    targets = {region: agent.url.removeprefix("http://") for region, agent in agents.items()}
    monitoring = parts.enter_context(
        start_monitoring(
            folder, deployment, addresses, targets, binaries=binaries, environ=environ, scrape=options.scrape
        )
    )
    return config, deployment, monitoring


def _drain(agents: tuple[StackAgent, ...]) -> None:
    """Side by side, and the agents alone: one whose browser is ended with it cannot tidy up behind it."""
    for agent in agents:
        if agent.process.poll() is None:
            agent.process.terminate()
    deadline = time.monotonic() + _END_SECONDS
    for agent in agents:
        with contextlib.suppress(subprocess.TimeoutExpired):
            agent.process.wait(max(0.0, deadline - time.monotonic()))


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")
