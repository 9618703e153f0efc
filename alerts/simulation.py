"""Makes histories of regular probing with random failures and outages, to learn how the rules would behave.

Failures are independent of one another: what it says about noise holds as far as that is true.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import add
from random import Random
from statistics import fmean, median

from alerts.replay import Rule, episodes, first_firing
from alerts.timeline import Slicing, Timeline
from alerts.windows import Tier

MONTH = 30 * 24 * 60
"""Minutes."""
START = datetime(2026, 1, 1, tzinfo=UTC)
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Shape:
    """For each region the intervals in seconds of the checks that run there: all that matters of a deployment here."""

    regions: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """From the start of minute `since` on, this share of the runs fails, in the first `regions` regions (None: all)."""

    since: int
    share: float
    regions: int | None = None


@dataclass(frozen=True, slots=True)
class _Series:
    """Runs of one check in one region: at `phase`, `phase` + `interval`, ... seconds."""

    interval: float
    phase: float

    def index(self, seconds: float) -> int:
        """The first run at or after that time."""
        return max(0, math.ceil((seconds - self.phase) / self.interval))

    def time(self, index: int) -> float:
        return self.phase + index * self.interval


def simulate(
    shape: Shape, slicing: Slicing, minutes: int, *, noise: float, seed: int, trouble: Trouble | None = None
) -> Timeline:
    """A history of so many minutes in which runs fail at random with the probability `noise`; the same for one seed."""
    random = Random(seed)  # noqa: S311 - a repeatable simulation; nothing is kept secret with it
    bad: dict[str, list[int]] = {}
    total: dict[str, list[int]] = {}
    failing = [0] * minutes
    for number, intervals in enumerate(shape.regions):
        hit = trouble if trouble and (trouble.regions is None or number < trouble.regions) else None
        counts, seen, fails = [0] * minutes, [0] * minutes, set[int]()
        for interval in intervals:
            series = _Series(interval, random.uniform(0, interval))
            seen = list(map(add, seen, _runs_by_minute(series, minutes)))
            failed = list(_failed(random, series, minutes, noise, hit))
            for index in failed:
                counts[_minute(series.time(index))] += 1
            fails.update(_failing_minutes(series, failed, minutes, slicing.max_age))
        for minute in fails:
            failing[minute] += 1
        bad[f"region-{number}"], total[f"region-{number}"] = counts, seen
    return Timeline(START, bad, total, _slices(slicing, failing, len(shape.regions)))


def false_alarms(
    shape: Shape, slicing: Slicing, rules: Sequence[Rule], *, noise: float, seeds: Iterable[int]
) -> Mapping[Tier, float]:
    """Alerts of each tier in 30 days in which nothing is wrong, on average over the seeds."""
    counts: dict[Tier, list[int]] = {rule.tier: [] for rule in rules}
    for seed in seeds:
        found = episodes(rules, simulate(shape, slicing, MONTH, noise=noise, seed=seed))
        for tier, months in counts.items():
            months.append(sum(episode.tier is tier for episode in found))
    return {tier: fmean(months) for tier, months in counts.items()}


def detection(
    shape: Shape, slicing: Slicing, rules: Sequence[Rule], trouble: Trouble, *, horizon: int, seeds: Iterable[int]
) -> Mapping[Tier, float | None]:
    """Minutes from the beginning of the trouble until each tier fires, the median over the seeds.

    None when it does not within `horizon` minutes in half of the cases. No other run fails, and one evaluation of the
    rules, one scrape and Alertmanager's group_wait come on top.
    """
    found: dict[Tier, list[float]] = {rule.tier: [] for rule in rules}
    for seed in seeds:
        history = simulate(shape, slicing, trouble.since + horizon, noise=0.0, seed=seed, trouble=trouble)
        for rule, minute in first_firing(rules, history):
            found[rule.tier].append(math.inf if minute is None else minute - trouble.since)
    medians = {tier: median(delays) for tier, delays in found.items()}
    return {tier: delay if math.isfinite(delay) else None for tier, delay in medians.items()}


def _failed(
    random: Random, series: _Series, minutes: int, noise: float, trouble: Trouble | None
) -> Iterator[int]:  # fmt: skip
    """Numbers of the runs that fail, ascending."""
    end = series.index(minutes * _MINUTE)
    turn = end if trouble is None else series.index(trouble.since * _MINUTE)
    yield from _chosen(random, 0, min(turn, end), noise)
    if trouble is not None:
        yield from _chosen(random, turn, end, max(noise, trouble.share))


def _chosen(random: Random, first: int, end: int, share: float) -> Iterator[int]:
    """Each number with that probability, by drawing the gaps between them: failures are few, runs are many."""
    if share >= 1:
        yield from range(first, end)
    elif share > 0:
        scale = math.log1p(-share)
        index = first - 1
        while (index := index + 1 + int(math.log(1 - random.random()) / scale)) < end:
            yield index


def _minute(seconds: float) -> int:
    """The minute whose end is the first evaluation that sees it."""
    return max(0, math.ceil(seconds / _MINUTE) - 1)


def _runs_by_minute(series: _Series, minutes: int) -> list[int]:
    """The pattern repeats when a whole number of runs fills a whole number of minutes."""
    milliseconds = max(1, round(series.interval * 1000))
    period = min(minutes, milliseconds // math.gcd(milliseconds, 60_000))
    pattern = [0] * period
    for index in range(series.index(period * _MINUTE)):
        pattern[min(_minute(series.time(index)), period - 1)] += 1
    return (pattern * -(-minutes // period))[:minutes]


def _failing_minutes(
    series: _Series, failed: Sequence[int], minutes: int, max_age: float | None
) -> Iterator[int]:  # fmt: skip
    """The minutes at whose end the newest run has failed, or with `max_age` the last success is older than that."""
    for first, last in _stretches(failed):
        begin = series.time(first) if max_age is None else series.time(first - 1) + max_age
        end = series.time(last + 1)
        yield from range(_minute(begin), min(minutes, _minute(end)))


def _stretches(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each row of consecutive numbers."""
    begin = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            yield numbers[begin], numbers[at - 1]
            begin = at


def _slices(slicing: Slicing, failing: Sequence[int], regions: int) -> list[int | None]:
    verdict = [slicing.judged(count, regions) for count in range(regions + 1)]
    return [verdict[count] if minute % slicing.length == 0 else None for minute, count in enumerate(failing, start=1)]
