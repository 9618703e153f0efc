"""`python -m benchmarks.observed_agent CONFIG`: the agent, with every lateness kept as it was.

Prints a line when it serves its pages, and after SIGTERM one JSON line with what it saw.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cpu import adopt_orphans
from oidcwatch.agent import Agent
from oidcwatch.config import load
from oidcwatch.loop import run_loop
from oidcwatch.schedule import ScheduleObserver
from probes.model import ProbeResult
from probes.redact import Redactor


@dataclass(slots=True)
class Tally:
    """Stands before the agent's own observer, and keeps the raw values which a histogram would round."""

    observer: ScheduleObserver
    begun: float = field(default_factory=time.monotonic)
    lateness: list[tuple[float, float]] = field(default_factory=list)
    """Of each run: seconds since the beginning, and how late it was."""
    missed: int = 0
    results: Counter[str] = field(default_factory=Counter)

    def run_started(self, late_seconds: float) -> None:
        self.lateness.append((time.monotonic() - self.begun, late_seconds))
        self.observer.run_started(late_seconds)

    def run_ended(self) -> None:
        self.observer.run_ended()

    def runs_missed(self, count: int = 1) -> None:
        self.missed += count
        self.observer.runs_missed(count)

    def publish(self, result: ProbeResult) -> None:
        """Counts `login success`, `jwks timeout` and the like."""
        self.results[f"{result.check.probe} {result.failure.reason if result.failure else 'success'}"] += 1


class ObservedAgent(Agent):
    """The agent with a tally in its schedule."""

    def observe(self) -> Tally:
        """Call before `serve`."""
        tally = Tally(self._schedule.observer)
        self._schedule.observer = tally
        self.publish_also = (*self.publish_also, tally.publish)
        return tally


async def serve(config: Path) -> None:
    """Until SIGTERM."""
    agent = ObservedAgent(load(config, os.environ), lambda: load(config, os.environ), Redactor())
    tally = agent.observe()
    await agent.serve(ready=lambda url: print(url, flush=True))
    print(json.dumps({"lateness": tally.lateness, "missed": tally.missed, "results": tally.results}), flush=True)


if __name__ == "__main__":
    adopt_orphans()
    run_loop(serve(Path(sys.argv[1])))
