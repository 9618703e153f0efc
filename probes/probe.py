"""The contract between a probe and whoever runs it: the probe does its steps, the caller owns time and verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol

from probes.model import (
    Artifact,
    Attribute,
    Check,
    Finding,
    Measurement,
    ProbeFailure,
    Quantity,
    Stage,
    Step,
)

Clock = Callable[[], datetime]
"""Gives the present as aware UTC. A parameter everywhere, so that tests and drills can move it."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Steps:
    """What one run has recorded so far: steps with times, findings, measurements, artifacts, secrets to hide.

    Usage: `with steps(Stage.TOKEN) as note: ...; note["http.status"] = 200`. A step that raises is kept, not ok.
    """

    clock: Clock = utc_now
    done: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set, repr=False)
    learn: Callable[[Iterable[str]], None] = field(default=lambda _: None, repr=False)
    """Told each secret at once, so that a log line of this very moment is clean too."""
    failed_at: Stage | None = None
    """The innermost step that an error left through: where the run failed."""

    @contextmanager
    def __call__(self, stage: Stage) -> Iterator[dict[str, Attribute]]:
        """Time the block as one step; yields the step's attributes to write into."""
        attributes: dict[str, Attribute] = {}
        started, begun = self.clock(), time.perf_counter()
        ok = False
        try:
            yield attributes
            ok = True
        finally:
            if not ok and self.failed_at is None:
                self.failed_at = stage
            seconds = time.perf_counter() - begun
            self.done.append(Step(stage, started, seconds, ok, MappingProxyType(attributes)))

    def hide(self, value: str) -> str:
        """Remember a token, code or password of this run so that it is removed from all that the run leaves behind."""
        if value:
            self.secrets.add(value)
            self.learn((value,))
        return value

    def measure(self, quantity: Quantity, value: float, **labels: str) -> None:
        """Record a measured value; labels must be bounded (no URL, kid, sub or message)."""
        self.measurements.append(Measurement(quantity, value, tuple(sorted(labels.items()))))

    def judge(self, findings: Iterable[Finding]) -> None:
        """Record findings and end the run at the first fatal one among them.

        Raises ProbeFailure with that finding's reason.
        """
        found = list(findings)
        self.findings.extend(found)
        for finding in found:
            if finding.fatal:
                raise ProbeFailure(finding.reason, f"{finding.check_id}: {finding.message}")


class Probe(Protocol):
    """Does the steps of one kind of check. Owns no loop, no registry, no deadline, no retry."""

    def __call__(self, check: Check, steps: Steps) -> Coroutine[Any, Any, None]:
        """Returns when all went well; raises ProbeFailure, or any error that `probes.classify` knows."""
        ...
