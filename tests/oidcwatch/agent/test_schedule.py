"""The schedule by itself: rhythm, no overlap, misses, bounds, drain."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from oidcwatch.schedule import Schedule
from probes.model import Check
from probes.subjects import Issuer, Region

HERE = Region("here")


def check(name: str, interval: float = 0.2) -> Check:
    return Check(Issuer(name, f"https://{name}.example.test"), "discovery", interval=interval, timeout=interval)


@dataclass
class Observed:
    """What the schedule told, and the runs themselves."""

    late: list[float] = field(default_factory=list)
    ended: int = 0
    missed: int = 0
    ran: list[str] = field(default_factory=list)
    seconds: float = 0.0
    at_once: int = 0
    most_at_once: int = 0

    def run_started(self, late_seconds: float) -> None:
        self.late.append(late_seconds)

    def run_ended(self) -> None:
        self.ended += 1

    def runs_missed(self, count: int = 1) -> None:
        self.missed += count

    async def run(self, subject: Check, region: Region) -> None:
        self.ran.append(f"{subject.issuer.name}@{region.name}")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_once -= 1


@pytest.fixture
def observed() -> Observed:
    return Observed()


def schedule(observed: Observed, **limits: float) -> Schedule:
    return Schedule(observed.run, observed, spread=0.05, jitter=0, **limits)  # type: ignore[arg-type]  # numbers all


async def test_a_check_runs_again_and_again_and_each_run_is_observed(observed: Observed) -> None:
    under_test = schedule(observed)
    under_test.place([(check("acme"), HERE)])
    under_test.start()
    await asyncio.sleep(0.9)
    await under_test.drain(1)

    assert 3 <= len(observed.ran) <= 6
    assert len(observed.late) == observed.ended == len(observed.ran)
    assert min(observed.late) >= 0


async def test_a_check_never_overlaps_with_itself_and_what_falls_out_is_counted(observed: Observed) -> None:
    observed.seconds = 0.7
    under_test = schedule(observed)
    under_test.place([(check("acme"), HERE)])
    under_test.start()
    await asyncio.sleep(1.5)
    await under_test.drain(1)

    assert observed.most_at_once == 1
    assert observed.missed >= 2


async def test_no_more_runs_side_by_side_than_allowed(observed: Observed) -> None:
    observed.seconds = 0.1
    under_test = schedule(observed, at_once=3)
    under_test.place([(check(f"issuer-{number}"), HERE) for number in range(12)])
    under_test.start()
    await asyncio.sleep(0.8)
    await under_test.drain(1)

    assert observed.most_at_once == 3
    assert max(observed.late) > 0.05  # waiting for the gate is lateness, and is seen


async def test_a_job_that_is_placed_no_more_does_not_run(observed: Observed) -> None:
    under_test = schedule(observed)
    under_test.place([(check("stays"), HERE), (check("goes"), HERE)])
    under_test.start()
    await asyncio.sleep(0.3)
    under_test.place([(check("stays"), HERE)])
    observed.ran.clear()
    await asyncio.sleep(0.5)
    await under_test.drain(1)

    assert set(observed.ran) == {"stays@here"}


async def test_an_unchanged_job_keeps_its_rhythm_when_others_change(observed: Observed) -> None:
    under_test = schedule(observed)
    kept = check("kept", interval=30)
    under_test.place([(kept, HERE)])
    under_test.start()
    await asyncio.sleep(0.2)
    before = under_test.next_run(kept, "here")
    under_test.place([(kept, HERE), (check("new"), HERE)])

    assert under_test.next_run(kept, "here") == before

    await under_test.drain(1)


async def test_first_runs_are_spread(observed: Observed) -> None:
    under_test = Schedule(observed.run, observed, spread=10, jitter=0)
    jobs = [(check(f"issuer-{number}", interval=60), HERE) for number in range(20)]
    under_test.place(jobs)
    under_test.start()
    moments = sorted(moment for subject, _ in jobs if (moment := under_test.next_run(subject, "here")))
    gaps = [(after - before).total_seconds() for before, after in pairwise(moments)]
    await under_test.drain(1)

    assert len(moments) == 20
    assert max(gaps) < 1.5


async def test_draining_waits_for_running_checks_and_starts_no_more(observed: Observed) -> None:
    observed.seconds = 0.3
    under_test = schedule(observed)
    under_test.place([(check("acme", interval=0.4), HERE)])
    under_test.start()
    await asyncio.sleep(0.15)

    cancelled = await under_test.drain(2)
    ran = len(observed.ran)
    await asyncio.sleep(0.5)

    assert cancelled == 0
    assert observed.ended == ran == len(observed.ran)


async def test_draining_cancels_what_does_not_end_in_time(observed: Observed) -> None:
    observed.seconds = 60
    under_test = schedule(observed)
    under_test.place([(check("acme", interval=60), HERE)])
    under_test.start()
    await asyncio.sleep(0.2)

    assert await under_test.drain(0.2) == 1
    assert observed.at_once == 0
