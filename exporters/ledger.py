"""Keeps key ledgers in an SQLite file, so that a restarted agent knows which keys its tokens were signed with."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporters.sqlite_file import SqliteFile, StoreError
from exporters.stored_keys import (
    CREATE,
    SCHEMA,
    UPGRADES,
    Place,
    place_of,
    read_events,
    read_ledger,
    write_events,
    write_ledger,
)
from probes.ledger import Event, Ledger
from probes.subjects import Issuer

_log = logging.getLogger(__name__)

KEYS = "keys.sqlite"
"""Name of the file in an agent's data_dir."""
_PAUSE = 1.0  # seconds between two writes: most observations only move a key's last sight
_LEDGERS_WRITTEN = 1_000  # known as the file holds them, the newest; others are written as a whole
_EVENTS_WAITING = 10_000  # of a disk which does not answer; some megabytes
_CLOSE_SECONDS = 10.0
_UNREADABLE = (sqlite3.Error, OSError, ValueError, TypeError, OverflowError)  # the last three: values of somebody else
_FILE = SqliteFile("key ledger", SCHEMA, CREATE, _UNREADABLE, UPGRADES)


class LedgerStore:
    """One agent's file. `keep` never blocks and never raises: a thread writes the newest state of each ledger.

    What is as it was last written is not written again, and each state goes in as a whole or not at all: a crash costs
    what was seen in the last second. A state that cannot be written is followed by a newer one; the events that came
    with it are lost, and the log says once that writing fails and once that it works again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._waiting: dict[Place, Ledger] = {}
        self._events: deque[tuple[Place, Event]] = deque(maxlen=_EVENTS_WAITING)
        self._written: dict[Place, Ledger] = {}
        """What the file holds, as far as this store has written it."""
        self._writer: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._failing = False

    def keep(self, issuer: Issuer, ledger: Ledger, events: Sequence[Event] = ()) -> None:
        """Keep this state of an issuer's ledger, and what has happened. Creates the file, private, the first time."""
        with self._changed:
            self._waiting[place_of(issuer)] = ledger
            self._events.extend((place_of(issuer), event) for event in events)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="ledger-store", daemon=True)
                self._writer.start()
            self._changed.notify()

    def read(self, issuer: Issuer) -> Ledger:
        """What was kept of the issuer. Never raises: a file that cannot be read is logged, and the ledger is empty."""
        try:
            if not self._path.exists():
                return Ledger()
            _FILE.bring_up_to_date(self._path)
            return stored_ledger(self._path, issuer)
        except (sqlite3.Error, StoreError, OSError) as error:
            _log.warning("the key ledger of %s begins anew: %s", issuer.name, error)
            return Ledger()

    def close(self) -> None:
        """Write what waits and end. A disk that does not answer is given up on after some seconds."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        if self._writer is not None:
            self._writer.join(_CLOSE_SECONDS)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
                ledgers, events = self._waiting, list(self._events)
                self._waiting = {}
                self._events.clear()
            if not ledgers:
                break
            try:
                self._write(ledgers, events)
            except (sqlite3.Error, OSError, StoreError) as error:
                self._failed(error)
            else:
                self._recovered()
            self._closing.wait(_PAUSE)
        self._disconnect()

    def _write(self, ledgers: Mapping[Place, Ledger], events: Sequence[tuple[Place, Event]]) -> None:
        if self._connection is None:
            self._connection = _FILE.writable(self._path)
        with self._connection as connection:
            for place, ledger in ledgers.items():
                write_ledger(connection, place, ledger, self._written.get(place))
                new = [event for of, event in events if of == place]
                if new:
                    write_events(connection, place, new)
        for place, ledger in ledgers.items():
            self._written.pop(place, None)  # the newest come last
            self._written[place] = ledger
        for place in list(self._written)[:-_LEDGERS_WRITTEN]:
            del self._written[place]

    def _failed(self, error: Exception) -> None:
        self._disconnect()
        self._written.clear()  # it may be another file when it can be written again
        if not self._failing:
            self._failing = True
            _log.warning("key ledgers cannot be kept in %s: %s", self._path, error)

    def _recovered(self) -> None:
        if self._failing:
            self._failing = False
            _log.info("key ledgers are kept in %s again", self._path)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def stored_ledger(path: Path, issuer: Issuer) -> Ledger:
    """An issuer's ledger from a file that may be in use; empty when it is not in there. Raises StoreError."""
    with _FILE.reading(path) as connection:
        return read_ledger(connection, place_of(issuer))


def stored_events(path: Path, issuer: Issuer) -> list[Event]:
    """An issuer's history from a file that may be in use, oldest first. Raises StoreError."""
    with _FILE.reading(path) as connection:
        return list(read_events(connection, place_of(issuer)))
