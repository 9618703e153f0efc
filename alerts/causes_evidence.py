"""What cause alerts are computed from: failures by reason, and for each cause its bad events among all events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from alerts import series as s
from alerts.causes_model import Evidence
from alerts.deployment import Deployment
from alerts.model import ANY, Condition, Level, Recording
from alerts.promql import duration
from exporters import metrics as m
from exporters.slis import Matcher

# Failures are recorded where there are any: a thousand clients have dozens of reasons each, and nearly all are 0.
FAILURES = "issuer_target_region:oidc_failures:increase"
RUNS = "issuer_target_region:oidc_runs:increase"
TOKEN_ERRORS = "issuer_target_region:oidc_token_errors:increase"
TOKEN_ANSWERS = "issuer_target_region:oidc_token_answers:increase"

CAUSE_BAD = "issuer_target_region:oidc_cause_bad:increase"
CAUSE_TOTAL = "issuer_target_region:oidc_cause_total:increase"
CAUSE = "cause"
"""The label that says which alert the series is for."""

BY: Mapping[Level, str] = {
    Level.ISSUER: f"{m.ISSUER}, {m.DRILL}",
    Level.TARGET: f"{m.ISSUER}, {m.TARGET}, {m.DRILL}",
    Level.REGION: f"{m.ISSUER}, {m.TARGET}, {m.REGION}, {m.DRILL}",
}
_HALF = Decimal("0.5")

Kinds = Mapping[timedelta, tuple[str, ...]]
"""Kinds of probe by the window in which they are judged."""


def recordings(deployment: Deployment, windows: Iterable[timedelta]) -> Iterator[Recording]:
    """Failures, runs and token requests, once for each window."""
    labels = f"{m.ISSUER}, {m.TARGET}, {m.PROBE}, {m.REGION}, {m.DRILL}"
    for window in sorted(windows):
        span = duration(deployment.paced(window))

        def increase(by: str, selector: str, span: str = span) -> str:
            # What is about the issuer as a whole has an empty target; every alert must carry one.
            summed = f"sum by ({by}) (increase({selector}[{span}]))"
            return f'label_replace({summed}, "{m.TARGET}", "{ANY}", "{m.TARGET}", "")'

        by_reason, by_outcome = f"{labels}, {m.REASON.name}", f"{labels}, {m.OUTCOME.name}"
        refused = f'{m.TOKEN_RESPONSES.name}{{{m.OUTCOME.name}!="{m.OK}"}}'
        yield Recording(s.over(FAILURES, window), f"{increase(by_reason, m.FAILURES.name)} > 0")
        yield Recording(s.over(RUNS, window), increase(f"{labels}, {m.RESULT.name}", m.RUNS.name))
        yield Recording(s.over(TOKEN_ERRORS, window), f"{increase(by_outcome, refused)} > 0")
        yield Recording(s.over(TOKEN_ANSWERS, window), increase(labels, m.TOKEN_RESPONSES.name))


@dataclass(frozen=True, slots=True)
class Counted:
    """Which recorded series are bad events, of which all events: the label that tells them apart, and its values."""

    bad: str
    total: str
    label: str
    values: tuple[str, ...]

    def bad_in(self, kinds: Kinds) -> str:
        """The bad events, those of each kind of probe in its own window."""
        why = one_of(self.label, self.values)
        return " or ".join(f"{s.over(self.bad, window)}{{{_probes(names)},{why}}}" for window, names in kinds.items())

    def total_in(self, kinds: Kinds) -> str:
        """All events."""
        return " or ".join(f"{s.over(self.total, window)}{{{_probes(names)}}}" for window, names in kinds.items())


def one_of(label: str, values: Iterable[str]) -> Matcher:
    """The label has one of these values."""
    names = tuple(values)
    return Matcher(label, "=" if len(names) == 1 else "=~", "|".join(names))


def _probes(kinds: Iterable[str]) -> Matcher:
    return one_of(m.PROBE, kinds)


def cause_recordings(cause: str, counted: Counted, kinds: Kinds) -> Iterator[Recording]:
    """Bad events of one cause, and all events of the clients that see bad ones: others do not dilute them."""
    by, labels = BY[Level.REGION], {CAUSE: cause}
    yield Recording(CAUSE_BAD, f"sum by ({by}) ({counted.bad_in(kinds)})", labels)
    affected = f"on ({BY[Level.TARGET]}) {of(CAUSE_BAD, cause)}"
    yield Recording(CAUSE_TOTAL, f"sum by ({by}) ({counted.total_in(kinds)}) and {affected}", labels)


def of(series: str, cause: str) -> str:
    """The series of this cause."""
    return f"{series}{{{Matcher(CAUSE, '=', cause)}}}"


def conditions(cause: str, level: Level, evidence: Evidence, agree: int) -> Iterator[Condition]:
    """What must hold together. `agree` is the number of regions without which nobody is woken; 0 for tickets."""
    by, bad, total = BY[level], of(CAUSE_BAD, cause), of(CAUSE_TOTAL, cause)
    # Half an event less, for increase() estimates what happens between scrapes and is rarely a whole number.
    yield Condition("Failures", f"sum by ({by}) ({bad})", ">=", evidence.floor - _HALF)
    if evidence.share is not None:
        share = f"sum by ({by}) ({bad}) / sum by ({by}) ({total})"
        yield Condition("Share that fails", share, ">=", evidence.share)
    seen = f"count by ({by}) (count by ({by}, {m.REGION}) ({bad}))"
    if evidence.majority:
        ran = f"count by ({by}) (count by ({by}, {m.REGION}) ({total} >= {_HALF}))"
        yield Condition("Share of the regions that see it", f"{seen} / {ran}", ">", _HALF)
    if agree:
        yield Condition("Regions that see it", seen, ">=", Decimal(agree))
