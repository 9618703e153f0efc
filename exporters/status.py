"""What the status page says about each check and region: a pure function of the newest results and the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from exporters.results import Row
from probes.model import Check, Finding, Outcome, ProbeResult, Severity, Step
from probes.reasons import REASONS, ReasonRow, outcome, owner_of

STALE_AFTER = 3
"""Intervals without a run after which the last result says nothing any more."""

SHOWN = 30
"""Earlier runs in the row of bars."""


class State(StrEnum):
    """What is known of a check in a region, worst first: the order of the page."""

    FAILED = "failed"
    STALE = "stale"
    EXCLUDED = "no evidence"
    WAITING = "waiting"
    OK = "ok"

    @property
    def css(self) -> str:
        """Class name."""
        return self.name.lower()


_OF_OUTCOME = {
    Outcome.SUCCESS: State.OK,
    Outcome.FAILURE: State.FAILED,
    Outcome.EXCLUDED: State.EXCLUDED,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One earlier run in the row of small bars."""

    state: State
    label: str


@dataclass(frozen=True, slots=True)
class RowStatus:
    """One line of the page with what unfolds under it. Times are text, for people."""

    anchor: str
    check: str
    region: str
    state: State
    bars: tuple[Bar, ...]
    last: ProbeResult | None
    last_at: str
    last_ago: str
    next_in: str
    reason: ReasonRow | None
    owner: str
    since: str
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    artifacts: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The bars in words."""
        good = sum(bar.state is State.OK for bar in self.bars)
        return f"{good} of the last {len(self.bars)} runs succeeded" if self.bars else "no runs yet"


Names = Callable[[str], tuple[str, ...]]
"""Gives the names of the stored artifacts of a run id."""
NextRun = Callable[[Check, str], datetime | None]
"""Gives the time at which a check runs next from a region; None when that is not known."""


def statuses(rows: Iterable[Row], now: datetime, next_run: NextRun, artifacts: Names) -> tuple[RowStatus, ...]:
    """All rows, worst first, otherwise in the order of the configuration."""
    order = list(State)
    built = [_status(row, now, next_run(row.check, row.region), artifacts) for row in rows]
    return tuple(sorted(built, key=lambda row: order.index(row.state)))


def _status(row: Row, now: datetime, next_at: datetime | None, artifacts: Names) -> RowStatus:
    last = row.last
    failure = last.failure if last else None
    ended = last.started_at + timedelta(seconds=last.seconds) if last else None
    return RowStatus(
        anchor=f"{row.check.name}@{row.region}".replace("/", "-"),
        check=row.check.name,
        region=row.region,
        state=_state(row, ended, now),
        bars=tuple(Bar(_verdict(result), _bar_label(result)) for result in row.results[-SHOWN:]),
        last=last,
        last_at=clock_time(ended) if ended else "",
        last_ago=f"{_duration((now - ended).total_seconds())} ago" if ended else "never",
        next_in=_next(next_at, now),
        reason=REASONS[failure.reason] if failure else None,
        owner=owner_of(failure.reason, row.check.issuer.owner) if failure else "",
        since=_since(row, now),
        findings=tuple(f for f in last.findings if f.severity is not Severity.INFO) if last else (),
        steps=last.steps if last else (),
        artifacts=artifacts(last.run_id) if last and failure else (),
    )


def _verdict(result: ProbeResult) -> State:
    return _OF_OUTCOME[outcome(result.failure.reason if result.failure else None)]


def _state(row: Row, ended: datetime | None, now: datetime) -> State:
    if row.last is None or ended is None:
        return State.WAITING
    if now - ended > timedelta(seconds=STALE_AFTER * row.check.interval + row.check.timeout):
        return State.STALE
    return _verdict(row.last)


def _bar_label(result: ProbeResult) -> str:
    what = f"{result.failure.stage}: {result.failure.reason}" if result.failure else "ok"
    return f"{clock_time(result.started_at)} {what}, {result.seconds:.2f} s"


def _since(row: Row, now: datetime) -> str:
    """How long the newest results have all been failures, as far as they are remembered."""
    failing: list[ProbeResult] = []
    for result in reversed(row.results):
        if result.ok:
            break
        failing.append(result)
    if not failing:
        return ""
    runs = f"{len(failing)} run" + ("s" if len(failing) > 1 else "")
    at_least = "at least " if len(failing) == len(row.results) > 1 else ""
    return f"{at_least}{runs}, {_duration((now - failing[-1].started_at).total_seconds())}"


def _next(at: datetime | None, now: datetime) -> str:
    if at is None:
        return ""
    seconds = (at - now).total_seconds()
    return f"in {_duration(seconds)}" if seconds >= 1 else "now"


def _duration(seconds: float) -> str:
    """One unit is enough for a glance: 42 s, 7 min, 3 h, 5 d."""
    seconds = max(0.0, seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def clock_time(moment: datetime) -> str:
    """A time for people, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
