"""The conditions of a cause alert: enough failures, a share of the runs, and regions that agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

BY = {
    Level.ISSUER: f"{m.ISSUER}, {m.DRILL}",
    Level.TARGET: f"{m.ISSUER}, {m.TARGET}, {m.DRILL}",
    Level.REGION: f"{m.ISSUER}, {m.TARGET}, {m.REGION}, {m.DRILL}",
}
_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Counted:
    """Bad events and all events, by region, over one window."""

    bad: str
    total: str
    window: timedelta

    def of_whom(self, level: Level) -> str:
        """All events of the clients that see bad ones: others do not dilute them."""
        return f"{self.total} and on ({BY[Level.TARGET]}) {self.bad}" if level is Level.ISSUER else self.total


def failures(kinds: Iterable[str], reasons: Iterable[str], window: timedelta) -> Counted:
    """Runs of these kinds of probe that failed for one of the reasons."""
    probe = Matcher(m.PROBE, "=~", "|".join(sorted(kinds)))
    reason = Matcher(m.REASON.name, "=~", "|".join(reasons))
    return Counted(f"{s.over(FAILURES, window)}{{{probe},{reason}}}", f"{s.over(RUNS, window)}{{{probe}}}", window)


def token_errors(kinds: Iterable[str], outcomes: Iterable[str], window: timedelta) -> Counted:
    """Token requests of these kinds of probe that came to one of the outcomes."""
    probe = Matcher(m.PROBE, "=~", "|".join(sorted(kinds)))
    outcome = Matcher(m.OUTCOME.name, "=~", "|".join(outcomes))
    bad, total = s.over(TOKEN_ERRORS, window), s.over(TOKEN_ANSWERS, window)
    return Counted(f"{bad}{{{probe},{outcome}}}", f"{total}{{{probe}}}", window)


def recordings(deployment: Deployment, windows: Iterable[timedelta]) -> Iterator[Recording]:
    """What all cause alerts are computed from, once for each window."""
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


def conditions(counted: Counted, level: Level, evidence: Evidence, agree: int) -> Iterator[Condition]:
    """What must hold together. `agree` is the number of regions without which nobody is woken; 0 for tickets."""
    by, within, of_whom = BY[level], duration(counted.window), counted.of_whom(level)
    bad = f"sum by ({by}) ({counted.bad})"
    # Half an event less, for increase() estimates what happens between scrapes and is rarely a whole number.
    yield Condition(f"Failures in {within}", bad, ">=", evidence.floor - _HALF)
    if evidence.share is not None:
        yield Condition(f"Share that fails in {within}", f"{bad} / sum by ({by}) ({of_whom})", ">=", evidence.share)
    seen = f"count by ({by}) (count by ({by}, {m.REGION}) ({counted.bad}))"
    if evidence.majority:
        ran = f"count by ({by}) (count by ({by}, {m.REGION}) (({of_whom}) >= 0.5))"
        yield Condition(f"Share of the regions that see it in {within}", f"{seen} / {ran}", ">", _HALF)
    if agree:
        yield Condition(f"Regions that see it in {within}", seen, ">=", Decimal(agree))
