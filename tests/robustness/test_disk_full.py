"""The disk is full, and nobody takes what the agent prints: it goes on measuring."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.process

_FULL = Path("/dev/full")


@pytest.fixture
def small_disk(tmp_path: Path, need: Callable[[str, str], str], root: None) -> Iterator[Path]:
    """A file system of 1 MiB."""
    need("mount", "mount")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    return filler


def test_evidence_that_cannot_be_stored_is_counted_and_the_run_is_published(bench: Any, small_disk: Path) -> None:
    bench.sandbox.control.fault("login-submit-500")
    data = small_disk / "data"
    with bench.agent(bench.document("login", "discovery", agent={"data_dir": str(data)})) as agent:
        agent.until(lambda: agent.runs("failure", probe="login"))
        assert agent.metric("oidcwatch_artifacts_write_failures_total") == 0
        assert len(list((data / "artifacts").iterdir())) == 1
        filler = _fill(small_disk)

        agent.again()
        agent.until(lambda: agent.runs("failure", probe="login") == 2)

        assert agent.metric("oidcwatch_artifacts_write_failures_total") == 1
        assert agent.metric("oidc_probe_failures_total", reason="server_error") == 2
        agent.until(agent.more("success", 2, probe="discovery"))
        assert agent.get("/")[0] == agent.get("/api/results")[0] == 200
        assert len(list((data / "artifacts").iterdir())) == 1  # nothing half-written

        filler.unlink()
        agent.again()
        agent.until(lambda: len(list((data / "artifacts").iterdir())) == 2)
        assert agent.metric("oidcwatch_artifacts_write_failures_total") == 1


def test_a_log_that_cannot_be_written_does_not_stop_the_agent(bench: Any) -> None:
    bench.sandbox.control.fault("jwks-not-json")  # each run writes to the log
    with bench.agent(bench.document("discovery", "jwks"), stderr=_FULL) as agent:
        agent.until(agent.more("failure", 3, probe="jwks"))

        agent.until(agent.more("success", 1, probe="discovery"))
        assert agent.stop() == 0


def test_an_output_that_cannot_be_written_does_not_stop_the_agent(bench: Any, tmp_path: Path) -> None:
    config = tmp_path / "oidcwatch.yaml"
    config.write_text(yaml.safe_dump(bench.document("discovery")))
    asked = sum(bench.sandbox.control.proxy_hits().values())

    with _FULL.open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "oidcwatch", "run", "-c", str(config), "--for", "4"],
            env=bench.environ, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert sum(bench.sandbox.control.proxy_hits().values()) >= asked + 3


def test_a_reader_that_goes_away_does_not_stop_the_agent(bench: Any) -> None:
    with bench.agent(bench.document("discovery")) as agent:
        agent.process.stdout.close()

        agent.until(agent.more("success", 3))

        assert agent.stop() == 0
