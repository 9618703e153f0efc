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

from drills.driver import Driver, Snapshot
from drills.drivers import driver_for
from drills.engine import run_drill
from drills.journal import Journal, Log, read_log
from drills.lab import Lab, start_sandbox_lab
from drills.outside import Outside, kid_of, look_from_outside
from drills.plan import Plan
from drills.progress import Progress
from drills.record import Record
from drills.scenario import Scenario
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
            driver=self.driver(),
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
