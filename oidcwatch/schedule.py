"""When each check runs: APScheduler's intervals, a spread start, no overlap of a check with itself, misses counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, EVENT_JOB_SUBMITTED, JobSubmissionEvent
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from probes.model import Check
from probes.subjects import Region

log = logging.getLogger(__name__)

_GOLDEN = 0.618033988749895
"""Multiples of it, taken modulo one, never cluster: any number of checks starts evenly spread."""

Job = tuple[Check, Region]


class ScheduleObserver(Protocol):
    """What the schedule tells about itself."""

    def run_started(self, late_seconds: float) -> None:
        """A run starts so long after it was due."""

    def run_ended(self) -> None:
        """A run is over."""

    def runs_missed(self, count: int = 1) -> None:
        """So many runs did not take place."""


@dataclass(slots=True)
class Schedule:
    """Calls `run` for each job at its interval. All times in seconds.

    `spread` bounds how long the first runs are spread over, `jitter` by how much each may move, `at_once` how many may
    run side by side.
    """

    run: Callable[[Check, Region], Awaitable[None]]
    observer: ScheduleObserver
    spread: float = 30.0
    jitter: float = 1.0
    at_once: int = 200
    _jobs: dict[str, Job] = field(default_factory=dict)
    _due: dict[str, datetime] = field(default_factory=dict)
    _last_due: dict[str, datetime] = field(default_factory=dict)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _gate: asyncio.Semaphore = field(init=False)
    _scheduler: AsyncIOScheduler = field(init=False)
    _placed: int = 0

    def __post_init__(self) -> None:
        self._gate = asyncio.Semaphore(self.at_once)
        self._scheduler = AsyncIOScheduler(timezone=UTC, executors={"default": AsyncIOExecutor()})
        self._scheduler.add_listener(self._submitted, EVENT_JOB_SUBMITTED)
        self._scheduler.add_listener(lambda _: self.observer.runs_missed(), EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Begins; the event loop must run."""
        self._scheduler.start()

    def place(self, jobs: Iterable[Job]) -> None:
        """Run exactly these jobs. One that is unchanged keeps its rhythm; a changed one starts anew."""
        wanted = {f"{check.name}@{region.name}": (check, region) for check, region in jobs}
        for name in [name for name, job in self._jobs.items() if wanted.get(name) != job]:
            self._scheduler.remove_job(name)
            del self._jobs[name]
            self._last_due.pop(name, None)
            self._due.pop(name, None)
        for name, job in wanted.items():
            if name not in self._jobs:
                self._add(name, job)

    def next_run(self, check: Check, region: str) -> datetime | None:
        """When that job runs next, as aware UTC; None when it does not."""
        job = self._scheduler.get_job(f"{check.name}@{region}")
        moment: datetime | None = job.next_run_time if job else None
        return moment

    async def drain(self, seconds: float) -> int:
        """Starts nothing more, waits for what runs, cancels what is left after so long; gives the number cancelled."""
        self._scheduler.pause()
        if self._running:
            log.info("waiting up to %g s for %d runs", seconds, len(self._running))
            await asyncio.wait(set(self._running), timeout=seconds)
        left = {task for task in self._running if not task.done()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=seconds)
        self._scheduler.shutdown(wait=False)
        return len(left)

    def _add(self, name: str, job: Job) -> None:
        check, _ = job
        self._placed += 1
        offset = (self._placed * _GOLDEN % 1) * min(check.interval, self.spread)
        first = datetime.now(UTC) + timedelta(seconds=offset)
        self._scheduler.add_job(
            self._run,
            IntervalTrigger(seconds=check.interval, start_date=first, timezone=UTC, jitter=self._jitter(check)),
            args=[name],
            id=name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=max(1, int(check.interval)),
            next_run_time=first,
        )
        self._jobs[name] = job

    def _jitter(self, check: Check) -> float | None:
        return min(self.jitter, check.interval / 10) or None

    def _submitted(self, event: JobSubmissionEvent) -> None:
        """Called when a job is handed over, before its coroutine starts."""
        due = event.scheduled_run_times[-1]
        self._due[event.job_id] = due
        job, before = self._jobs.get(event.job_id), self._last_due.get(event.job_id)
        if job and before:
            # Coalescing drops what was due while the process stood still; the gap tells how much that was.
            gap = (due - before).total_seconds() / job[0].interval
            if gap >= 2:
                self.observer.runs_missed(int(gap) - 1)
        self._last_due[event.job_id] = due

    async def _run(self, name: str) -> None:
        job, due = self._jobs.get(name), self._due.get(name)
        if job is None or due is None:  # left the configuration between being handed over and starting
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in a task
        self._running.add(task)
        try:
            async with self._gate:
                self.observer.run_started((datetime.now(UTC) - due).total_seconds())
                try:
                    await self.run(*job)
                finally:
                    self.observer.run_ended()
        finally:
            self._running.discard(task)
