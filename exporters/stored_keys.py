"""The form of key ledgers in an SQLite file: its tables, and how ledgers and events go in and come out."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from exporters.stored_runs import EPOCH, microseconds
from probes.ledger import (
    AddressSight,
    Edge,
    Event,
    EventKind,
    KeyFacts,
    KeyRecord,
    Ledger,
    Sight,
    Unpublished,
    Use,
    Watch,
)
from probes.subjects import Issuer

V = TypeVar("V")

SCHEMA = 4
"""Version of the tables, kept in the file as `user_version`."""
EVENTS_KEPT = 1000
"""Of each issuer, the newest."""

# All times are microseconds since 1970, UTC.
_ADDRESSES = """CREATE TABLE addresses (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    region TEXT NOT NULL,
    address TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    gone INTEGER,
    PRIMARY KEY (issuer, url, thumbprint, region, address)
) STRICT;"""
_UNPUBLISHED = """CREATE TABLE unpublished (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    kid TEXT NOT NULL,
    first INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    drill INTEGER NOT NULL,
    PRIMARY KEY (issuer, url, kid)
) STRICT;"""
_EARLIER = "earlier TEXT NOT NULL DEFAULT '[]'"  # other kids of the key: a JSON array
CREATE = f"""
BEGIN IMMEDIATE;
CREATE TABLE keys (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    kid TEXT NOT NULL,
    kty TEXT NOT NULL,
    alg TEXT NOT NULL,
    use TEXT NOT NULL,
    crv TEXT NOT NULL,
    bits INTEGER NOT NULL,
    exposed INTEGER,
    first_token INTEGER,
    last_token INTEGER,
    expires INTEGER,
    lifetime REAL,  -- seconds
    token_drill INTEGER,  -- 1: the first token came during a drill
    {_EARLIER},
    PRIMARY KEY (issuer, url, thumbprint)
) STRICT;
CREATE TABLE sights (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    region TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    after INTEGER,
    gone INTEGER,
    drill INTEGER NOT NULL,  -- 1: it left during a drill
    PRIMARY KEY (issuer, url, thumbprint, region)
) STRICT;
{_ADDRESSES}
CREATE TABLE watches (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    region TEXT NOT NULL,
    last INTEGER NOT NULL,
    interval REAL NOT NULL,  -- seconds
    drill INTEGER NOT NULL,  -- 1: a drill ran at the last fetch
    PRIMARY KEY (issuer, url, region)
) STRICT;
{_UNPUBLISHED}
CREATE TABLE events (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    kid TEXT NOT NULL,
    kty TEXT NOT NULL,
    alg TEXT NOT NULL,
    region TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_issuers ON events (issuer, url, at);
PRAGMA user_version = {SCHEMA};
COMMIT;
"""
UPGRADES: Mapping[int, str] = MappingProxyType(
    {
        1: f"""
            ALTER TABLE keys ADD COLUMN token_drill INTEGER;
            ALTER TABLE sights ADD COLUMN drill INTEGER NOT NULL DEFAULT 0;
            ALTER TABLE watches ADD COLUMN drill INTEGER NOT NULL DEFAULT 0;
            {_UNPUBLISHED}
        """,
        2: _ADDRESSES,
        3: f"ALTER TABLE keys ADD COLUMN {_EARLIER};",
    }
)
"""What makes the tables of a version those of the next."""
_MICROSECOND = timedelta(microseconds=1)
_OF = "WHERE issuer = ? AND url = ?"
_PRUNE = """
DELETE FROM events WHERE issuer = :issuer AND url = :url AND rowid NOT IN (
    SELECT rowid FROM events WHERE issuer = :issuer AND url = :url ORDER BY at DESC, rowid DESC LIMIT :kept
)
"""

Place = tuple[str, str]
"""Name and URL of an issuer."""


def place_of(issuer: Issuer) -> Place:
    """Under another URL an issuer has other keys."""
    return (issuer.name, issuer.url)


def write_ledger(connection: sqlite3.Connection, place: Place, ledger: Ledger, before: Ledger | None = None) -> None:
    """Puts this state in the place of the one before; the caller owns the transaction.

    `before` is the state that the file holds, where it is known: what both of them hold, the very same frozen value, is
    left alone.
    """
    if before is None:
        before = Ledger()
        for table in _TABLES:
            connection.execute(f"DELETE FROM {table.name} {_OF}", place)  # noqa: S608 - only constants
    then, now = _apart(before, ledger), _apart(ledger, before)
    for table in _TABLES:
        old, new = table.rows(then), table.rows(now)
        connection.executemany(table.delete, ((*place, *key) for key in old if key not in new))
        rows = ((*place, *key, *table.values(value)) for key, value in new.items() if old.get(key) is not value)
        connection.executemany(table.insert, rows)


def write_events(connection: sqlite3.Connection, place: Place, events: Iterable[Event]) -> None:
    """Adds to an issuer's history and drops what is too old; the caller owns the transaction."""
    connection.executemany(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((*place, _stored(event.at), event.kind.value, *_names(event.key), event.region) for event in events),
    )
    connection.execute(_PRUNE, {"issuer": place[0], "url": place[1], "kept": EVENTS_KEPT})


def read_ledger(connection: sqlite3.Connection, place: Place) -> Ledger:
    """The state that was written last; an empty one for an issuer that is not in the file."""
    sights: defaultdict[str, dict[str, Sight]] = defaultdict(dict)
    query = f"SELECT thumbprint, region, first, last, after, gone, drill FROM sights {_OF}"  # noqa: S608 - only constants
    for thumbprint, region, first, last, after, gone, drill in connection.execute(query, place):
        sights[thumbprint][region] = Sight(_known(first), _known(last), _time(after), _time(gone), bool(drill))
    addresses: defaultdict[str, dict[Edge, AddressSight]] = defaultdict(dict)
    query = f"SELECT thumbprint, region, address, first, last, gone FROM addresses {_OF} ORDER BY last, rowid"  # noqa: S608 - only constants
    for thumbprint, region, address, first, last, gone in connection.execute(query, place):
        addresses[thumbprint][region, address] = AddressSight(_known(first), _known(last), _time(gone))
    query = f"SELECT * FROM keys {_OF}"  # noqa: S608 - only constants
    keys = {row[2]: _record(row[2:], sights[row[2]], addresses[row[2]]) for row in connection.execute(query, place)}
    query = f"SELECT region, last, interval, drill FROM watches {_OF}"  # noqa: S608 - only constants
    watches = {
        region: Watch(_known(last), interval, bool(drill))
        for region, last, interval, drill in connection.execute(query, place)
    }
    query = f"SELECT kid, first, expires, drill FROM unpublished {_OF} ORDER BY rowid"  # noqa: S608 - only constants
    unpublished = {
        kid: Unpublished(kid, _known(first), _known(expires), bool(drill))
        for kid, first, expires, drill in connection.execute(query, place)
    }
    return Ledger(MappingProxyType(keys), MappingProxyType(watches), MappingProxyType(unpublished))


def read_events(connection: sqlite3.Connection, place: Place) -> Iterator[Event]:
    """An issuer's history, oldest first."""
    query = f"SELECT at, kind, thumbprint, kid, kty, alg, region FROM events {_OF} ORDER BY at, rowid"  # noqa: S608 - only constants
    for at, kind, thumbprint, kid, kty, alg, region in connection.execute(query, place):
        yield Event(_known(at), EventKind(kind), KeyFacts(thumbprint, kid, kty, alg), region)


def _apart(ledger: Ledger, other: Ledger) -> Ledger:
    """Without the keys that the other one has just so."""
    keys = {
        thumbprint: record for thumbprint, record in ledger.keys.items() if other.keys.get(thumbprint) is not record
    }
    return Ledger(keys, ledger.watches, ledger.unpublished)


_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """What of a ledger one table holds."""

    name: str
    key: _Key
    """Columns that tell the rows of an issuer apart; they come just after name and URL."""
    rows: Callable[[Ledger], Mapping[_Key, Any]]
    values: Callable[[Any], Sequence[str | int | float | None]]
    """Of the columns after those."""
    columns: int

    @property
    def delete(self) -> str:
        """Of one row."""
        return f"DELETE FROM {self.name} {_OF} {' '.join(f'AND {column} = ?' for column in self.key)}"  # noqa: S608 - only constants

    @property
    def insert(self) -> str:
        """Of one row, in the place of the one with its key."""
        return f"INSERT OR REPLACE INTO {self.name} VALUES ({', '.join('?' * self.columns)})"  # noqa: S608 - only constants


def _names(facts: KeyFacts) -> tuple[str, str, str, str]:
    return (facts.thumbprint, facts.kid, facts.kty, facts.alg)


def _of_key(record: KeyRecord) -> tuple[str | int | float | None, ...]:
    facts, use = record.facts, record.use
    tokens = (
        (_stored(use.first), _stored(use.last), _stored(use.expires), use.lifetime, use.drill) if use else (None,) * 5
    )
    earlier = json.dumps(record.earlier)
    return (*_names(facts)[1:], facts.use, facts.crv, facts.bits, _stored(record.exposed), *tokens, earlier)


def _sights(ledger: Ledger) -> Mapping[_Key, Sight]:
    return {
        (thumbprint, region): sight
        for thumbprint, record in ledger.keys.items()
        for region, sight in record.sights.items()
    }


def _addresses(ledger: Ledger) -> Mapping[_Key, AddressSight]:
    return {
        (thumbprint, *edge): sight
        for thumbprint, record in ledger.keys.items()
        for edge, sight in record.addresses.items()
    }


def _singly(rows: Mapping[str, V]) -> Mapping[_Key, V]:
    return {(key,): value for key, value in rows.items()}


_TABLES = (
    _Table("keys", ("thumbprint",), lambda ledger: _singly(ledger.keys), _of_key, 16),
    _Table(
        "sights", ("thumbprint", "region"), _sights,
        lambda sight: (*map(_stored, (sight.first, sight.last, sight.after, sight.gone)), sight.drill), 9,
    ),
    _Table(
        "addresses", ("thumbprint", "region", "address"), _addresses,
        lambda sight: [*map(_stored, (sight.first, sight.last, sight.gone))], 8,
    ),
    _Table(
        "watches", ("region",), lambda ledger: _singly(ledger.watches),
        lambda watch: (_stored(watch.last), watch.interval, watch.drill), 6,
    ),
    _Table(
        "unpublished", ("kid",), lambda ledger: _singly(ledger.unpublished),
        lambda note: (_stored(note.first), _stored(note.expires), note.drill), 6,
    ),
)  # fmt: skip


def _record(row: tuple[Any, ...], sights: dict[str, Sight], addresses: dict[Edge, AddressSight]) -> KeyRecord:
    thumbprint, kid, kty, alg, use, crv, bits, exposed, first, last, expires, lifetime, drill, earlier = row
    tokens = None if first is None else Use(_known(first), _known(last), _known(expires), lifetime, bool(drill))
    facts = KeyFacts(thumbprint, kid, kty, alg, use, crv, bits)
    edges, others = MappingProxyType(addresses), tuple(json.loads(earlier))
    return KeyRecord(facts, MappingProxyType(sights), tokens, edges, _time(exposed), others)


def _stored(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


def _time(value: int | None) -> datetime | None:
    return None if value is None else _known(value)


def _known(value: int) -> datetime:
    return EPOCH + value * _MICROSECOND
