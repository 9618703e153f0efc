"""`oidcwatch stack`, and `oidcwatch demo` with Prometheus and Alertmanager, from outside."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.process

Start = Callable[..., subprocess.Popen[str]]
SECONDS = 60.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `oidcwatch` with these arguments; its temporary files lie in a folder of the test."""
    started: list[subprocess.Popen[str]] = []

    def oidcwatch(*arguments: str, path: str = os.environ["PATH"]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "oidcwatch", *arguments],
            env={**os.environ, "PATH": path, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield oidcwatch
    for process in started:
        if process.poll() is None:
            process.terminate()  # the hard way would leave its children
        process.communicate(timeout=SECONDS)


def read_until(process: subprocess.Popen[str], last: str) -> str:
    """What it says up to the line that begins so."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith(last):
            return said
    raise AssertionError(f"it ended before it said {last!r}:\n{said}")


def answers(url: str) -> None:
    """Returns when GET `url` answers 200."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(url, trust_env=False, timeout=10).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


def running_from(folder: Path) -> list[str]:
    """Command lines of the processes that name this folder."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue  # it has just ended
    return [line for line in lines if str(folder) in line]


def test_the_stack_says_where_everything_is_and_ends_it_all_at_ctrl_c(start: Start, tmp_path: Path) -> None:
    process = start("stack", "--speed", "20")
    said = read_until(process, "running until Ctrl-C")
    for name, path in (("Prometheus", "/-/ready"), ("Alertmanager", "/-/ready"), ("eu-west", "-/healthy")):
        found = re.search(rf"^{name} +(http://\S+)", said, re.MULTILINE)
        assert found, said
        answers(found[1] + path)
    assert running_from(tmp_path)

    process.send_signal(signal.SIGINT)

    assert process.wait(SECONDS) == 0
    assert running_from(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_demo_is_watched_by_prometheus_and_alertmanager(start: Start) -> None:
    process = start("demo", "--port", "0")
    said = read_until(process, "running until Ctrl-C")

    for name, path in (
        ("Prometheus", "/-/ready"),
        ("Alertmanager", "/-/ready"),
        ("notifications", ""),
        ("runbooks", ""),
    ):
        found = re.search(rf"^{name} +(http://\S+)", said, re.MULTILINE)
        assert found, said
        answers(found[1] + path)


def test_the_demo_without_prometheus_says_how_to_get_it(start: Start, tmp_path: Path) -> None:
    # A PATH with all that is there but the one that is wanted.
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("chromium-headless-shell", "prometheus-alertmanager"):
        found = shutil.which(name)
        assert found, "deploy/install.sh all"
        (programs / name).symlink_to(found)
    process = start("demo", "--port", "0", path=str(programs))

    said = read_until(process, "running until Ctrl-C")

    assert "prometheus not found (apt-get install prometheus)" in said
    assert "Alertmanager  http" not in said


def test_the_demo_leaves_them_out_when_told(start: Start) -> None:
    process = start("demo", "--port", "0", "--no-stack")

    said = read_until(process, "running until Ctrl-C")

    assert "Prometheus" not in said
