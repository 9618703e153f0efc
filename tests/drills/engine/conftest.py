"""Drills on an embedded provider of their own, run by the engine in this process."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drills.driver import Driver, GaveUp, Snapshot
from drills.drivers import driver_for
from drills.engine import run_drill
from drills.journal import Entry, Journal, Log, read_log
from drills.lab import Lab, start_sandbox_lab
from drills.outside import Outside, kid_of, look_from_outside
from drills.plan import Plan
from drills.progress import Progress
from drills.record import Record
from drills.scenario import Action, Move, Scenario
from drills.target import SandboxControl
from drills.verifiers import verifiers
from probes.http import make_http
from probes.secrets import secrets_from
from sandbox.control_client import Control

SHORT: Mapping[str, float] = {"ttl": 6.0, "cooldown": 2.0}


@dataclass(slots=True)
class Drilled:
    """What a drill left."""

    record: Record
    log: Log
    folder: Path
    told: list[Progress] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Forgetful:
    """A driver of a provider that says that it was restored, and was not."""

    driver: Driver

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)

    def restore(self, before: Snapshot) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Idle:
    """A driver that says of some moves that it has made them, and has not."""

    driver: Driver
    idles: frozenset[Action]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)

    def do(self, move: Move, before: Snapshot) -> None:
        """What it is not idle in."""
        if move.action not in self.idles:
            self.driver.do(move, before)


@dataclass(slots=True)
class Refusing:
    """A driver that gives up to roll back, as for a person who does not do it."""

    driver: Driver
    asked: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)

    def restore(self, _before: Snapshot) -> None:
        """Counted."""
        self.asked += 1
        raise GaveUp("nobody rolled back")


@dataclass(slots=True)
class Late:
    """A driver of a provider whose keys come a moment after it was told to make them."""

    driver: Driver
    seconds: float
    hand: threading.Timer | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)

    def do(self, move: Move, before: Snapshot) -> None:
        """Later."""
        self.hand = threading.Timer(self.seconds, self.driver.do, (move, before))
        self.hand.start()

    def restore(self, before: Snapshot) -> None:
        """After what is still to come."""
        if self.hand is not None:
            self.hand.join()
        self.driver.restore(before)


@dataclass(frozen=True, slots=True)
class Meddled:
    """A journal; as soon as it says that the provider was restored, somebody else rotates that."""

    journal: Journal
    control: Control

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)

    def write(self, entry: Entry, **said: Any) -> None:
        """And then the other's move."""
        self.journal.write(entry, **said)
        if entry is Entry.RESTORED:
            self.control.rotate("overlap", alg="RS256")


@dataclass(slots=True)
class Range:
    """A provider to drill on. `run` starts one drill and waits for its end."""

    lab: Lab
    outside: Outside
    folder: Path

    def plan(self, scenario: Scenario, names: tuple[str, ...], **options: Any) -> Plan:
        """With short times and everything emulated, unless `options` say otherwise."""
        rows = verifiers()
        defaults: dict[str, Any] = {
            "driver": self.driver(),
            "poll": 0.25,
            "watch": 1.0,
            "longest": 30.0,
            "shorten": SHORT,
            "emulate": frozenset(names),
            "forgets_at_once": True,
        }
        return Plan(
            scenario=scenario,
            target=self.lab.target,
            outside=self.outside,
            http=self.outside.http,
            secrets=self.outside.secrets,
            rows=tuple(rows[name] for name in names),
            journal=Journal.create(self.folder, scenario.name, datetime.now(UTC)),
            environ=self.lab.environ,
            ca_file=self.lab.ca_file,
            **(defaults | options),
        )

    def run(
        self, plan: Plan, stop: threading.Event | None = None, tell: Callable[[Progress], None] | None = None
    ) -> Drilled:
        """Runs it; `tell` hears of it as well."""
        told: list[Progress] = []

        def hear(progress: Progress) -> None:
            told.append(progress)
            if tell:
                tell(progress)

        record = run_drill(plan, hear, stop or threading.Event())
        return Drilled(record, read_log(plan.journal.folder), plan.journal.folder, told)

    def driver(self) -> Driver:
        """Of the provider."""
        return driver_for(self.lab.target, self.outside, self.lab.environ, lambda text: None)

    def forgetful(self, driver: Driver) -> Forgetful:
        """The same without a rollback."""
        return Forgetful(driver)

    def idle(self, *actions: Action) -> Driver:
        """One that makes none of these moves, and all others."""
        return Idle(self.driver(), frozenset(actions))

    def refusing(self) -> Refusing:
        """One that does not roll back, and says that it is no use to ask again."""
        return Refusing(self.driver())

    def late(self, seconds: float) -> Driver:
        """One whose moves come about later than it says."""
        return Late(self.driver(), seconds)

    def meddled(self, journal: Journal) -> Meddled:
        """The same, on a provider that is rotated by somebody else after the rollback."""
        return Meddled(journal, self.control)

    def kill_canaries(self) -> None:
        """Every child of this process that is a canary written in Go."""
        subprocess.run(["pkill", "-9", "-P", str(os.getpid()), "go-oidc"], check=False)

    @property
    def control(self) -> Control:
        """Steers the provider behind the drill's back."""
        provider = self.lab.target.provider
        assert isinstance(provider, SandboxControl)
        return Control(provider.control, provider.fault_control)

    def keys(self) -> tuple[str, tuple[str, ...]]:
        """The kid that signs now, and those that are published."""
        return kid_of(self.outside.mint()), tuple(sorted(key.kid for key in self.outside.keys().keys))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with start_sandbox_lab(os.environ) as lab:
        yield lab


@pytest.fixture
def range_(lab: Lab, tmp_path: Path) -> Iterator[Range]:
    with ExitStack() as parts:
        http = make_http(lab.ca_file)
        issuer = lab.target.issuer
        outside = parts.enter_context(look_from_outside(issuer, lab.target.client, http, secrets_from(lab.environ)))
        yield Range(lab, outside, tmp_path / "drills")


@pytest.fixture
def quick() -> Callable[[Scenario], Scenario]:
    """The scenario without probes' detection, which needs longer than the verifiers do."""
    return lambda scenario: replace(scenario, detects=None)
