"""The memory that probes share holds the ledgers: told to a keeper, and no longer than the configuration names them."""

from __future__ import annotations

from datetime import UTC, datetime

from probes.ledger import Event, EventKind, KeyFacts, Ledger, SetSeen
from probes.memory import Memory
from probes.subjects import Issuer

ACME, OTHER = Issuer("acme", "https://login.acme.example"), Issuer("other", "https://other.example")
SEEN = SetSeen(datetime(2026, 3, 1, tzinfo=UTC), "eu", (KeyFacts("thumbprint", "old", "RSA", "RS256"),), 60)


def test_each_new_state_is_told_to_the_keeper_with_what_has_happened() -> None:
    told: list[tuple[str, Ledger, tuple[Event, ...]]] = []
    memory = Memory(keep=lambda issuer, ledger, events: told.append((issuer.name, ledger, events)))

    states = [memory.observe(ACME, SEEN), memory.observe(ACME, SEEN)]

    assert [(name, ledger) for name, ledger, _ in told] == [("acme", state) for state in states]
    assert [[event.kind for event in events] for _, _, events in told] == [[EventKind.FOUND], []]


def test_each_issuer_has_a_ledger_of_its_own() -> None:
    memory = Memory()

    memory.observe(ACME, SEEN)

    assert memory.observe(OTHER, SetSeen(SEEN.at, "eu", (), 60)).keys == {}


def test_the_ledger_of_an_issuer_that_left_the_configuration_is_forgotten() -> None:
    memory = Memory()
    for issuer in (ACME, OTHER):
        memory.observe(issuer, SEEN)

    memory.keep_only([OTHER])

    assert list(memory.ledgers) == [(OTHER.name, OTHER.url)]
