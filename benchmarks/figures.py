"""The arithmetic of the benchmarks: blocks of runs, medians with their spread, ratios, percentiles, goals. No I/O."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class BenchmarkError(RuntimeError):
    """A measurement could not be made; the message says why and, where a part is missing, what installs it."""


@dataclass(frozen=True, slots=True)
class Block:
    """So many runs in a row, and the seconds of CPU (user and system) and of wall time that they took together."""

    runs: int
    cpu: float
    wall: float


Run = Callable[[int], Block]
"""Does so many runs in a row. Raises BenchmarkError when one of them fails: a failing run is cheap, and no figure."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be."""

    limit: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g}"

    def met(self, value: float) -> bool:
        """Whether the value is on the right side of the limit, or on it."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure with what it came from."""

    name: str
    value: float
    goal: Goal
    sources: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """As it stands in latest.json."""
        met = self.goal.met(self.value)
        return {"value": _short(self.value), "goal": str(self.goal), "met": met, **self.sources}


def alternate(sides: Mapping[str, tuple[Run, int]], rounds: int) -> dict[str, list[Block]]:
    """Blocks of each side in turn, `rounds` times over, so that all of them see the same machine.

    A side is what runs, and how many runs make one block. A first round goes before, uncounted: caches are warm then.
    """
    blocks: dict[str, list[Block]] = {name: [] for name in sides}
    for _ in range(1 + rounds):
        for name, (run, runs) in sides.items():
            blocks[name].append(run(runs))
    return {name: made[1:] for name, made in blocks.items()}


def ratio(over: Sequence[Block], under: Sequence[Block]) -> float:
    """Median CPU seconds a run of the first, over that of the second."""
    return statistics.median(_cpu(over)) / statistics.median(_cpu(under))


def round_ratios(over: Sequence[Block], under: Sequence[Block]) -> dict[str, float]:
    """The spread of the ratio from round to round."""
    return spread([first / second for first, second in zip(_cpu(over), _cpu(under), strict=True)])


def summary(blocks: Sequence[Block]) -> dict[str, Any]:
    """Seconds a run, over the blocks of one side."""
    return {
        "runs": sum(block.runs for block in blocks),
        "cpu_seconds": spread(_cpu(blocks)),
        "wall_seconds": spread([block.wall / block.runs for block in blocks]),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {
        "median": _short(statistics.median(values)),
        "lowest": _short(min(values)),
        "highest": _short(max(values)),
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed (nearest rank). Raises ValueError without values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 and p100."""
    return {f"p{percent}": _short(percentile(values, percent)) for percent in (50, 90, 99, 100)}


def _cpu(blocks: Sequence[Block]) -> list[float]:
    return [block.cpu / block.runs for block in blocks]


def _short(value: float) -> float:
    """Four significant digits: more than any of these measurements is good for."""
    return float(f"{value:.4g}")
