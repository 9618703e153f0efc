"""Recording rules of one objective: events as numerator and denominator, time slices with a quorum, the budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from alerts import series as s
from alerts.deployment import Deployment, Slo
from alerts.model import ANY, SLO, Alert, Group, Recording
from alerts.promql import duration, number, selected
from alerts.windows import Severity, Tier
from exporters import metrics as m
from exporters.slis import Events, Freshness, Latency, Matcher, Selector, Slices

STEP = timedelta(minutes=5)
"""Windows beyond an hour are sums of recorded steps: counters over days would be millions of samples a query."""
_RAW = timedelta(hours=1)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_SLICE, _LONGEST_SLICE = timedelta(minutes=1), timedelta(minutes=5)  # series older than 5m are stale to Prometheus

_REAL = Matcher(m.DRILL, "=", "false")
_STALE_AFTER = 3


def slice_length(deployment: Deployment, slo: Slo) -> timedelta:
    """At least the slowest probe's interval: a shorter slice would count one run many times and understate burning."""
    return min(max(_SLICE, deployment.slowest(slo)), _LONGEST_SLICE)


def short_window(deployment: Deployment, slo: Slo, tier: Tier) -> timedelta:
    """The tier's short window, or three intervals of the slowest probe if that is longer: it must hold a few runs."""
    minutes = -(-3 * deployment.slowest(slo) // timedelta(minutes=1))
    return min(max(tier.short, timedelta(minutes=minutes)), tier.long)


def windows_of(deployment: Deployment, slo: Slo) -> tuple[timedelta, ...]:
    """Every window that is recorded for the objective."""
    short = {short_window(deployment, slo, tier) for tier in deployment.tiers_of(slo)}
    long = {tier.long for tier in deployment.tiers_of(slo)}
    return tuple(sorted({STEP, _HOUR, _DAY} | short | long))


def has_events(slo: Slo) -> bool:
    """Whether it counts events (runs, validations, answers)."""
    return not isinstance(slo.sli.measure, Freshness)


def burns_events(slo: Slo) -> bool:
    """Whether its burn is judged by events: where the budget is counted in slices, stray failures spend nothing of it."""
    return has_events(slo) and not spends_slices(slo)


def has_slices(slo: Slo) -> bool:
    """Whether there is a result for each region at each moment, so that time slices can be judged."""
    return _slices(slo) is not None


def spends_slices(slo: Slo) -> bool:
    """Whether the budget is counted in time slices and not in events."""
    return isinstance(slo.sli.measure, Slices | Freshness)


def objective_groups(deployment: Deployment, slo: Slo, alerts: Sequence[Alert]) -> Iterator[Group]:
    """The rules of one objective. Alerts stand right behind what they read: groups are evaluated apart from each other,
    and in a group of their own they would see it up to a minute late.
    """
    length = slice_length(deployment, slo)
    slices = (*_slice_rules(deployment, slo), *_slice_windows(deployment, slo)) if has_slices(slo) else ()
    events = tuple(_events(deployment, slo)) if has_events(slo) else ()
    if slices and events and length > _SLICE:
        yield _group(f"oidc-slices-{slo.name}", slo, length, slices)
        slices = ()
    yield _group(f"oidc-{slo.name}", slo, _SLICE if events else length, (*slices, *events), alerts)
    yield _group(f"oidc-budget-{slo.name}", slo, STEP, _budget(deployment, slo))


def _group(name: str, slo: Slo, interval: timedelta, rules: Iterable[Recording], alerts: Sequence[Alert] = ()) -> Group:
    """Every rule carries its objective: two rules of one name that differ in nothing else look like one to linters."""
    return Group(name, interval, (*(replace(rule, labels=_labels(slo)) for rule in rules), *alerts))


def _labels(slo: Slo) -> dict[str, str]:
    return {SLO: slo.name, **({m.TARGET: ANY} if slo.sli.issuer_wide else {})}


def _by(slo: Slo, *more: str) -> str:
    return ", ".join((m.ISSUER, *(() if slo.sli.issuer_wide else (m.TARGET,)), *more, m.DRILL))


def of(name: str, slo: Slo, *more: Matcher) -> str:
    """A recorded series of this objective."""
    return f"{name}{{{','.join(map(str, (Matcher(SLO, '=', slo.name), *more)))}}}"


def _events(deployment: Deployment, slo: Slo) -> Iterator[Recording]:
    for window in windows_of(deployment, slo):
        yield from _counted(deployment, slo, window)
        bad, total = (of(s.over(name, window), slo) for name in (s.BAD, s.TOTAL))
        yield Recording(s.over(s.RATIO, window), f"{bad} / ({total} > 0)")
    for window in sorted({tier.long for tier in deployment.tiers_of(slo)}):
        bad, total = (of(s.over(name, window), slo) for name in (s.BAD, s.TOTAL))
        yield Recording(s.over(s.WILSON, window), wilson(bad, total))
        regional, runs = (of(s.over(name, window), slo) for name in (s.REGION_BAD, s.REGION_TOTAL))
        by = f"{m.ISSUER}, {m.TARGET}, {m.DRILL}, {SLO}"
        yield Recording(s.over(s.BAD_ELSEWHERE, window), f"{bad} - max by ({by}) ({regional})")
        # The runs of that same region, which may have the fewest: others, or its own excluded ones, are not its.
        worst = f"{regional} == on ({by}) group_left () max by ({by}) ({regional})"
        yield Recording(s.over(s.TOTAL_ELSEWHERE, window), f"{total} - max by ({by}) ({runs} and ({worst}))")
        left = tuple(of(s.over(name, window), slo) for name in (s.BAD_ELSEWHERE, s.TOTAL_ELSEWHERE))
        yield Recording(s.over(s.WILSON_ELSEWHERE, window), wilson(*left))
    yield from _regions(deployment, slo)
    bad, total = (of(s.over(name, _HOUR), slo) for name in (s.REGION_BAD, s.REGION_TOTAL))
    yield Recording(s.over(s.REGION_WILSON, _HOUR), wilson(bad, total))


def _regions(deployment: Deployment, slo: Slo) -> Iterator[Recording]:
    """How many regions have bad events, in the windows of the tiers that page."""
    paging = [tier for tier in deployment.tiers_of(slo) if tier.severity is Severity.PAGE]
    by = f"{m.ISSUER}, {m.TARGET}, {m.DRILL}, {SLO}"
    for window in sorted({each for tier in paging for each in (tier.long, short_window(deployment, slo, tier))}):
        bad = of(s.over(s.REGION_BAD, window), slo)
        yield Recording(s.over(s.BAD_REGIONS, window), f"count by ({by}) ({bad} >= 0.5)")


def _counted(deployment: Deployment, slo: Slo, window: timedelta) -> Iterator[Recording]:
    for region, whole, bad in ((s.REGION_BAD, s.BAD, True), (s.REGION_TOTAL, s.TOTAL, False)):
        regional = s.over(region, window)
        if window <= _RAW:
            expr = _increase(deployment, slo, window, bad=bad)
            yield Recording(regional, expr)
        else:
            span = f"{duration(deployment.paced(window))}:{duration(deployment.paced(STEP))}"
            yield Recording(regional, f"sum_over_time({of(s.over(region, STEP), slo)}[{span}])")
        by = f"{m.ISSUER}, {m.TARGET}, {m.DRILL}, {SLO}"
        yield Recording(s.over(whole, window), f"sum by ({by}) ({of(regional, slo)})")


def _increase(deployment: Deployment, slo: Slo, window: timedelta, *, bad: bool) -> str:
    measure, more = slo.sli.measure, deployment.matchers_of(slo)

    def increase(selector: Selector) -> str:
        span = duration(deployment.paced(window))
        return f"sum by ({_by(slo, m.REGION)}) (increase({selected(selector, more)}[{span}]))"

    match measure:
        case Latency():
            total, good = increase(measure.total), increase(measure.good)
            # The two histogram series are scraped together; rounding may still leave a hair below zero.
            return f"clamp_min({total} - {good}, 0)" if bad else total
        case Events() | Slices():
            return increase(measure.bad if bad else measure.total)
        case Freshness():
            raise TypeError(f"{slo.name} counts no events")


def wilson(bad: str, total: str) -> str:
    """The one-sided 95 % lower bound of bad/total as PromQL: `alerts.arithmetic.wilson_lower` in the other language."""
    share = f"clamp_max({bad} / ({total} > 0), 1)"
    spread = f"1.645 * sqrt({share} * (1 - {share}) / {total} + 2.706025 / (4 * {total} ^ 2))"
    return f"({share} + 2.706025 / (2 * {total}) - {spread}) / (1 + 2.706025 / {total})"


def _slices(slo: Slo) -> Slices | None:
    measure = slo.sli.measure
    match measure:
        case Slices():
            return measure
        case Events(bad=Selector(metric=m.RUNS)):
            kind = tuple(each for each in measure.bad.matchers if each.label == m.PROBE)
            success, last_run, interval = (Selector(metric, kind) for metric in (m.SUCCESS, m.LAST_RUN, m.INTERVAL))
            return Slices(success, last_run, interval, measure.bad, measure.total)
        case Freshness():
            kind = tuple(each for each in measure.timestamp.matchers if each.label == m.PROBE)
            last_run, interval = (Selector(metric, kind) for metric in (m.LAST_RUN, m.INTERVAL))
            return Slices(measure.timestamp, last_run, interval, measure.timestamp, measure.timestamp)
        case _:
            return None


def _slice_rules(deployment: Deployment, slo: Slo) -> Iterator[Recording]:
    slices, more = _slices(slo), deployment.matchers_of(slo)
    assert slices is not None  # noqa: S101 - asked only of objectives that have slices
    result = str(selected(slices.success, more))
    if isinstance(slo.sli.measure, Freshness):
        age = number(Decimal(str(deployment.paced(slo.sli.measure.max_age).total_seconds())))
        result = f"(time() - {result} <= bool {age})"
    last_run, interval = selected(slices.last_run, more), selected(slices.interval, more)
    fresh = f"(time() - {last_run} < {_STALE_AFTER} * {interval})"
    yield Recording(s.REGION_OK, f"min by ({_by(slo, m.REGION)}) ({result} and {fresh})")
    by, ok = f"{m.ISSUER}, {m.TARGET}, {m.DRILL}, {SLO}", of(s.REGION_OK, slo)
    yield Recording(s.REGIONS, f"count by ({by}) ({ok})")
    yield Recording(s.REGIONS_FAILING, f"sum by ({by}) (1 - {ok})")
    regions, failing = of(s.REGIONS, slo), of(s.REGIONS_FAILING, slo)
    quorum = {
        "any": f"({failing} > bool 0)",
        "majority": f"({failing} * 2 > bool {regions})",
        "all": f"({failing} == bool {regions})",
    }[slices.quorum]
    # Under so few regions the slice is unknown: no sample, neither good nor bad.
    yield Recording(s.SLICE_BAD, f"{quorum} and {regions} >= {deployment.alerting.min_regions}")
    known = f"max_over_time({interval}[{duration(deployment.paced(_DAY))}])"
    expected = f"count by ({_by(slo)}) (count by ({_by(slo, m.REGION)}) ({known}))"
    join = f"on ({_by(slo)}) group_left ()"
    yield Recording(s.COVERAGE, f"clamp_max({regions} / {join} {expected}, 1)")


def _slice_windows(deployment: Deployment, slo: Slo) -> Iterator[Recording]:
    bad = of(s.SLICE_BAD, slo)
    for window in windows_of(deployment, slo):
        yield Recording(s.over(s.SLICE_BAD_AVG, window), f"avg_over_time({bad}[{duration(deployment.paced(window))}])")
    for window in sorted({tier.long for tier in deployment.tiers_of(slo)}):
        yield Recording(s.over(s.SLICE_BAD_SUM, window), f"sum_over_time({bad}[{duration(deployment.paced(window))}])")


def _budget(deployment: Deployment, slo: Slo) -> Iterator[Recording]:
    window = slo.window
    spent, all_of_it = _spent_and_expected(deployment, slo, window)
    budget = number(slo.budget)
    yield Recording(s.BUDGET_LEFT, f"1 - {spent} / ({budget} * ({all_of_it}))")
    yield Recording(s.OBJECTIVE, f"vector({number(slo.objective / 100)})")
    yield Recording(s.SLO_BUDGET, f"vector({budget})")
    seconds = window // timedelta(seconds=1)
    yield Recording(s.SLO_WINDOW, f"vector({seconds})")


def _spent_and_expected(deployment: Deployment, slo: Slo, window: timedelta) -> tuple[str, str]:
    paced = deployment.paced
    if spends_slices(slo):
        length = slice_length(deployment, slo)
        spent = f"sum_over_time({of(s.SLICE_BAD, slo, _REAL)}[{duration(paced(window))}:{duration(paced(length))}])"
        return spent, str(window // length)
    span = f"{duration(paced(window))}:{duration(paced(STEP))}"
    spent = f"sum_over_time({of(s.over(s.BAD, STEP), slo, _REAL)}[{span}])"
    seen = f"sum_over_time({of(s.over(s.TOTAL, STEP), slo, _REAL)}[{span}])"
    # A young series has not seen a whole window: what it will see is extrapolated, never less than what was seen.
    day = f"{of(s.over(s.TOTAL, _DAY), slo, _REAL)} * {number(Decimal(window // _HOUR) / 24)}"
    hour = f"{of(s.over(s.TOTAL, _HOUR), slo, _REAL)} * {window // _HOUR}"
    longer = f"(({day}) >= {hour} or {hour})"
    return spent, f"{seen} >= {longer} or {longer}"
