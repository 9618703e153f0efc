"""An agent that is started again knows which keys the tokens were signed with that the one before had seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporters.stored_runs import read_runs
from probes.model import Outcome, Reason
from sandbox.launch import Sandbox, start_sandbox


class Bench:
    """A sandbox with an agent that looks at its keys and its tokens every second."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        machine = sandbox.clients["machine"]
        jwks, tokens = ({"type": kind, "every": "1s", "timeout": "1s"} for kind in ("jwks", "client_credentials"))
        client = {
            "name": "machine",
            "client_id": machine.client_id,
            "auth": {"method": machine.auth_method, "secret": {"env": "SANDBOX_MACHINE_SECRET"}},
            "scopes": list(machine.scopes),
            "audience": machine.audience,
            "probes": [tokens],
        }
        issuer = {"name": "sandbox", "url": sandbox.issuer, "policy": {"allow_http": True}, "clients": [client]}
        agent = {"listen": "127.0.0.1:0", "data_dir": "data", "start_spread": "0s"}
        document = {"region": {"name": "here"}, "agent": agent, "issuers": [{**issuer, "probes": [jwks]}]}
        self.config = folder / "oidcwatch.yaml"
        self.config.write_text(yaml.safe_dump(document))

    def oidcwatch(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "oidcwatch", *arguments, "-c", str(self.config)],
            env={**os.environ, **self.sandbox.environ}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def states(self) -> list[str]:
        listed: list[dict[str, Any]] = json.loads(self.oidcwatch("keys", "list", "sandbox", "--json"))
        return sorted(key["state"] for key in listed if key["alg"] == "RS256")

    def failures_of_the_key_set(self) -> set[Reason | None]:
        now = datetime.now(UTC)
        runs = read_runs(self.folder / "data" / "runs.sqlite", now - timedelta(hours=1), now, probe="jwks")
        return {run.reason for run in runs if run.outcome is not Outcome.SUCCESS}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with start_sandbox() as sandbox:
        yield Bench(sandbox, tmp_path)


@pytest.mark.process
def test_a_key_removed_too_early_between_two_agents_fails_the_second_ones_runs(bench: Bench) -> None:
    bench.oidcwatch("run", "--for", "3")
    before, quiet = bench.states(), bench.failures_of_the_key_set()
    bench.sandbox.control.rotate("abrupt")

    bench.oidcwatch("run", "--for", "3")

    assert (before, quiet) == (["active"], set())
    assert bench.states() == ["active", "removed"]
    assert bench.failures_of_the_key_set() == {Reason.ROTATION_UNSAFE}
