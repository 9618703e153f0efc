"""What a login costs, against Playwright's test runner started for each login."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import BenchmarkError, Block, Figure, Goal, Run, alternate, ratio, round_ratios, summary
from benchmarks.ours import started_worker
from benchmarks.playwright_runner import BARE, NPX, installed_runner, runner
from benchmarks.provider import LOGIN_CHECK, Bench, find_browser, started_provider
from probes.browser_launch import INSTALL_BROWSER

_GOAL = Goal(8, at_least=True)
_SHELL, _FULL = "chromium-headless-shell", "chromium"
_BLOCK = 8
_ROUNDS, _QUICK_ROUNDS = 6, 2
_OURS, _THEIRS = "oidcwatch", "playwright_test"
_WITHOUT_NPX = "playwright_test_without_npx"
"""The same without npx, which only finds the runner."""


def measure(*, quick: bool, say: Callable[[str], None]) -> Figure:
    """CPU of a login by the runner over that of one by oidcwatch, with the same browser and the same provider.

    Both make the same journey, from discovery to logout; ours also verifies what it is given. Raises BenchmarkError.
    """
    shell, full = find_browser(_SHELL), find_browser(_FULL)
    if shell is None:
        raise BenchmarkError(f"{_SHELL} is not on the PATH: {INSTALL_BROWSER}")
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    folder = installed_runner(os.environ, say)
    with started_provider() as bench:
        blocks = _with_browser(bench, shell, folder, rounds)
        other = _with_browser(bench, full, folder, rounds) if full else None
    return Figure(
        "login_cpu_ratio",
        ratio(blocks[_THEIRS], blocks[_OURS]),
        _GOAL,
        {
            "measured": "CPU seconds of a login by `npx playwright test` over those of one by oidcwatch",
            "browser": _SHELL,
            **_sources(blocks),
            "full_chromium": _sources(other) if other else None,
        },
    )


def _with_browser(bench: Bench, browser: str, folder: Path, rounds: int) -> dict[str, list[Block]]:
    def started(*command: str) -> tuple[Run, int]:
        return runner(folder, command, browser, bench.peer, os.environ, bench.folder / "output"), 1

    config, secrets = bench.config(browser), bench.peer.environ
    with started_worker(config, LOGIN_CHECK, secrets) as ours:
        return alternate({_OURS: (ours, _BLOCK), _THEIRS: started(*NPX), _WITHOUT_NPX: started(*BARE)}, rounds)


def _sources(blocks: dict[str, list[Block]]) -> dict[str, Any]:
    ratios = {f"{theirs} / {_OURS}": round_ratios(blocks[theirs], blocks[_OURS]) for theirs in (_THEIRS, _WITHOUT_NPX)}
    return {"ratios_of_rounds": ratios, **{name: summary(made) for name, made in blocks.items()}}
