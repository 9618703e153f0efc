"""Starts the worker, and counts what oidcwatch spends on so many runs of a check."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.cpu import tree_cpu_seconds
from benchmarks.figures import BenchmarkError, Block, Run

_STOP_SECONDS = 30.0


@contextlib.contextmanager
def started_worker(config: Path, check: str, environ: Mapping[str, str]) -> Iterator[Run]:
    """Runs of this check in one long-lived process, as in the agent; the browser counts, started once and kept warm.

    `environ` has the secrets that the configuration refers to.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker", str(config), check],
        env={**os.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def run(runs: int) -> Block:
            before = tree_cpu_seconds(process.pid)
            wall = _ask(process, runs)
            return Block(runs, tree_cpu_seconds(process.pid) - before, wall)

        try:
            yield run
        finally:
            _end(process)


def _ask(process: subprocess.Popen[str], runs: int) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        print(runs, file=process.stdin, flush=True)
        answer = process.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if not answer:
        raise BenchmarkError("oidcwatch's run failed; the reason is above")
    wall: float = json.loads(answer)["wall"]
    return wall


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()  # the worker then closes its browser and ends
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
