"""A configuration, a run history with a known outage, and the program as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporters.store import RunStore
from probes.model import Check, Failure, ProbeResult, Reason, Stage
from probes.subjects import Issuer

START = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = 8
OUTAGE = range(300, 320)
"""Minutes in which the runs of every region fail."""
REGIONS = ("ap", "eu", "us")

CONFIG = """
region: {name: eu}
other_regions: [{name: us}, {name: ap}]
issuers:
  - {name: acme, url: "https://login.acme.example", probes: [{type: jwks, every: 60s}]}
slos:
  - {sli: jwks-fetch, objective: 99.9}
  - {sli: jwks-freshness, objective: 99}
  - {sli: idp-availability, objective: 99.9}
agent: {data_dir: data}
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class History:
    """What the tests know of the runs that they replay."""

    start: datetime = START
    minutes: int = HOURS * 60
    outage: range = OUTAGE
    regions: tuple[str, ...] = REGIONS

    def write(self, path: Path, noise: Callable[[int, str], bool] = lambda minute, region: False) -> Path:
        """A store with a run a minute in every region; those of the outage, and those that are noise, fail."""
        check = Check(Issuer("acme", "https://login.acme.example"), "jwks", interval=60)
        store = RunStore.open(path, clock=lambda: self.start + timedelta(hours=HOURS))
        for minute in range(self.minutes):
            for region in self.regions:
                failed = minute in self.outage or noise(minute, region)
                failure = Failure(Reason.SERVER_ERROR, Stage.JWKS, "503") if failed else None
                begun = self.start + timedelta(minutes=minute, seconds=30)
                store.add(ProbeResult(check, region, f"{minute:032x}", begun, 0.2, (), failure=failure))
        store.close()
        return path


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of the history's deployment; its run history is not there yet."""
    path = tmp_path / "oidcwatch.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `oidcwatch slo` with these arguments."""

    def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "oidcwatch", "slo", *arguments],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if not key.startswith("OIDCWATCH_")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_command
