"""Puts runs on a time line: events by region and minute, and time slices judged by the regions' quorum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from alerts.deployment import Deployment, Slo
from alerts.recording import STEP, slice_length
from exporters.slis import Freshness, Slices
from probes.model import Outcome

MINUTE = timedelta(minutes=1)
STALE_AFTER = 3
"""Intervals after which a region that has reported nothing takes part in no slice."""

_QUORUMS: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {
        "any": lambda failing, fresh: failing > 0,
        "majority": lambda failing, fresh: failing * 2 > fresh,
        "all": lambda failing, fresh: failing == fresh,
    }
)


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run of the check `name` in a region. `at` is its end in UNIX seconds, `interval` in seconds."""

    at: float
    name: str
    region: str
    interval: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Slicing:
    """How slices are judged. `length` is in minutes."""

    length: int
    min_regions: int
    quorum: str = "majority"
    max_age: float | None = None
    """A region fails when its last success is older than so many seconds; None: when its last run failed."""

    def judged(self, failing: int, fresh: int) -> int | None:
        """1 for a bad slice, 0 for a good one, None when too few regions are fresh to tell."""
        return int(_QUORUMS[self.quorum](failing, fresh)) if fresh >= max(self.min_regions, 1) else None


@dataclass(frozen=True, slots=True)
class Timeline:
    """What one objective saw of one issuer or client. Entry i of every sequence is the minute after `start` + i."""

    start: datetime
    """Aware UTC, at a full five minutes: recorded steps are aligned so."""
    bad: Mapping[str, Sequence[int]]
    """Bad events by region."""
    total: Mapping[str, Sequence[int]]
    slices: Sequence[int | None]
    """At the end of that minute: 1 the slice was bad, 0 it was good, None unknown, or no slice ended."""

    @property
    def minutes(self) -> int:
        """Its length."""
        return len(self.slices)


def slicing_of(deployment: Deployment, slo: Slo) -> Slicing:
    """As alerts.recording writes it for this objective."""
    measure = slo.sli.measure
    return Slicing(
        length=-(-slice_length(deployment, slo) // MINUTE),
        min_regions=deployment.alerting.min_regions,
        quorum=measure.quorum if isinstance(measure, Slices) else "majority",
        max_age=measure.max_age.total_seconds() if isinstance(measure, Freshness) else None,
    )


def aligned(moment: datetime) -> datetime:
    """The last full step at or before that time."""
    seconds = STEP // timedelta(seconds=1)
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


@dataclass(slots=True)
class _Newest:
    """The newest run of one check in one region."""

    at: float
    interval: float
    outcome: Outcome
    success: float


@dataclass(slots=True)
class _Watch:
    """The state of all regions while time passes."""

    slicing: Slicing
    newest: dict[tuple[str, str], _Newest] = field(default_factory=dict)

    def take(self, run: Run) -> None:
        before = self.newest.get((run.name, run.region))
        # Before the first success a key set is as old as the watching.
        success = run.at if run.outcome is Outcome.SUCCESS or before is None else before.success
        self.newest[run.name, run.region] = _Newest(run.at, run.interval, run.outcome, success)

    def judge(self, now: float) -> int | None:
        failing: dict[str, bool] = {}
        for (_, region), newest in self.newest.items():
            if now - newest.at < STALE_AFTER * newest.interval and self._counts(newest):
                failing[region] = failing.get(region, False) or self._fails(newest, now)
        return self.slicing.judged(sum(failing.values()), len(failing))

    def _counts(self, newest: _Newest) -> bool:
        """A run that is no evidence leaves no result behind; an age goes on all the same."""
        return self.slicing.max_age is not None or newest.outcome is not Outcome.EXCLUDED

    def _fails(self, newest: _Newest, now: float) -> bool:
        if self.slicing.max_age is None:
            return newest.outcome is Outcome.FAILURE
        return now - newest.success > self.slicing.max_age


def timeline_of(runs: Iterable[Run], start: datetime, minutes: int, slicing: Slicing) -> Timeline:
    """The runs in any order, over so many minutes from `start`, which is `aligned`. Runs outside are left out."""
    begin = start.timestamp()
    ordered = sorted((run for run in runs if begin < run.at <= begin + 60 * minutes), key=lambda run: run.at)
    regions = sorted({run.region for run in ordered})
    bad, total = ({region: [0] * minutes for region in regions} for _ in range(2))
    slices: list[int | None] = [None] * minutes
    watch, next_run = _Watch(slicing), 0
    for minute in range(minutes):
        end = begin + 60 * (minute + 1)
        while next_run < len(ordered) and ordered[next_run].at <= end:
            run = ordered[next_run]
            watch.take(run)
            total[run.region][minute] += run.outcome is not Outcome.EXCLUDED
            bad[run.region][minute] += run.outcome is Outcome.FAILURE
            next_run += 1
        if (minute + 1) % slicing.length == 0:
            slices[minute] = watch.judge(end)
    return Timeline(start, bad, total, slices)
