"""What dashboards say about objectives: what was kept, what is left of the budget, and how fast it goes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from alerts import series as s
from alerts.deployment import Deployment, Slo
from alerts.model import SLO
from alerts.promql import duration
from alerts.recording import STEP, has_events, spends_slices
from dashboards.scope import Scope, one_of
from exporters.slis import Matcher

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


def fed_by(deployment: Deployment, *slis: str) -> tuple[Slo, ...]:
    """The objectives for these indicators that checks feed."""
    return tuple(slo for slo in deployment.fed() if slo.sli.name in slis)


def these(slos: Iterable[Slo]) -> Matcher:
    """A matcher of recorded series of these objectives."""
    return one_of(SLO, *(slo.name for slo in slos))


def strictest(slos: Iterable[Slo]) -> Decimal:
    """The highest share, 0 to 1, that one of them promises."""
    return max(slo.objective for slo in slos) / 100


def kept_in(scope: Scope, slos: tuple[Slo, ...], window: timedelta, deployment: Deployment) -> str:
    """The share of good events in that time, of all issuers and clients together.

    Numbers of bad and of all events are added up before they are divided.
    """
    steps = f"[{duration(deployment.paced(window))}:{duration(deployment.paced(STEP))}]"
    bad, total = (
        f"sum(sum_over_time({scope.recorded(s.over(name, STEP), these(slos))}{steps}))" for name in (s.BAD, s.TOTAL)
    )
    return f"1 - {bad} / ({total} > 0)"


def kept_by_budget(scope: Scope, slos: tuple[Slo, ...]) -> str:
    """The share that was good over the objective's window, by issuer and client, from what is left of the budget."""
    left = scope.recorded(s.BUDGET_LEFT, these(slos))
    return f"1 - (1 - {left}) * on ({SLO}) group_left () {s.SLO_BUDGET}"


def burn(scope: Scope, slos: tuple[Slo, ...], window: timedelta) -> str:
    """How many times faster than allowed the budget goes: the same series as the burn-rate alerts."""
    parts = []
    if slices := tuple(slo for slo in slos if spends_slices(slo)):
        parts.append(scope.recorded(s.over(s.SLICE_BAD_AVG, window), these(slices)))
    if events := tuple(slo for slo in slos if has_events(slo) and not spends_slices(slo)):
        parts.append(scope.recorded(s.over(s.RATIO, window), these(events)))
    return f"({' or '.join(parts)}) / on ({SLO}) group_left () {s.SLO_BUDGET}"


def lasts(scope: Scope, slos: tuple[Slo, ...]) -> str:
    """Seconds until the budget is spent at the pace of the last day; nothing where it is not going down."""
    left = scope.recorded(s.BUDGET_LEFT, these(slos))
    # A burn rate of 1 spends the whole budget in one window.
    return f"clamp_min({left}, 0) / ({burn(scope, slos, DAY)} > 0) * on ({SLO}) group_left () {s.SLO_WINDOW}"
