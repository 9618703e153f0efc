"""Game days on a schedule: the same drill again and again, until somebody stops it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from oidcwatch.config_duration import parse_duration

_WORDS = {"hour": "1h", "day": "1d", "week": "1w"}
SHORTEST = 60.0
"""Seconds: a provider that is rotated more often is not one that anybody runs."""


def interval_of(text: str) -> float:
    """Seconds of `week`, `day`, `hour` or a duration. Raises ValueError that says what is allowed."""
    try:
        seconds = parse_duration(_WORDS.get(text, text))
    except ValueError:
        seconds = 0.0
    if seconds < SHORTEST:
        raise ValueError(f"{text!r} is no interval; write week, day, hour or a duration like 12h, at least 1m")
    return seconds


@dataclass(frozen=True, slots=True)
class Between:
    """What is done in this thread every `pause` seconds while no drill runs. It handles its own errors."""

    tend: Callable[[], None]
    pause: float


def repeat(
    seconds: float, once: Callable[[], None], told: Callable[[datetime], None], stop: threading.Event, between: Between
) -> None:
    """Calls `once` now and every so many seconds, in a thread of its own, until `stop`; then waits for its end.

    `told` gets the time of the next one (aware UTC) after each. One that takes longer than the interval goes on, and
    those that it overlaps are left out. `once` handles its own errors.
    """
    busy = threading.Lock()
    scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})

    def work() -> None:
        if stop.is_set():
            return
        with busy:
            once()
        following = job.next_run_time
        if following is not None and not stop.is_set():
            told(max(following, datetime.now(UTC)))

    job = scheduler.add_job(
        work,
        IntervalTrigger(seconds=int(seconds), timezone=UTC),
        next_run_time=datetime.now(UTC),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.start()
    try:
        while not stop.wait(between.pause):
            if busy.acquire(blocking=False):
                try:
                    between.tend()
                finally:
                    busy.release()
    finally:
        scheduler.shutdown(wait=True)
