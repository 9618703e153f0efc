"""Everything that a drill is run with: the scenario, the provider, the verifiers, and who watches over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from drills.driver import Driver, Ready
from drills.journal import Journal
from drills.outside import Outside
from drills.record import AlertSeen, Checked
from drills.scenario import Scenario
from drills.target import Target
from drills.verifiers import Verifier
from probes.http import Http
from probes.secrets import Secrets

POLL = 1.0
LONGEST = 900.0
"""Seconds that a drill observes at most, unless it is told otherwise."""


class AlertWatch(Protocol):
    """Sees the alerts about the issuer. Raises nothing: what cannot be seen is not there."""

    def now(self) -> tuple[AlertSeen, ...]:
        """Those that fire now, each with the time at which it was first seen to; once `notified`, always so."""


class Guard(Protocol):
    """Protects real users."""

    def budget(self) -> tuple[Ready, ...]:
        """Whether enough of the error budgets is left."""

    def broken(self) -> str:
        """Why the drill must end now; empty when it need not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `drills.engine.run_drill` needs. Durations in seconds."""

    scenario: Scenario
    target: Target
    driver: Driver
    outside: Outside
    http: Http
    secrets: Secrets
    rows: tuple[Verifier, ...]
    """The verifiers that are measured."""
    journal: Journal
    environ: Mapping[str, str] = field(repr=False)
    ca_file: Path | None = None
    poll: float = POLL
    """Between two questions to a verifier."""
    watch: float = 5.0
    """Between two rounds of the probes."""
    longest: float = LONGEST
    patience: float = 30.0
    """Within which what the driver has done must be seen from outside."""
    shorten: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """`ttl` and `cooldown` that verifiers are given through their own settings, where they have such."""
    emulate: frozenset[str] = frozenset()
    stand_in: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    alerts: AlertWatch | None = None
    guard: Guard | None = None
    tell_agents: Callable[[bool], tuple[Ready, ...]] = lambda on: ()
    """Tells every agent that a drill is on, or over; one line for each."""
    call: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What `drill resume` needs to run the same drill again: JSON without secrets."""
    forgets_at_once: bool = False
    """Nobody but the drill has tokens of this provider: its keys may go as soon as it is over."""


class NotReady(RuntimeError):
    """The preflight found that the drill must not start. Nothing was changed."""

    def __init__(self, checks: tuple[Checked, ...]) -> None:
        super().__init__("; ".join(f"{check.name}: {check.text}" for check in checks if not check.ok))
        self.checks = checks
