"""What an agent has measured is in its run history afterwards, and can be replayed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from exporters.stored_runs import read_runs
from probes.model import Outcome, Reason
from sandbox.launch import start_sandbox

if TYPE_CHECKING:
    from tests.oidcwatch.slo.conftest import Run

pytestmark = pytest.mark.process


def test_an_agent_keeps_its_runs_and_they_can_be_replayed(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "oidcwatch.yaml"
    with start_sandbox() as sandbox:
        sandbox.control.fault("jwks-not-json")
        probes = [{"type": kind, "every": "1s", "timeout": "1s"} for kind in ("discovery", "jwks")]
        issuer = {"name": "sandbox", "url": sandbox.issuer, "policy": {"allow_http": True}, "probes": probes}
        agent = {"listen": "127.0.0.1:0", "data_dir": "data", "start_spread": "0s"}
        config.write_text(yaml.safe_dump({"region": {"name": "here"}, "agent": agent, "issuers": [issuer]}))

        ended = subprocess.run(
            [sys.executable, "-m", "oidcwatch", "run", "-c", str(config), "--for", "4"],
            env={**os.environ, **sandbox.environ}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    now = datetime.now(UTC)
    kept = list(read_runs(tmp_path / "data" / "runs.sqlite", now - timedelta(hours=1), now))
    assert {(each.probe, each.outcome) for each in kept} == {("discovery", Outcome.SUCCESS), ("jwks", Outcome.FAILURE)}
    assert {each.reason for each in kept if each.probe == "jwks"} == {Reason.BAD_RESPONSE}
    assert len(kept) >= 4
    replayed = run("backtest", "--json", "-c", str(config), "--from", "1h")
    assert "jwks-fetch" in json.loads(replayed.stdout)["replayed"]
