"""A drill that is killed in any phase leaves nothing half-rotated: the next command brings the provider back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import yaml

from drills.journal import Entry, Log, drills_in, read_log
from sandbox.launch import Sandbox, start_sandbox

pytestmark = pytest.mark.process

_SECONDS = 60.0
_RUN = (
    *("--verifier", "pyjwt", "--emulate", "pyjwt"),
    *("--poll", "200ms", "--ttl", "3s", "--cooldown", "1s"),
    "--longest",
    "4s",
)


@dataclass(frozen=True, slots=True)
class Staging:
    """An issuer of a configuration, on a provider that outlives every drill."""

    sandbox: Sandbox
    config: Path
    out: Path
    environ: dict[str, str] = field(repr=False)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "oidcwatch", "drill", *arguments, "-c", str(self.config)]
        return subprocess.Popen(
            [*command, "--out", str(self.out)],
            env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def call(self, *arguments: str) -> tuple[int, str]:
        with self.start(*arguments) as process:
            said, _ = process.communicate(timeout=_SECONDS)
        return process.returncode, said

    def log(self) -> Log | None:
        folders = drills_in(self.out)
        return read_log(folders[-1]) if folders else None

    def killed_at(self, entry: Entry, phase: str = "", scenario: str = "zero-lead") -> Log:
        """Runs a drill and kills it the moment its journal has such an entry."""
        with self.start("run", scenario, "--issuer", "staging", "--yes", *_RUN) as drill:
            deadline = time.monotonic() + _SECONDS
            while not self._reached(entry, phase):
                assert drill.poll() is None, drill.communicate()[0]
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.002)
            os.kill(drill.pid, signal.SIGKILL)
        log = self.log()
        assert log is not None
        return log

    def _reached(self, entry: Entry, phase: str) -> bool:
        log = self.log()
        return log is not None and any(line.said.get("phase", "") == phase for line in log.all(entry))

    def discovery(self) -> dict[str, Any]:
        """The document that applications read."""
        known: dict[str, Any] = httpx.get(
            f"{self.sandbox.issuer}/.well-known/openid-configuration", trust_env=False
        ).json()
        return known

    def signing(self) -> tuple[str, frozenset[str]]:
        """The kid of a token that is issued now, and the kids that are published."""
        known = self.discovery()
        with httpx.Client(trust_env=False) as http:
            client = self.sandbox.clients["machine"]
            answer = http.post(
                known["token_endpoint"],
                data={"grant_type": "client_credentials"},
                auth=(client.client_id, client.client_secret),
            )
            keys = http.get(known["jwks_uri"]).json()["keys"]
        return jwt.get_unverified_header(answer.json()["access_token"])["kid"], frozenset(key["kid"] for key in keys)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def staging(sandbox: Sandbox, tmp_path: Path) -> Iterator[Staging]:
    client = sandbox.clients["machine"]
    provider = {"type": "sandbox", "control": sandbox.control.url, "fault_control": sandbox.control.fault_url}
    document = {
        "region": {"name": "here"},
        "issuers": [
            {
                "name": "staging",
                "url": sandbox.issuer,
                "policy": {"allow_http": True},
                "verifiers": ["pyjwt"],
                "clients": [
                    {
                        "name": "machine",
                        "client_id": client.client_id,
                        "auth": {"method": client.auth_method, "secret": {"env": "SANDBOX_MACHINE_SECRET"}},
                        "audience": client.audience,
                        "probes": ["client_credentials"],
                    }
                ],
                "probes": ["jwks"],
                "drill": {"client": "machine", "provider": provider},
            }
        ],
    }
    config = tmp_path / "oidcwatch.yaml"
    config.write_text(yaml.safe_dump(document))
    with ExitStack() as parts:
        parts.callback(sandbox.control.clear)
        yield Staging(sandbox, config, tmp_path / "drills", {**os.environ, **sandbox.environ})


@pytest.mark.parametrize(
    ("entry", "phase"),
    [
        (Entry.PHASE, "preflight"),
        (Entry.PHASE, "predict"),
        (Entry.PHASE, "inject"),
        (Entry.MOVING, ""),
        (Entry.PHASE, "observe"),
        (Entry.PHASE, "recover"),
        (Entry.RESTORING, ""),
        (Entry.PHASE, "report"),
    ],
)
def test_abort_after_a_kill_leaves_the_provider_signing_with_a_published_key(
    staging: Staging, entry: Entry, phase: str
) -> None:
    before = staging.signing()

    killed = staging.killed_at(entry, phase)
    code, said = staging.call("abort")

    signing, published = staging.signing()
    assert code == 0, said
    assert signing == before[0]
    assert signing in published
    assert not (log := read_log(staging.out / killed.id)).touched
    assert not log.agents_told
    assert log.last(Entry.ENDED) is not None


def test_a_provider_that_no_longer_names_its_issuer_is_brought_back(staging: Staging) -> None:
    staging.killed_at(Entry.PHASE, "observe", "issuer-change")
    broken = staging.discovery()

    code, said = staging.call("abort")

    assert broken["issuer"] != staging.sandbox.issuer
    assert code == 0, said
    assert staging.discovery()["issuer"] == staging.sandbox.issuer


def test_a_second_abort_has_nothing_to_do(staging: Staging) -> None:
    staging.killed_at(Entry.PHASE, "observe")
    staging.call("abort")
    after = staging.signing()

    code, said = staging.call("abort")

    assert code == 0, said
    assert staging.signing() == after


def test_another_drill_does_not_begin_before_the_killed_one_is_settled(staging: Staging) -> None:
    killed = staging.killed_at(Entry.PHASE, "observe")

    code, said = staging.call("run", "zero-lead", "--issuer", "staging", "--yes", *_RUN)

    assert code == 3
    assert f"oidcwatch drill abort {killed.id}" in " ".join(said.split())
    staging.call("abort")


def test_resume_settles_the_killed_drill_and_runs_it_again(staging: Staging) -> None:
    before, _ = staging.signing()
    killed = staging.killed_at(Entry.PHASE, "observe")

    code, said = staging.call("resume", "--yes")

    assert code == 0, said
    assert staging.signing()[0] == before
    assert not read_log(staging.out / killed.id).touched
    again = staging.log()
    assert again is not None
    assert again.id != killed.id
    report = json.loads((staging.out / again.id / "report.json").read_text())
    assert report["scenario"] == "zero-lead"
    assert report["verdict"] == "pass"


def test_no_secret_and_no_private_key_is_in_what_a_drill_leaves(staging: Staging) -> None:
    code, said = staging.call("run", "zero-lead", "--issuer", "staging", "--yes", *_RUN)

    left = said + "".join(file.read_text() for file in staging.out.rglob("*") if file.is_file())
    assert code == 0, said
    assert staging.sandbox.clients["machine"].client_secret not in left
    assert "eyJ" not in left  # every JWS begins so
    assert '"d"' not in left
    assert "PRIVATE KEY" not in left
