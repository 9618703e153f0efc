"""A sandbox, agents as child processes, and what /proc says about them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.launch import Sandbox, start_sandbox

WAIT = 40.0
RARELY = "30s"


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
    """A running `oidcwatch run`. `inside` is a command prefix that enters its network namespace."""

    process: subprocess.Popen[bytes]
    pid: int
    url: str
    config: Path
    log: Path
    inside: tuple[str, ...] = ()

    def get(self, path: str, accept: str = "*/*", method: str = "GET") -> tuple[int, str]:
        """Status and text."""
        if self.inside:
            done = subprocess.run(
                [*self.inside, "curl", "-s", "-m", "10", "-X", method, "-w", "\n%{http_code}", self.url + path],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            text, _, status = done.stdout.rpartition("\n")
            return int(status), text
        request = urllib.request.Request(self.url + path, headers={"Accept": accept}, method=method)  # noqa: S310 - ours
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the agent's own URL
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """The sum over series with these labels; 0 when there is none."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in self.get("/metrics")[1].splitlines()
            if re.match(rf"{name}({{| )", line) and all(label in line for label in wanted)
        )

    def runs(self, result: str, **labels: str) -> float:
        """Finished runs that count as `success`, `failure` or `excluded`."""
        return self.metric("oidc_probe_runs_total", result=result, **labels)

    def more(self, result: str, count: int = 1, **labels: str) -> Callable[[], bool]:
        """A condition: so many more runs of that result than now."""
        before = self.runs(result, **labels)
        return lambda: self.runs(result, **labels) >= before + count

    def until(self, what: Callable[[], object], seconds: float = WAIT) -> None:
        """Waits until it is true; fails with the agent's log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what():
                return
            time.sleep(0.2)
        pytest.fail(f"did not happen within {seconds} s; the agent's log:\n{self.logged()[-3000:]}")

    def logged(self) -> str:
        """The log so far."""
        return self.log.read_text() if self.log.is_file() else ""

    def write(self, document: dict[str, Any]) -> None:
        """Replaces the configuration file."""
        self.config.write_text(yaml.safe_dump(document, sort_keys=False))

    def again(self) -> None:
        """Makes the checks that need a browser run at once: a check whose interval changes starts anew."""
        document = yaml.safe_load(self.config.read_text())
        for client in document["issuers"][0]["clients"]:
            for probe in client["probes"]:
                if probe["type"] in ("login", "refresh"):
                    probe["every"] = f"{int(probe['every'].removesuffix('s')) + 1}s"
        self.write(document)
        assert self.get("/-/reload", method="POST")[0] == 200

    def family(self) -> dict[int, str]:
        """The agent's live descendants by process id, with their command lines."""
        return descendants(self.pid)

    def browsers(self) -> list[int]:
        """Main processes of Chromium: not Debian's shell script around it, not its children, which have a type."""
        family = self.family().items()
        return [pid for pid, line in family if re.match(r"\S*chrom\S* .*--remote-debugging-pipe(?!.*--type=)", line)]

    def drivers(self) -> list[int]:
        """Playwright's drivers (node)."""
        return [pid for pid, line in self.family().items() if "run-driver" in line]

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(30)


def descendants(pid: int) -> dict[int, str]:
    """Process ids and command lines of everything that this process has started, directly or not; no zombies."""
    found: list[int] = []
    pending = [pid]
    while pending:
        parent = pending.pop()
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                children = [int(child) for child in (task / "children").read_text().split()]
                found += children
                pending += children
    lines: dict[int, str] = {}
    for child in found:
        with contextlib.suppress(OSError):
            if line := Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                lines[child] = line
    return lines


def _client(sandbox: Sandbox, name: str, probes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    client = sandbox.clients[name]
    entry: dict[str, Any] = {
        "name": name,
        "client_id": client.client_id,
        "auth": {"method": client.auth_method, "secret": {"env": f"SANDBOX_{name.upper()}_SECRET"}},
        "scopes": ["openid", "profile", "offline_access"] if name == "portal" else list(client.scopes),
        "probes": list(probes),
    }
    if name == "portal":
        entry["redirect_uri"] = client.redirect_uri
        entry["post_logout_redirect_uri"] = client.post_logout_redirect_uri
        entry["user"] = {"username": "alice", "password": {"env": "SANDBOX_ALICE_PASSWORD"}}
    else:
        entry["audience"] = client.audience
    return entry


@dataclass(frozen=True)
class Bench:
    """Writes configurations for a sandbox and runs agents on them."""

    sandbox: Sandbox
    folder: Path
    environ: dict[str, str] = field(repr=False)

    def issuer(self, name: str, *kinds: str, every: str = "1s", timeout: str = "") -> dict[str, Any]:
        """An issuer's part of the configuration; what needs a browser runs at the start and then when it is asked to."""
        often = {kind: RARELY if kind in ("login", "refresh") else every for kind in kinds}
        entry = {kind: {"type": kind, "every": often[kind], "timeout": timeout or often[kind]} for kind in kinds}
        clients = {"portal": ("login", "refresh"), "machine": ("client_credentials",)}
        chosen = {client: [entry[kind] for kind in of if kind in entry] for client, of in clients.items()}
        return {
            "name": name,
            "url": self.sandbox.issuer,
            "policy": {"allow_http": True},
            "clients": [_client(self.sandbox, client, probes) for client, probes in chosen.items() if probes],
            "probes": [entry[kind] for kind in ("discovery", "jwks") if kind in entry],
        }

    def document(
        self, *kinds: str, every: str = "1s", timeout: str = "", agent: dict[str, Any] | None = None, **top: Any
    ) -> dict[str, Any]:
        """A configuration with one issuer and these kinds of probes."""
        return {
            "region": {"name": "here"},
            "agent": {
                "listen": "127.0.0.1:0",
                "data_dir": str(self.folder / "data"),
                "start_spread": "200ms",
                "jitter": "0s",
                "drain": "5s",
                **(agent or {}),
            },
            "issuers": [self.issuer("sandbox", *kinds, every=every, timeout=timeout)],
            **top,
        }

    @contextlib.contextmanager
    def agent(
        self, document: dict[str, Any], *, prefix: Sequence[str] = (), stderr: Path | None = None
    ) -> Iterator[Agent]:
        """A running agent, killed at the end of the block if it still runs. `prefix` must end in an exec."""
        config, log = self.folder / "oidcwatch.yaml", stderr or self.folder / "agent.log"
        config.write_text(yaml.safe_dump(document, sort_keys=False))
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "oidcwatch", "run", "-c", str(config)],
                env=self.environ, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        assert process.stdout is not None
        first = process.stdout.readline().decode()
        try:
            found = re.match(r"(http://\S+)/ ", first)
            assert found, f"the agent did not start: {first}{log.read_text()}"
            inside = tuple(prefix) if tuple(prefix[:2]) == ("ip", "netns") else ()
            yield Agent(process, process.pid, found[1], config, log, inside)
        finally:
            left = descendants(process.pid)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()
            process.stdout.close()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """The agents' TMPDIR: short, because a browser puts sockets there, and of its own, to see what is left behind."""
    with tempfile.TemporaryDirectory(prefix="ow-") as folder:
        yield Path(folder)


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path, temporary: Path) -> Bench:
    """Configurations and agents on the shared sandbox."""
    environ = {**os.environ, **sandbox.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)}
    return Bench(sandbox, tmp_path, environ)


@pytest.fixture
def need() -> Callable[[str, str], str]:
    """Gives the path of a program, or fails with the command that installs it."""

    def find(program: str, package: str) -> str:
        path = shutil.which(program)
        assert path, f"{program} is missing: apt-get install {package}"
        return path

    return find


@pytest.fixture
def root() -> None:
    """Namespaces and mounts need it."""
    assert os.geteuid() == 0, "this test needs root: sudo -E make test"
