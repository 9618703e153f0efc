"""Protects real users from a drill: budgets before it starts, abort rules while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from alerts import series as s
from alerts.model import SLO
from drills.alert_watch import pages_for_real_runs
from drills.driver import Ready
from drills.monitoring import Monitoring
from drills.target import AbortRule
from exporters import metrics as m
from exporters.slis import Matcher
from runbooks.prometheus import PrometheusError, Sample

BLIND_SECONDS = 30.0
"""A drill whose abort rules cannot be evaluated for so long ends: nobody would see that users suffer."""


@dataclass(slots=True)
class PrometheusGuard:
    """Asks Prometheus. Belongs to one thread. `told`: agents know of the drill, so real runs are told from its own."""

    monitoring: Monitoring
    issuer: str
    least_budget: Decimal
    """Share of each error budget."""
    aborts: tuple[AbortRule, ...]
    told: bool
    monotonic: Callable[[], float] = time.monotonic
    _saw: float | None = field(default=None)
    """When every rule was last evaluated, by `monotonic`."""

    def budget(self) -> tuple[Ready, ...]:
        """A line for each objective of the issuer, for each abort rule, and for what pages already. Those that are not ok forbid the drill."""
        try:
            left = self.monitoring.query(self._budget_query())
        except PrometheusError as error:
            text = f"Prometheus does not answer ({error}); mend that, or leave --prometheus out"
            return (Ready("error budget", False, text),)
        budgets = tuple(self._judged(sample) for sample in left if math.isfinite(sample.value))
        nothing = Ready("error budget", True, f"none is recorded for {self.issuer}, so none can be spent")
        return (*(budgets or (nothing,)), *self._rules(), *self._quiet())

    def broken(self) -> str:
        """Why the drill must end now; empty when it need not."""
        now = self.monotonic()
        try:
            reason = next(filter(None, map(self._above, self.aborts)), "") or self._real_users()
        except PrometheusError as error:
            since = self._saw = self._saw if self._saw is not None else now
            blind = now - since
            return f"abort rules cannot be evaluated for {blind:.0f} s: {error}" if blind >= BLIND_SECONDS else ""
        self._saw = now
        return reason

    def _budget_query(self) -> str:
        matchers = (Matcher(m.ISSUER, "=", self.issuer), Matcher(m.DRILL, "=", "false"))
        return f"min by ({SLO}, {m.TARGET}) ({s.BUDGET_LEFT}{{{','.join(map(str, matchers))}}})"

    def _judged(self, sample: Sample) -> Ready:
        name = " of ".join(filter(None, (sample.labels.get(SLO, ""), sample.labels.get(m.TARGET, ""))))
        left, least = f"{sample.value:.0%} left", f"{self.least_budget:.0%}"
        if sample.value < self.least_budget:
            return Ready(f"error budget {name}", False, f"{left}, and a drill wants {least}: wait (drill.least_budget)")
        return Ready(f"error budget {name}", True, f"{left} (a drill wants {least})")

    def _rules(self) -> Iterator[Ready]:
        for rule in self.aborts:
            name = f"abort rule {rule.text!r}"
            try:
                values = self._values(rule)
            except PrometheusError as error:
                yield Ready(name, False, f"cannot be evaluated: {error}; correct drill.abort_when")
            else:
                yield Ready(name, *_looked_at(rule, values))

    def _quiet(self) -> Iterator[Ready]:
        """A drill would be lost among real trouble, and would add to it."""
        try:
            paging = pages_for_real_runs(self.monitoring, self.issuer)
        except PrometheusError as error:
            yield Ready("alerts", False, f"Prometheus does not answer: {error}")
        else:
            quiet = f"nothing pages for {self.issuer}"
            yield Ready("alerts", not paging, f"{', '.join(paging)} pages: end that trouble first" if paging else quiet)

    def _above(self, rule: AbortRule) -> str:
        return _broken(rule, self._values(rule))

    def _values(self, rule: AbortRule) -> tuple[float, ...]:
        return tuple(sample.value for sample in self.monitoring.query(rule.query))

    def _real_users(self) -> str:
        """Where runs of the drill cannot be told from others, its own failures would end it."""
        paging = pages_for_real_runs(self.monitoring, self.issuer) if self.told else ()
        return f"{', '.join(paging)} pages for runs outside of the drill" if paging else ""


def _looked_at(rule: AbortRule, values: tuple[float, ...]) -> tuple[bool, str]:
    """Whether a drill may start. A rule that has no value now may well have none while users suffer."""
    if not values:
        return False, (
            "the query gives no series, which never ends a drill: correct drill.abort_when, or end it with `or vector(0)`"
        )
    if all(map(math.isnan, values)):  # NaN is above nothing (IEEE 754); Prometheus gives it for 0 / 0
        return False, (
            "the query gives NaN, which never ends a drill: correct drill.abort_when, or end it with `>= 0 or vector(0)`"
        )
    reason = _broken(rule, values)
    return not reason, f"{reason} already" if reason else f"not above {rule.above:g}"


def _broken(rule: AbortRule, values: tuple[float, ...]) -> str:
    above = [value for value in values if value > rule.above]
    return f"{rule.text}: {max(above):g} is above {rule.above:g}" if above else ""
