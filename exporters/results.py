"""The newest results of every check and region, in memory: what the status page and the API show."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from probes.model import Check, ProbeResult
from probes.subjects import Region

KEPT = 30


@dataclass(frozen=True, slots=True)
class Row:
    """One check in one region with its newest results, oldest first; none before the first run."""

    check: Check
    region: str
    results: tuple[ProbeResult, ...]

    @property
    def last(self) -> ProbeResult | None:
        """The newest result."""
        return self.results[-1] if self.results else None


class ResultsBook:
    """Bounded: `kept` results for each check and region, without the bytes of their artifacts. Thread-safe."""

    def __init__(self, regions: Sequence[Region], kept: int = KEPT) -> None:
        self._regions = tuple(region.name for region in regions)
        self._kept = kept
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], tuple[Check, deque[ProbeResult]]] = {}

    def configure(self, checks: Iterable[Check]) -> None:
        """Show exactly these checks, in this order; the others' results are forgotten."""
        with self._lock:
            before = self._rows
            self._rows = {}
            for check in checks:
                for region in check.regions or self._regions:
                    _, results = before.get((check.name, region), (check, deque[ProbeResult](maxlen=self._kept)))
                    self._rows[check.name, region] = (check, results)

    def publish(self, result: ProbeResult) -> None:
        """Keep a result. A run of a check that has left the configuration is dropped."""
        slim = replace(result, artifacts=tuple(replace(artifact, content=b"") for artifact in result.artifacts))
        with self._lock:
            row = self._rows.get((result.check.name, result.region))
            if row is not None:
                row[1].append(slim)

    def rows(self) -> tuple[Row, ...]:
        """Every check and region as of now."""
        with self._lock:
            return tuple(
                Row(check, region, tuple(results)) for (_, region), (check, results) in self._rows.items()
            )  # fmt: skip
