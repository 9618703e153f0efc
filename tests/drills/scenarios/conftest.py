"""One provider for the folder, drills on it, and its probes as a drill's watch runs them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drills.driver import Driver
from drills.drivers import driver_for
from drills.engine import run_drill
from drills.journal import Journal
from drills.lab import Lab, start_sandbox_lab
from drills.outside import Outside, look_from_outside
from drills.plan import Plan
from drills.record import Record
from drills.scenario import Scenario
from drills.verifiers import verifiers
from drills.watch import Sighting, Watch, watching
from probes.http import make_http
from probes.secrets import secrets_from

SHORT: Mapping[str, float] = {"ttl": 4.0, "cooldown": 2.0}
PATIENCE = 0.5
"""Seconds after which an answer is late by the policy here: what is slow for consumers is told without a long wait."""


@dataclass(frozen=True, slots=True)
class Range:
    """A provider to drill on."""

    lab: Lab
    outside: Outside
    driver: Driver


@dataclass(frozen=True, slots=True)
class Watched:
    """A watch that is primed, and what it has told so far."""

    watch: Watch
    first: tuple[Sighting, ...]
    told: list[Sighting] = field(default_factory=list)

    def until(self, seen: Callable[[Sighting], bool]) -> Sighting:
        """Waits for a sighting like that."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for sighting in tuple(self.told):
                if seen(sighting):
                    return sighting
            time.sleep(0.02)
        raise AssertionError(f"not among {self.told}")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with start_sandbox_lab(os.environ) as lab:
        yield lab


@pytest.fixture(scope="session")
def range_(lab: Lab) -> Iterator[Range]:
    http = make_http(lab.ca_file)
    with look_from_outside(lab.target.issuer, lab.target.client, http, secrets_from(lab.environ)) as outside:
        yield Range(lab, outside, driver_for(lab.target, outside, lab.environ, lambda _text: None))


@pytest.fixture(scope="session")
def driver(range_: Range) -> Driver:
    return range_.driver


@pytest.fixture(scope="session")
def outside(range_: Range) -> Outside:
    return range_.outside


@pytest.fixture
def moved(range_: Range) -> Iterator[Callable[[Scenario], None]]:
    """Makes the moves of a scenario; they are undone after the test."""
    before = range_.driver.snapshot()

    def move(scenario: Scenario) -> None:
        for each in scenario.moves:
            range_.driver.do(each, before)

    yield move
    range_.driver.restore(before)
    range_.driver.clean(before, keep_new=False)


WatchOf = Callable[..., AbstractContextManager[Watched]]


@pytest.fixture
def watch_of(outside: Outside) -> WatchOf:
    """Starts the probes of the provider as it is then, a few times a second; each may take `deadline` seconds."""
    issuer = replace(outside.issuer, policy=replace(outside.issuer.policy, max_response_seconds=PATIENCE))

    @contextmanager
    def start(deadline: float = 10.0) -> Iterator[Watched]:
        told: list[Sighting] = []
        with watching(
            issuer, outside.client, http=outside.http, secrets=outside.secrets, every=0.25, tell=told.append
        ) as watch:
            watch.probes = tuple((replace(check, timeout=deadline), probe) for check, probe in watch.probes)
            yield Watched(watch, watch.prime(), told)

    return start


@pytest.fixture
def watch(watch_of: WatchOf) -> Iterator[Watched]:
    """Begins before the moves of the test."""
    with watch_of() as watch:
        yield watch


Rehearse = Callable[..., Record]


@pytest.fixture
def rehearse(range_: Range, tmp_path: Path) -> Rehearse:
    """Runs a scenario with the verifiers that it names, emulated and with short times; probes every `watch` seconds."""
    outside, lab = range_.outside, range_.lab
    rows = verifiers()

    def run(scenario: Scenario, watch: float = 1.0) -> Record:
        plan = Plan(
            scenario=scenario,
            target=lab.target,
            driver=range_.driver,
            outside=outside,
            http=outside.http,
            secrets=outside.secrets,
            rows=tuple(rows[name] for name in scenario.verifiers),
            journal=Journal.create(tmp_path, scenario.name, datetime.now(UTC)),
            environ=lab.environ,
            ca_file=lab.ca_file,
            poll=0.25,
            watch=watch,
            longest=30.0,
            shorten=SHORT,
            emulate=frozenset(scenario.verifiers),
            forgets_at_once=True,
        )
        return run_drill(plan, lambda _progress: None, threading.Event())

    return run
