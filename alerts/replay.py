"""Evaluates the burn-rate rules over a history of runs, minute by minute, as Prometheus would evaluate the rule file.

The policy itself is not repeated here: windows, thresholds and floors are asked of the modules that write the rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from operator import add

from alerts.arithmetic import wilson_lower
from alerts.burn import KEEP, burn_threshold, floor_of, slices_floor
from alerts.deployment import Deployment, Slo
from alerts.recording import STEP, burns_events, has_slices, short_window
from alerts.timeline import MINUTE, Timeline
from alerts.windows import Severity, Tier

STEP_MINUTES = STEP // MINUTE
_RAW_MINUTES = 60
"""Longer windows are sums of recorded steps, so they move once a step."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One tier of one objective in minutes and counts. Bad means more than `threshold`, a share from 0 to 1."""

    tier: Tier
    threshold: float
    long: int
    short: int
    bad_events: float | None
    """Bad events below which it does not fire; None when the objective is not judged by events."""
    bad_slices: int | None
    """The same for slices; None when it has none."""
    regions: int
    """Regions with bad events below which the events alone do not fire."""
    keep: int
    """Minutes that it goes on firing."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One alert from firing to resolved; `bad` of `total` events of the long window were bad when it began to fire.

    Without events they are slices.
    """

    tier: Tier
    start: datetime
    end: datetime
    bad: int
    total: int


@dataclass(frozen=True, slots=True)
class _Counts:
    """Running totals: entry t of each list counts what happened in the first t minutes."""

    bad: list[int]
    total: list[int]
    regions: tuple[list[int], ...] = ()
    """Bad events of each region."""
    region_totals: tuple[list[int], ...] = ()
    places: list[int] = field(default_factory=list)
    """The minute of every bad event, ascending."""


@dataclass(frozen=True, slots=True)
class _Window:
    """The last `length` minutes; seen through recorded steps it moves once in `step` minutes."""

    length: int
    step: int = 1

    def __call__(self, running: list[int], at: int) -> int:
        """What happened within."""
        before = at - self.length if at > self.length else 0
        return running[at - at % self.step] - running[before - before % self.step]

    def holding(self, counts: _Counts, floor: float) -> Iterator[int]:
        """Where so many bad events are within, ascending: few places in a quiet month, and the rest is not looked at.

        It is so from the moment of the k-th of them until the first of these k leaves the window.
        """
        places = [place + -place % self.step for place in counts.places]
        covered, end = 0, len(counts.bad)
        for first, last in zip(places, places[math.ceil(floor) - 1 :], strict=False):
            if last - first < self.length:
                yield from range(max(last, covered), min(first + self.length, end))
                covered = first + self.length


def rules_of(deployment: Deployment, slo: Slo) -> tuple[Rule, ...]:
    """The tiers of the objective as alerts.burn writes them."""
    return tuple(_rule(deployment, slo, tier) for tier in deployment.tiers_of(slo))


def _rule(deployment: Deployment, slo: Slo, tier: Tier) -> Rule:
    page = tier.severity is Severity.PAGE
    return Rule(
        tier=tier,
        threshold=float(burn_threshold(slo, tier)),
        long=tier.long // MINUTE,
        short=short_window(deployment, slo, tier) // MINUTE,
        bad_events=float(floor_of(deployment, slo, tier)) if burns_events(slo) else None,
        bad_slices=int(slices_floor(deployment, slo, tier)) if has_slices(slo) else None,
        regions=deployment.alerting.min_regions if page else 0,
        keep=KEEP[tier.severity] // MINUTE,
    )


def episodes(rules: Iterable[Rule], timeline: Timeline) -> tuple[Episode, ...]:
    """Every alert that the rules would have raised, in order of their beginning."""
    found = []
    for rule, minutes in firing(rules, timeline):
        for first, last in _joined(minutes, rule.keep):
            bad, total = _evidence(rule, timeline, first)
            start, end = (timeline.start + minute * MINUTE for minute in (first, last + rule.keep + 1))
            found.append(Episode(rule.tier, start, end, bad, total))
    return tuple(sorted(found, key=lambda episode: episode.start))


def firing(rules: Iterable[Rule], timeline: Timeline) -> Iterator[tuple[Rule, list[int]]]:
    """Each rule with the evaluations, in minutes after the timeline's start, at which its expression holds."""
    for rule, clauses in _clauses(rules, timeline):
        yield rule, sorted(set().union(*clauses))


def first_firing(rules: Iterable[Rule], timeline: Timeline) -> Iterator[tuple[Rule, int | None]]:
    """Each rule with the first such evaluation; None when there is none."""
    for rule, clauses in _clauses(rules, timeline):
        firsts = [first for clause in clauses if (first := next(clause, None)) is not None]
        yield rule, min(firsts, default=None)


def _clauses(rules: Iterable[Rule], timeline: Timeline) -> Iterator[tuple[Rule, list[Iterator[int]]]]:
    """Each rule with the evaluations at which each of its clauses holds, ascending."""
    events, slices = _events(timeline), _slices(timeline.slices)
    for rule in rules:
        clauses = []
        if rule.bad_events is not None:
            clauses.append(_events_burning(rule, rule.bad_events, events))
        if rule.bad_slices is not None:
            clauses.append(_slices_burning(rule, rule.bad_slices, slices))
        yield rule, clauses


def _events_burning(rule: Rule, floor: float, events: _Counts) -> Iterator[int]:
    """Where the events hold: enough of them over the long window, a share that is surely too large, and it goes on."""
    long, short = (_Window(each, STEP_MINUTES if each > _RAW_MINUTES else 1) for each in (rule.long, rule.short))
    together = min(long.step, short.step)
    judged, burns = -1, False
    for at in long.holding(events, floor):
        if at // together != judged:  # nothing moves within a step
            judged, burns = at // together, _burns(rule, events, long, short, at)
        if burns:
            yield at


def _burns(rule: Rule, events: _Counts, long: _Window, short: _Window, at: int) -> bool:
    recent = short(events.total, at)
    return (
        recent > 0
        and short(events.bad, at) / recent > rule.threshold
        and wilson_lower(long(events.bad, at), long(events.total, at)) > rule.threshold
        and _agree(rule, events, (long, short), at)
    )


def _agree(rule: Rule, events: _Counts, windows: tuple[_Window, _Window], at: int) -> bool:
    """Whether enough regions have bad events in both windows, and what is left of the long one without the worst of
    them is surely too much by itself.
    """
    if any(sum(window(region, at) > 0 for region in events.regions) < rule.regions for window in windows):
        return False
    long, _ = windows
    bad = [long(region, at) for region in events.regions]
    total = [long(region, at) for region in events.region_totals]
    if rule.regions < 2:
        return True
    worst_bad, worst_total = max(zip(bad, total, strict=True))
    return wilson_lower(sum(bad) - worst_bad, sum(total) - worst_total) > rule.threshold


def _slices_burning(rule: Rule, floor: int, slices: _Counts) -> Iterator[int]:
    long, short = _Window(rule.long), _Window(rule.short)
    for at in long.holding(slices, floor):
        if all(
            (known := window(slices.total, at)) and window(slices.bad, at) / known > rule.threshold
            for window in (short, long)
        ):
            yield at


def _events(timeline: Timeline) -> _Counts:
    bad, total = (_summed(by_region.values(), timeline.minutes) for by_region in (timeline.bad, timeline.total))
    places = [minute for minute, count in enumerate(bad, start=1) for _ in range(count)]
    bad_by_region, total_by_region = (tuple(map(_running, each.values())) for each in (timeline.bad, timeline.total))
    return _Counts(_running(bad), _running(total), bad_by_region, total_by_region, places)


def _summed(regions: Iterable[Sequence[int]], length: int) -> list[int]:
    summed = [0] * length
    for counts in regions:
        summed = list(map(add, summed, counts))
    return summed


def _slices(slices: Sequence[int | None]) -> _Counts:
    places = [minute for minute, bad in enumerate(slices, start=1) if bad]
    bad, known = (each or 0 for each in slices), (each is not None for each in slices)
    return _Counts(_running(bad), _running(known), places=places)


def _running(counts: Iterable[int]) -> list[int]:
    return list(accumulate(counts, initial=0))


def _joined(minutes: Sequence[int], keep: int) -> Iterator[tuple[int, int]]:
    """First and last minute of what counts as one alert: it goes on firing for `keep` minutes."""
    first = last = None
    for minute in minutes:
        if first is None or last is None:
            first = minute
        elif minute - last > keep + 1:
            yield first, last
            first = minute
        last = minute
    if first is not None and last is not None:
        yield first, last


def _evidence(rule: Rule, timeline: Timeline, at: int) -> tuple[int, int]:
    window = slice(max(0, at - rule.long), at)
    if rule.bad_events is not None:
        bad, total = (sum(sum(each[window]) for each in by.values()) for by in (timeline.bad, timeline.total))
        return bad, total
    judged = [each for each in timeline.slices[window] if each is not None]
    return sum(judged), len(judged)
