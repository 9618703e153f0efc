"""The stored form of a key ledger: what is written is what has changed, and the file is then as the ledger is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from exporters.stored_keys import CREATE, read_ledger, write_ledger
from probes.ledger import ExposureSeen, KeyFacts, Ledger, Observation, SetSeen, TokenSeen, UnknownKidSeen, observe

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = ("acme", "https://login.acme.example")
KEYS = tuple(KeyFacts(f"thumbprint-{number}", f"kid-{number}", "RSA", "RS256", "sig", "", 2048) for number in range(50))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:")
    made.executescript(CREATE)
    yield made
    made.close()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def fetch(seconds: float, *keys: KeyFacts, addresses: int = 2) -> SetSeen:
    """A set that so many addresses answer with."""
    thumbprints = frozenset(key.thumbprint for key in keys)
    edges = {f"192.0.2.{number}": thumbprints for number in range(addresses)}
    return SetSeen(at(seconds), "eu", keys, 15, addresses=edges)


def grown(*seen: Observation, ledger: Ledger | None = None) -> Ledger:
    for each in seen:
        ledger, _ = observe(ledger or Ledger(), each)
    return ledger or Ledger()


def test_a_fetch_writes_what_it_has_changed_and_nothing_of_keys_that_left(connection: sqlite3.Connection) -> None:
    ledger = grown(*(fetch(15 * number, *KEYS[number : number + 2]) for number in range(49)))
    write_ledger(connection, PLACE, ledger)
    written = connection.total_changes

    newer = grown(fetch(15 * 49, *KEYS[48:]), ledger=ledger)
    write_ledger(connection, PLACE, newer, ledger)

    two_keys = 2 * (1 + 1 + 2)  # each with a sight and two addresses
    the_one_that_left = 1 + 1 + 2
    the_watch = 1
    assert connection.total_changes - written <= 2 * (two_keys + the_one_that_left + the_watch)  # a row replaced is two
    assert read_ledger(connection, PLACE) == newer


def test_a_ledger_that_has_not_changed_writes_nothing(connection: sqlite3.Connection) -> None:
    ledger = grown(fetch(0, *KEYS))
    write_ledger(connection, PLACE, ledger)
    written = connection.total_changes

    write_ledger(connection, PLACE, ledger, ledger)

    assert connection.total_changes == written


def test_the_file_follows_a_ledger_through_all_its_changes(connection: sqlite3.Connection) -> None:
    first, second, third = KEYS[:3]
    before: Ledger | None = None
    for seen in (
        fetch(0, first),
        TokenSeen(at(1), first, at(300)),
        fetch(15, first, second, addresses=4),
        UnknownKidSeen(at(16), "lost", at(60)),
        UnknownKidSeen(at(17), "late", at(90)),
        ExposureSeen(at(18), "eu", (second,)),
        fetch(30, second),
        TokenSeen(at(31), second, at(600)),
        UnknownKidSeen(at(70), "late", at(400)),
        fetch(100_000, third, addresses=1),
    ):
        ledger = grown(seen, ledger=before)
        write_ledger(connection, PLACE, ledger, before)
        before = ledger

        assert read_ledger(connection, PLACE) == ledger


def test_what_a_ledger_has_forgotten_leaves_the_file(connection: sqlite3.Connection) -> None:
    ledger = grown(fetch(0, *KEYS[:3]), UnknownKidSeen(at(1), "lost", at(60)))
    write_ledger(connection, PLACE, ledger)
    kept = KEYS[0].thumbprint

    less = Ledger({kept: replace(ledger.keys[kept], addresses={})})
    write_ledger(connection, PLACE, less, ledger)

    tables = ("keys", "sights", "addresses", "watches", "unpublished")
    rows = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608 - constants
    assert rows == [1, 1, 0, 0, 0]
    assert read_ledger(connection, PLACE) == less


def test_a_change_of_one_issuer_leaves_another_one_alone(connection: sqlite3.Connection) -> None:
    other = ("acme", "https://other.example")
    ledger = grown(fetch(0, *KEYS[:2]))
    for place in (PLACE, other):
        write_ledger(connection, place, ledger)

    write_ledger(connection, PLACE, Ledger(), ledger)

    assert (read_ledger(connection, PLACE), read_ledger(connection, other)) == (Ledger(), ledger)


def test_addresses_come_back_with_the_newest_last(connection: sqlite3.Connection) -> None:
    [key] = KEYS[:1]
    both, one = fetch(0, key), fetch(15, key, addresses=1)
    ledger = grown(both, one)  # .0 was seen last; .1 had it no more, or was not asked
    write_ledger(connection, PLACE, grown(both))

    write_ledger(connection, PLACE, ledger, grown(both))

    assert [address for _, address in read_ledger(connection, PLACE).keys[key.thumbprint].addresses] == [
        "192.0.2.1",
        "192.0.2.0",
    ]
