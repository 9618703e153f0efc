"""A provider that a configuration may drill on, `oidcwatch drill` as a process, and a record as drills leave it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from drills.record import Alerts, Event, EventKind, Record, Times, Verdict, VerifierRecord, to_json
from drills.scenario import Judge, Measure
from drills.subject import Kind
from sandbox.launch import Sandbox, start_sandbox

_SECONDS = 120.0
STARTED = datetime(2026, 3, 1, 9, 15, tzinfo=UTC)


@dataclass
class Drill:
    """A running `oidcwatch drill`."""

    process: subprocess.Popen[str]
    err: Path

    def told(self) -> str:
        """What it has said on standard error so far."""
        return self.err.read_text(encoding="utf-8")

    def until(self, text: str) -> None:
        """Waits until it has said so."""
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end and text not in self.told():
            if self.process.poll() is not None:
                pytest.fail(f"it ended with {self.process.returncode}: {self.told()}")
            time.sleep(0.05)
        if text not in self.told():
            pytest.fail(f"{text!r} was not said: {self.told()}")

    def end(self) -> tuple[int, str]:
        """Waits for its exit code and what it has said on standard output."""
        out, _ = self.process.communicate(timeout=_SECONDS)
        return self.process.returncode, out

    def kill(self) -> None:
        """Without a word, as when its machine dies."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=_SECONDS)


@dataclass
class Site:
    """Where drills of a test happen: folder, environment, and a provider that outlives them."""

    folder: Path
    environ: dict[str, str]
    sandbox: Sandbox | None = None
    drills: list[Drill] = field(default_factory=list)

    @property
    def kept(self) -> Path:
        """Where drills on the issuer of the configuration are kept."""
        return self.folder / "oidcwatch-data" / "drills"

    @property
    def labs(self) -> Path:
        """Where drills on labs are kept."""
        return Path(self.environ["XDG_STATE_HOME"]) / "oidcwatch" / "drills"

    def start(self, *arguments: str) -> Drill:
        """`oidcwatch drill` with these arguments, in the folder."""
        err = self.folder / f"err-{len(self.drills)}"
        with err.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "oidcwatch", "drill", *arguments],
                cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stream,
                text=True,
            )  # fmt: skip
        drill = Drill(process, err)
        self.drills.append(drill)
        return drill

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """The same to its end: exit code, standard output, standard error."""
        drill = self.start(*arguments)
        code, out = drill.end()
        return code, out, drill.told()

    def records(self, root: Path) -> list[dict[str, Any]]:
        """The JSON reports below a folder, oldest first."""
        return [json.loads(file.read_text()) for file in sorted(root.glob("*/report.json"))]

    def end(self) -> None:
        for drill in self.drills:
            drill.kill()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OIDCWATCH_CONFIG")}
    made = Site(tmp_path, {**environ, "XDG_STATE_HOME": str(tmp_path / "state")})
    yield made
    made.end()


@pytest.fixture(scope="module")
def provider() -> Iterator[Sandbox]:
    with start_sandbox(tls=True, proxy=True) as running:
        running.control.settings(access_token_lifetime=3600)
        yield running


@pytest.fixture
def configured(site: Site, provider: Sandbox) -> Site:
    """A configuration that may drill on the provider, and names verifiers that are quick to play."""
    site.sandbox = provider
    site.environ.update(provider.environ)
    document = {
        "issuers": [
            {
                "name": "staging",
                "url": provider.issuer,
                "tls": {"ca_file": str(provider.ca_file)},
                "verifiers": ["go-oidc", "static-keys"],
                "clients": [
                    {
                        "name": "machine",
                        "client_id": provider.clients["machine"].client_id,
                        "auth": {"secret": {"env": "SANDBOX_MACHINE_SECRET"}},
                        "audience": provider.clients["machine"].audience,
                        "scopes": list(provider.clients["machine"].scopes),
                    }
                ],
                "drill": {
                    "client": "machine",
                    "provider": {
                        "type": "sandbox",
                        "control": provider.control.url,
                        "fault_control": provider.control.fault_url,
                    },
                },
            }
        ]
    }
    (site.folder / "oidcwatch.yaml").write_text(yaml.safe_dump(document))
    return site


@pytest.fixture
def record() -> Callable[..., Record]:
    """Makes a record that passed, as of a number of days after the first."""

    def made(days: int = 0, verdict: Verdict = Verdict.PASS, because: str = "All did.") -> Record:
        started = STARTED + timedelta(days=days)
        verifier = VerifierRecord(
            "pyjwt", "2.10.1", Kind.CANARY, "Python", Times(2.0), Times(3.0), Times(2.4), True, "as predicted", "why",
            None, (), (),
        )  # fmt: skip
        return Record(
            id=f"{started:%Y%m%dT%H%M%SZ}-zero-lead-4f2a", scenario="zero-lead", title="A new key signs at once",
            why="It happens.", judge=Judge.AS_PREDICTED, measure=Measure.ACCEPT, issuer="staging",
            url="https://login.acme.example", provider="sandbox", started=started,
            clock_started=started + timedelta(seconds=5), healed=None, ended=started + timedelta(seconds=30), poll=1.0,
            verdict=verdict, because=(because,), preflight=(), events=(Event(started, EventKind.PHASE, "preflight"),), verifiers=(verifier,), detected=(),
            alerts=Alerts(), detect_seconds=1.5, page_seconds=None, recover_seconds=None, runbook=(), follow_ups=(),
        )  # fmt: skip

    return made


@pytest.fixture
def keep() -> Callable[[Path, Record], None]:
    """Puts a record where a drill would have left it."""

    def kept(root: Path, record: Record) -> None:
        folder = root / record.id
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps(to_json(record)))

    return kept
