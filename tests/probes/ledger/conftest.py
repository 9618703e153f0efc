"""A diary: an issuer's ledger that is told, minute by minute, what a region or a token showed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from probes.ledger import (
    Event,
    ExposureSeen,
    KeyFacts,
    KeyState,
    Ledger,
    Observation,
    SetSeen,
    TokenSeen,
    UnknownKidSeen,
    observe,
    state_of,
)

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
INTERVAL = 60.0


def facts(kid: str) -> KeyFacts:
    """An RSA key, or an elliptic one when its kid begins with ec."""
    if kid.startswith("ec"):
        return KeyFacts(f"thumbprint-of-{kid}", kid, "EC", "ES256", "sig", "P-256")
    return KeyFacts(f"thumbprint-of-{kid}", kid, "RSA", "RS256", "sig", bits=2048)


@dataclass(slots=True)
class Diary:
    """Keys are named by their kids, times are minutes from the start."""

    ledger: Ledger = field(default_factory=Ledger)
    events: list[Event] = field(default_factory=list)

    def published(
        self,
        minute: float,
        *kids: str,
        region: str = "eu",
        drill: bool = False,
        at: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> Diary:
        """`at`: kids by address."""
        addresses = {address: frozenset(facts(kid).thumbprint for kid in held) for address, held in at.items()}
        return self._see(SetSeen(self.at(minute), region, tuple(map(facts, kids)), INTERVAL, drill, addresses))

    def published_as(self, minute: float, kid: str, key: str, alg: str = "RS256") -> Diary:
        """A set with one key under another kid than its own."""
        return self._see(SetSeen(self.at(minute), "eu", (replace(facts(key), kid=kid, alg=alg),), INTERVAL))

    def addresses(self, kid: str) -> dict[str, tuple[float, float, float | None]]:
        """The minutes first, last and gone by address."""
        sights = self.ledger.keys[facts(kid).thumbprint].addresses
        return {
            address: (minute_of(sight.first), minute_of(sight.last), minute_of(sight.gone) if sight.gone else None)
            for (_, address), sight in sights.items()
        }

    def polled(self, minutes: range, *kids: str, region: str = "eu") -> Diary:
        for minute in minutes:
            self.published(minute, *kids, region=region)
        return self

    def token(self, minute: float, kid: str, lives: float = 10, drill: bool = False) -> Diary:
        return self._see(TokenSeen(self.at(minute), facts(kid), self.at(minute + lives), drill))

    def unknown(self, minute: float, kid: str, lives: float = 10, drill: bool = False) -> Diary:
        return self._see(UnknownKidSeen(self.at(minute), kid, self.at(minute + lives), drill))

    def exposed(self, minute: float, kid: str, region: str = "eu") -> Diary:
        return self._see(ExposureSeen(self.at(minute), region, (facts(kid),)))

    def states(self) -> dict[str, KeyState]:
        return {record.facts.kid: state_of(self.ledger, record) for record in self.ledger.keys.values()}

    def told(self) -> list[tuple[str, str, str]]:
        return [(event.kind.value, event.key.kid, event.region) for event in self.events]

    @staticmethod
    def at(minute: float) -> datetime:
        return START + timedelta(minutes=minute)

    def _see(self, seen: Observation) -> Diary:
        self.ledger, events = observe(self.ledger, seen)
        self.events += events
        return self


def minute_of(moment: datetime) -> float:
    return (moment - START).total_seconds() / 60


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture(scope="session")
def new_diary() -> Callable[[], Diary]:
    """For tests that make many."""
    return Diary
