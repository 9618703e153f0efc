"""Whether the regions and addresses of one agent see one key set (ROT-09): where edges serve it, it is many documents.

What another agent (of `other_regions`) sees is not known here, and compared with nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from probes.checks.base import Problem, ProtocolCheck, run_checks
from probes.edges import EdgeSample
from probes.model import Finding, Reason, Severity

_SHOWN = 4  # addresses named in a message


@dataclass(frozen=True, slots=True)
class Views:
    """One key set as it is seen at about the same time."""

    here: frozenset[str]
    """Thumbprints."""
    regions: Mapping[str, frozenset[str]]
    """What this agent's other regions see."""
    edges: tuple[EdgeSample, ...]
    """What each address of the host answers; empty when there is but one, or nobody asked."""
    lasting: bool
    """There has been a disagreement, or an address without a set, for longer than a change takes to reach every edge."""

    @property
    def apart(self) -> tuple[str, ...]:
        """Regions that see another set."""
        return tuple(region for region, seen in self.regions.items() if seen != self.here)

    @property
    def edges_apart(self) -> tuple[EdgeSample, ...]:
        """Addresses that show no set, or another than most of them; of two halves, another than was seen here."""
        counts = Counter(edge.thumbprints for edge in self.edges if not edge.problem)
        usual = max(counts, key=lambda seen: (counts[seen], seen == self.here), default=frozenset())
        return tuple(edge for edge in self.edges if edge.problem or edge.thumbprints != usual)

    @property
    def agreement(self) -> float:
        """The share of regions and addresses that agree, 0 to 1. No set at all is no disagreement until it lasts."""
        edges = [edge for edge in self.edges_apart if self.lasting or not edge.problem]
        return 1 - (len(self.apart) + len(edges)) / (len(self.regions) + 1 + len(self.edges))


def _places(subject: Views) -> Iterator[Problem]:
    if subject.apart:
        message = f"{len(subject.apart)} of {len(subject.regions)} other regions see another key set"
        yield Problem(message, severity=_severity(subject))
    apart = [edge for edge in subject.edges_apart if not edge.problem]
    if apart:
        message = f"{_who(apart, subject.edges)} of {len(subject.edges)} addresses shows another key set than most"
        yield Problem(message, severity=_severity(subject))
    for edge in subject.edges:
        if edge.problem:
            message = f"address {edge.address} shows no key set: {edge.problem}"
            yield Problem(message, severity=_severity(subject))


def _who(apart: Sequence[EdgeSample], edges: Sequence[EdgeSample]) -> str:
    families = {edge.family for edge in apart}
    rest = {edge.family for edge in edges if edge not in apart}
    shown = ", ".join(edge.address for edge in apart[:_SHOWN])
    if len(families) == 1 and not families & rest:
        return f"every {families.pop()} address ({shown})"
    return f"address {shown}"


def _severity(subject: Views) -> Severity:
    return Severity.FAILURE if subject.lasting else Severity.WARNING


_ROW = ProtocolCheck(
    "ROT-09", Severity.FAILURE, Reason.JWKS_INCONSISTENT, "regions and addresses of one agent agree",
    "OIDC Core §10.1.1", _places,
)  # fmt: skip


def agreement_of(views: Views) -> list[Finding]:
    """Findings of ROT-09, whose other half (`probes.checks.jwks`) compares the samples of one run."""
    return run_checks((_ROW,), views)
