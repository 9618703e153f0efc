"""How late checks start on a busy agent: 600 HTTP checks every 30 s and 20 logins a minute."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.cpu import tree_cpu_seconds
from benchmarks.figures import BenchmarkError, Figure, Goal, percentile, percentiles
from probes.browser_processes import rss_bytes, tree
from sandbox.launch import Sandbox, SandboxError, start_sandbox
from sandbox.peers.process import LOOPBACK

_GOAL = Goal(1.0)
_ISSUERS = 300
_EVERY = "30s"
_USERS = ("alice", "synthetic-eu", "synthetic-us", "synthetic-ap")
_LOGIN_EVERY = "12s"  # four users: 20 logins a minute
_SECONDS, _QUICK_SECONDS = 150.0, 40.0
_FIRST_RUNS_SECONDS = 30.0  # each check has run once by then, and the browser is up
_MIB = 1024 * 1024
_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds of whole process trees up to now."""

    agent: float
    responder: float
    sandbox: float

    def cores_since(self, before: Usage, seconds: float) -> dict[str, float]:
        """How many cores each has kept busy on average."""
        return {
            name: round((getattr(self, name) - getattr(before, name)) / seconds, 3)
            for name in ("agent", "responder", "sandbox")
        }


def measure(*, quick: bool) -> Figure:
    """p99 of the seconds between the moment a run was due and the moment it started, the start included.

    Default settings of the agent; its pages are served meanwhile. Raises BenchmarkError.
    """
    seconds = _QUICK_SECONDS if quick else _SECONDS
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="oidcwatch-bench-")))
        responder, issuers = parts.enter_context(_started_responder(folder))
        try:
            sandbox = parts.enter_context(start_sandbox(proxy=False))
        except SandboxError as error:
            raise BenchmarkError(str(error)) from error
        config = folder / "lateness.yaml"
        config.write_text(yaml.safe_dump(_configuration(issuers, sandbox, folder), sort_keys=False))
        agent = parts.enter_context(_started_agent(config, sandbox.environ))
        before = _usage(agent, responder, sandbox)
        time.sleep(seconds)
        cores = _usage(agent, responder, sandbox).cores_since(before, seconds)
        memory = _memory(agent.pid)
        said = _end(agent)
    return _figure(said, seconds, {"cores": cores, "memory_mib": memory})


def _figure(said: Mapping[str, Any], seconds: float, usage: Mapping[str, Any]) -> Figure:
    late = [max(0.0, value) for _, value in said["lateness"]]
    warm = [max(0.0, value) for at, value in said["lateness"] if at > _FIRST_RUNS_SECONDS]
    if not warm or not any(name == "login success" for name in said["results"]):
        raise BenchmarkError(f"nothing was measured: {said['results']}")
    return Figure(
        "lateness_p99_seconds",
        percentile(late, 99),
        _GOAL,
        {
            "measured": f"{2 * _ISSUERS} HTTP checks every {_EVERY} and 20 logins a minute for {seconds:g} s",
            "runs": len(late),
            "missed": said["missed"],
            "lateness_seconds": {"all": percentiles(late), "once_warm": percentiles(warm)},
            "results": said["results"],
            **usage,
        },
    )


def _usage(agent: subprocess.Popen[str], responder: subprocess.Popen[str], sandbox: Sandbox) -> Usage:
    return Usage(tree_cpu_seconds(agent.pid), tree_cpu_seconds(responder.pid), tree_cpu_seconds(sandbox.pid))


def _memory(pid: int) -> dict[str, float]:
    """Resident memory now; shared pages count in each process."""
    whole = rss_bytes(pid)
    others = sum(rss_bytes(child) for child in _children(pid))
    return {"agent": round((whole - others) / _MIB), "browser": round(others / _MIB)}


def _children(pid: int) -> list[int]:
    """The direct children: each one's tree is counted by rss_bytes."""
    descendants = tree(pid)[1:]
    below = {grandchild for child in descendants for grandchild in tree(child)[1:]}
    return [child for child in descendants if child not in below]


@contextmanager
def _started_responder(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    command = [sys.executable, "-m", "benchmarks.responder", str(folder), str(_ISSUERS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise BenchmarkError("the responder did not start; the reason is above")
            yield process, json.loads(line)
        finally:
            process.stdin.close()


@contextmanager
def _started_agent(config: Path, secrets: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.observed_agent", str(config)]
    environ = {**os.environ, **secrets}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                raise BenchmarkError("the agent did not start; the reason is above")
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _end(agent: subprocess.Popen[str]) -> dict[str, Any]:
    agent.send_signal(signal.SIGTERM)
    try:
        output, _ = agent.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"the agent did not end within {_STOP_SECONDS:g} s") from error
    if not output:
        raise BenchmarkError(f"the agent ended with {agent.returncode}; the reason is above")
    said: dict[str, Any] = json.loads(output)
    return said


def _configuration(responder: Mapping[str, str], sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    return {
        "agent": {"listen": f"{LOOPBACK}:0", "data_dir": str(folder / "data")},
        "issuers": [
            *(_issuer(number, responder) for number in range(_ISSUERS)),
            {
                "name": "sandbox",
                "url": sandbox.issuer,
                "policy": {"allow_http": True},  # loopback only
                "clients": [_client(sandbox, user) for user in _USERS],
            },
        ],
    }


def _issuer(number: int, responder: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": f"issuer-{number}",
        "url": f"{responder['url']}/{number}",
        "tls": {"ca_file": responder["ca_file"]},
        "probes": [{"type": kind, "every": _EVERY, "timeout": "10s"} for kind in ("discovery", "jwks")],
    }


def _client(sandbox: Sandbox, user: str) -> dict[str, Any]:
    """A client of its own for each user: an account signs in once at a time."""
    portal = sandbox.clients["portal"]
    password = f"SANDBOX_{user.upper().replace('-', '_')}_PASSWORD"
    return {
        "name": user,
        "client_id": portal.client_id,
        "auth": {"method": portal.auth_method, "secret": {"env": "SANDBOX_PORTAL_SECRET"}},
        "scopes": ["openid", "profile", "email"],
        "redirect_uri": portal.redirect_uri,
        "post_logout_redirect_uri": portal.post_logout_redirect_uri,
        "user": {"username": user, "password": {"env": password}},
        "probes": [{"type": "login", "every": _LOGIN_EVERY, "timeout": "12s"}],
    }
