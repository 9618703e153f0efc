"""A sandbox for the session, configurations for it, and agents as child processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from sandbox.launch import Sandbox, start_sandbox

WAIT = 30.0


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """One provider for all tests of this folder."""
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The provider without faults, before and after."""
    shared_sandbox.control.clear()
    yield shared_sandbox
    shared_sandbox.control.clear()


@dataclass
class Agent:
    """A running `oidcwatch run`."""

    process: subprocess.Popen[str]
    url: str
    config: Path
    log: Path
    document: dict[str, Any] = field(default_factory=dict)

    def get(self, path: str, accept: str = "*/*", method: str = "GET") -> tuple[int, str]:
        """Status and text."""
        answer = httpx.request(method, self.url + path, headers={"Accept": accept}, timeout=10, trust_env=False)
        return answer.status_code, answer.text

    def metric(self, name: str, **labels: str) -> float | None:
        """The sum over series with these labels; None when there is none."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        found = [
            float(line.rsplit(" ", 1)[1])
            for line in self.get("/metrics")[1].splitlines()
            if re.match(rf"{name}({{| )", line) and all(label in line for label in wanted)
        ]
        return sum(found) if found else None

    def until(self, what: Callable[[], object], seconds: float = WAIT) -> None:
        """Waits until it is true; fails with the agent's log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what():
                return
            time.sleep(0.1)
        pytest.fail(f"did not happen within {seconds} s; the agent's log:\n{self.log.read_text()[-3000:]}")

    def write(self, document: dict[str, Any]) -> None:
        """Replaces the configuration file."""
        self.document = document
        self.config.write_text(yaml.safe_dump(document, sort_keys=False))


@dataclass(frozen=True)
class Bench:
    """Writes configurations for the sandbox and runs oidcwatch on them."""

    sandbox: Sandbox
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment of child processes, with the sandbox's secrets."""
        return {**os.environ, **self.sandbox.environ, "PYTHONUNBUFFERED": "1"}

    def document(self, *kinds: str, every: str = "1s", **agent: Any) -> dict[str, Any]:
        """A configuration with these kinds of probes."""
        portal, machine = self.sandbox.clients["portal"], self.sandbox.clients["machine"]
        of = {kind: {"type": kind, "every": every, "timeout": every} for kind in kinds}
        for kind in {"login", "refresh"} & of.keys():
            of[kind] |= {"every": "20s", "timeout": "20s"}
        clients = [
            {
                "name": "portal",
                "client_id": portal.client_id,
                "auth": {"method": portal.auth_method, "secret": {"env": "SANDBOX_PORTAL_SECRET"}},
                "scopes": ["openid", "profile", "offline_access"],
                "redirect_uri": portal.redirect_uri,
                "post_logout_redirect_uri": portal.post_logout_redirect_uri,
                "user": {"username": "alice", "password": {"env": "SANDBOX_ALICE_PASSWORD"}},
                "probes": [of[kind] for kind in ("login", "refresh") if kind in of],
            },
            {
                "name": "machine",
                "client_id": machine.client_id,
                "auth": {"method": machine.auth_method, "secret": {"env": "SANDBOX_MACHINE_SECRET"}},
                "scopes": list(machine.scopes),
                "audience": machine.audience,
                "probes": [of[kind] for kind in ("client_credentials",) if kind in of],
            },
        ]
        return {
            "region": {"name": "here"},
            "agent": {
                "listen": "127.0.0.1:0",
                "data_dir": str(self.folder / "data"),
                "start_spread": "500ms",
                "drain": "5s",
                **agent,
            },
            "issuers": [
                {
                    "name": "sandbox",
                    "url": self.sandbox.issuer,
                    "policy": {"allow_http": True},
                    "clients": [client for client in clients if client["probes"]],
                    "probes": [of[kind] for kind in ("discovery", "jwks") if kind in of],
                }
            ],
        }

    def write(self, document: dict[str, Any], name: str = "oidcwatch.yaml") -> Path:
        """A configuration file."""
        path = self.folder / name
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """One `oidcwatch` command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "oidcwatch", *arguments],
            env=self.environ, capture_output=True, text=True, timeout=120, check=False, **options,
        )  # fmt: skip

    def probe(self, document: dict[str, Any], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """`oidcwatch probe --json`: exit code and results."""
        done = self.run("probe", "-c", str(self.write(document)), "--json", *arguments)
        return done.returncode, json.loads(done.stdout) if done.stdout else []

    @contextmanager
    def agent(
        self, document: dict[str, Any], *options: str, prefix: tuple[str, ...] = (), host: str = "127.0.0.1"
    ) -> Iterator[Agent]:
        """A running agent; ended at the end of the block if it still runs."""
        config, log = self.write(document), self.folder / "agent.log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "oidcwatch", *options, "run", "-c", str(config)],
                env=self.environ, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = re.match(r"(http://\S+)/ ", first)
            assert found, f"the agent did not start: {first}{log.read_text()}"
            yield Agent(process, found[1], config, log, document)
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Configurations and commands on the shared sandbox."""
    return Bench(sandbox, tmp_path)
