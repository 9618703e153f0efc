"""What a protocol check is, and how a table of them is run over one document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from probes.model import Finding, Reason, Severity

_LONGEST = 500  # characters of a message: providers choose how long the names are that it quotes

S = TypeVar("S")
"""The document (with its surroundings) that a table of checks looks at."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a check found, where reason or severity differ from those of its row."""

    message: str
    reason: Reason | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class ProtocolCheck(Generic[S]):
    """One row: a stable id, how bad, with which reason the run fails, where it is written, and the function that looks.

    `find` yields a message, or a Problem, for each thing that is wrong; nothing when all is well. It never raises.
    """

    id: str
    severity: Severity
    reason: Reason
    title: str
    citation: str
    find: Callable[[S], Iterable[str | Problem]]
    tolerated: bool = False
    """A failure of it spends no budget: about how keys are handled, say, where the key set itself can be used."""


def run_checks(checks: Sequence[ProtocolCheck[S]], subject: S) -> list[Finding]:
    """All findings of a table over one subject, in table order."""
    return [_finding(check, found) for check in checks for found in check.find(subject)]


def has_failure(findings: Iterable[Finding]) -> bool:
    """Whether one of these is a failure, also one that a run tolerates."""
    return any(finding.severity is Severity.FAILURE for finding in findings)


def is_fatal(findings: Iterable[Finding]) -> bool:
    """Whether the run fails on these."""
    return any(finding.fatal for finding in findings)


def _finding(check: ProtocolCheck[S], found: str | Problem) -> Finding:
    problem = Problem(found) if isinstance(found, str) else found
    return Finding(
        check_id=check.id,
        severity=problem.severity or check.severity,
        message=problem.message[:_LONGEST],
        citation=check.citation,
        reason=problem.reason or check.reason,
        tolerated=check.tolerated,
    )
