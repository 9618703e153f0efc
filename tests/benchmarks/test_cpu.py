"""CPU time is counted over whole process trees, the ended ones included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cpu import TICKS_PER_SECOND, tree_cpu_seconds

ROOT = Path(__file__).parent.parent.parent
SPIN = "import time\nwhile time.process_time() < 0.2: pass"
# Its child hands the work to a grandchild and ends first: the grandchild is an orphan while it works.
ORPHANS = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SPIN!r}])"


def process(proc: Path, pid: int, children: str, times: tuple[int, int, int, int]) -> None:
    """A process as /proc shows it: user, system, and both of the children that were waited for, in ticks."""
    (proc / str(pid) / "task" / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "task" / str(pid) / "children").write_text(children)
    head = f"{pid} (a name) with spaces) S 1 1 1 0 -1 4194304 100 0 0 0"
    (proc / str(pid) / "stat").write_text(f"{head} {' '.join(map(str, times))} 20 0 1 0 12345")


def test_a_tree_counts_the_living_and_those_that_were_waited_for(tmp_path: Path) -> None:
    process(tmp_path, 10, "11 12", (1, 2, 30, 40))
    process(tmp_path, 11, "", (100, 200, 0, 0))

    seconds = tree_cpu_seconds(10, tmp_path)  # 12 has just ended

    assert seconds == 373 / TICKS_PER_SECOND


def test_a_process_that_is_gone_has_used_nothing(tmp_path: Path) -> None:
    assert tree_cpu_seconds(4_000_000, tmp_path) == 0.0


def test_our_own_time_grows_with_work() -> None:
    before = tree_cpu_seconds(os.getpid())

    subprocess.run([sys.executable, "-c", SPIN], check=True)

    assert tree_cpu_seconds(os.getpid()) - before > 0.15


@pytest.mark.process
def test_a_counted_command_includes_what_outlives_its_parent() -> None:
    command = [sys.executable, "-m", "benchmarks.counted", sys.executable, "-c", ORPHANS]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)

    assert json.loads(done.stdout)["cpu"] >= 0.2


@pytest.mark.process
def test_a_counted_command_that_fails_is_known_to_have_failed() -> None:
    command = [sys.executable, "-m", "benchmarks.counted", sys.executable, "-c", "raise SystemExit(3)"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 3
