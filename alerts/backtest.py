"""Replays recorded history against the rules: which alerts there would have been."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.deployment import Deployment, Slo
from alerts.measurability import Subject, subject_of
from alerts.replay import Episode, episodes, rules_of
from alerts.timeline import MINUTE, Run, Timeline, aligned, slicing_of, timeline_of
from alerts.windows import Severity
from exporters import metrics as m
from exporters.slis import Events, Freshness, Latency, Slices
from exporters.stored_runs import StoredRun

_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose history it is; runs made during drills are kept apart."""

    subject: Subject
    drill: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alert that there would have been."""

    slo: Slo
    watched: Watched
    episode: Episode


@dataclass(frozen=True, slots=True)
class Backtest:
    """What the rules would have made of the time from `since` to `until`."""

    since: datetime
    until: datetime
    alarms: tuple[Alarm, ...]
    replayed: tuple[Slo, ...]
    """The objectives of which there was history."""

    @property
    def pages(self) -> int:
        """How often somebody would have been paged: alerts of one objective and subject that overlap are one page."""
        spans: dict[tuple[str, Subject], list[Episode]] = {}
        for alarm in self.alarms:
            if alarm.episode.tier.severity is Severity.PAGE and not alarm.watched.drill:
                spans.setdefault((alarm.slo.name, alarm.watched.subject), []).append(alarm.episode)
        return sum(_apart(each) for each in spans.values())

    @property
    def pages_per_30d(self) -> float:
        """The same at this rate in 30 days."""
        return self.pages * (_MONTH / (self.until - self.since))


Timelines = Callable[[Slo], Mapping[Watched, Timeline]]
"""Gives the history of an objective by subject, from one source of history for one span of time."""
Read = Callable[[str, str], Iterable[StoredRun]]
"""Gives the runs of an issuer's probe (the kind), oldest first."""


def backtest(deployment: Deployment, timelines: Timelines, since: datetime, until: datetime) -> Backtest:
    """Every objective over its history."""
    alarms: list[Alarm] = []
    replayed: list[Slo] = []
    for slo in deployment.fed():
        histories, rules = timelines(slo), rules_of(deployment, slo)
        if histories:
            replayed.append(slo)
        for watched, timeline in histories.items():
            alarms += (Alarm(slo, watched, episode) for episode in episodes(rules, timeline))
    return Backtest(since, until, tuple(sorted(alarms, key=lambda alarm: alarm.episode.start)), tuple(replayed))


def of_runs(deployment: Deployment, read: Read, since: datetime, until: datetime) -> Timelines:
    """History from stored runs; empty for objectives that count something else than runs."""
    start = aligned(since)
    minutes = -(-(until - start) // MINUTE)

    def timelines(slo: Slo) -> Mapping[Watched, Timeline]:
        if not told_by_runs(slo):
            return {}
        slicing = slicing_of(deployment, slo)
        return {
            watched: timeline_of(runs, start, minutes, slicing)
            for issuer in dict.fromkeys(check.issuer.name for check in deployment.checks_of(slo))
            for watched, runs in _runs_of(slo, issuer, read).items()
        }

    return timelines


def told_by_runs(slo: Slo) -> bool:
    """Whether results of runs are what the objective counts."""
    match slo.sli.measure:
        case Slices() | Freshness():
            return True
        case Events(total=total):
            return total.metric is m.RUNS
        case Latency():
            return False


def _runs_of(slo: Slo, issuer: str, read: Read) -> dict[Watched, list[Run]]:
    found: dict[Watched, list[Run]] = {}
    for kind in sorted(slo.sli.probes):
        for run in read(issuer, kind):
            watched = Watched(subject_of(slo, run.issuer, run.target), run.drill)
            found.setdefault(watched, []).append(_run(run))
    return found


def _run(run: StoredRun) -> Run:
    """A run counts when it has ended."""
    ended = run.started_at.timestamp() + run.seconds
    return Run(ended, f"{run.issuer}/{run.target}/{run.probe}", run.region, run.interval, run.outcome)


def _apart(found: Iterable[Episode]) -> int:
    """How many spans are left when those that overlap are joined."""
    return sum(1 for _ in _joined(sorted(found, key=lambda episode: episode.start)))


def _joined(found: Iterable[Episode]) -> Iterator[datetime]:
    """The beginning of each span."""
    end: datetime | None = None
    for episode in found:
        if end is None or episode.start > end:
            yield episode.start
            end = episode.end
        end = max(end, episode.end)
