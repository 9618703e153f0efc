"""The agent's own network is cut, in network namespaces of its own: that is no evidence about the provider."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sandbox.launch import Sandbox

pytestmark = pytest.mark.process

_AGENT, _PROVIDER = "10.213.77.1", "10.213.77.2"
_REFERENCE_PORT = 20443


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@dataclass(frozen=True)
class Net:
    """Two hosts with a cable between them: the agent's and the provider's."""

    agent: str
    provider: str

    def link(self, host: str, state: str) -> None:
        """Pulls the plug at one end (`down`) or puts it back (`up`)."""
        _ip("-n", host, "link", "set", "cable", state)

    def inside(self, host: str) -> tuple[str, ...]:
        """The prefix of a command that runs on that host."""
        return ("ip", "netns", "exec", host)


@pytest.fixture
def net(need: Callable[[str, str], str], root: None) -> Iterator[Net]:
    """Fresh namespaces."""
    need("ip", "iproute2")
    need("curl", "curl")
    made = Net(f"ow-a-{os.getpid()}", f"ow-p-{os.getpid()}")
    with contextlib.ExitStack() as stack:
        for name, address in ((made.agent, _AGENT), (made.provider, _PROVIDER)):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
            _ip("-n", name, "link", "set", "lo", "up")
            if name == made.agent:
                continue
            _ip("link", "add", "cable", "netns", made.agent, "type", "veth", "peer", "name", "cable", "netns", name)
            for host, own in ((made.agent, _AGENT), (name, address)):
                _ip("-n", host, "addr", "add", f"{own}/24", "dev", "cable")
                _ip("-n", host, "link", "set", "cable", "up")
        yield made


@contextlib.contextmanager
def _running(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _provider(net: Net) -> Iterator[tuple[Sandbox, subprocess.Popen[str]]]:
    command = (sys.executable, "-m", "sandbox", "--json", "--bind", _PROVIDER, "--i-know-this-is-insecure")
    with _running(*net.inside(net.provider), *command) as process:
        assert process.stdout is not None
        yield Sandbox.from_description(json.loads(process.stdout.readline()), process.pid), process


@contextlib.contextmanager
def _reference(net: Net) -> Iterator[None]:
    server = (sys.executable, "-m", "http.server", "--bind", _PROVIDER, str(_REFERENCE_PORT))
    with _running(*net.inside(net.provider), *server):
        probe = [*net.inside(net.agent), "curl", "-s", "-o", "/dev/null", f"http://{_PROVIDER}:{_REFERENCE_PORT}/"]
        for _ in range(100):
            if subprocess.run(probe, check=False).returncode == 0:
                break
            time.sleep(0.1)
        yield


def _bench(bench: Any, provider: Sandbox) -> Any:
    return replace(bench, sandbox=provider, environ={**bench.environ, **provider.environ})


def test_without_references_a_missing_route_is_our_own_fault(bench: Any, net: Net) -> None:
    with _provider(net) as (provider, _):
        there = _bench(bench, provider)
        with there.agent(there.document("discovery", "login"), prefix=net.inside(net.agent)) as agent:
            agent.until(lambda: agent.runs("success", probe="login"))
            excluded = [agent.more("excluded", probe=probe) for probe in ("discovery", "login")]

            net.link(net.agent, "down")
            agent.again()
            for wanted in excluded:
                agent.until(wanted)
            net.link(net.agent, "up")
            succeeded = [agent.more("success", probe=probe) for probe in ("discovery", "login")]
            agent.again()

            for wanted in succeeded:
                agent.until(wanted)
            assert agent.runs("failure") == 0, agent.logged()


def test_with_references_a_silent_network_is_our_own_fault_and_a_provider_that_is_down_is_not(
    bench: Any, net: Net
) -> None:
    references = {"references": [f"{_PROVIDER}:{_REFERENCE_PORT}"]}
    with _reference(net), _provider(net) as (provider, process):
        there = _bench(bench, provider)
        document = there.document("discovery", "client_credentials", every="2s", vantage=references)
        with there.agent(document, prefix=net.inside(net.agent)) as agent:
            agent.until(lambda: agent.runs("success", probe="client_credentials"))

            # From here it looks as if nobody answered: there is a route, and what is sent is lost.
            net.link(net.provider, "down")
            agent.until(agent.more("excluded", 2))
            net.link(net.provider, "up")
            agent.until(agent.more("success", 2))
            assert agent.runs("failure") == 0, agent.logged()
            excluded = agent.runs("excluded")

            process.kill()
            agent.until(agent.more("failure", 2))
            assert agent.metric("oidc_probe_failures_total", reason="connect_failure") >= 2
            assert agent.runs("excluded") == excluded, agent.logged()
