"""Keeps the history of runs in an SQLite file, written beside the agent's work and readable while the agent runs."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from exporters.sqlite_file import StoreError
from exporters.stored_runs import EPOCH, FILE, StoredRun, microseconds, read_runs
from probes.model import ProbeResult
from probes.probe import Clock, utc_now
from probes.reasons import outcome

_log = logging.getLogger(__name__)

RUNS = "runs.sqlite"
"""Name of the file in an agent's data_dir."""
RETENTION = timedelta(days=35)
"""The longest usual objective window, and some days to look back at its end."""

_INSERT = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Rows are numbered as they come, so the oldest stand first.
_PRUNE = """
DELETE FROM runs WHERE rowid IN (
    SELECT rowid FROM (SELECT rowid, started_at FROM runs ORDER BY rowid LIMIT :rows) WHERE started_at < :oldest
)
"""
_QUEUED = 10_000  # runs that wait for a disk which does not answer; some megabytes
_BATCH = 500
_PRUNE_EVERY = timedelta(minutes=10)
_PRUNED_AT_ONCE = 5_000  # rows: short transactions, so that nobody waits long and the write-ahead log stays small
_CLOSE_SECONDS = 10.0

_Row = tuple[str | int | float | None, ...]


class RunStore:
    """Agents may share a file. `add` never blocks and never raises: a thread writes, in batches.

    Runs that cannot be written are dropped, each counted by `on_failure` (called from any thread), and the log says
    once that writing fails and once that it works again. Runs older than `retention` are deleted.
    """

    def __init__(self, path: Path, retention: timedelta, clock: Clock, on_failure: Callable[[], None]) -> None:
        self._path = path
        self._retention = retention
        self._clock = clock
        self._on_failure = on_failure
        self._waiting: queue.Queue[_Row | None] = queue.Queue(_QUEUED)
        self._starting = threading.Lock()
        self._writer: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._next_prune = EPOCH
        self._failing = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        retention: timedelta = RETENTION,
        clock: Clock = utc_now,
        on_failure: Callable[[], None] = lambda: None,
    ) -> RunStore:
        """A store that creates the file, private, when the first run is added. Must be closed, to keep the last runs."""
        return cls(path, retention, clock, on_failure)

    def add(self, result: ProbeResult, drill: bool = False) -> None:
        """Keep a finished run."""
        with self._starting:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="run-store", daemon=True)
                self._writer.start()
        try:
            self._waiting.put_nowait(_row(result, drill))
        except queue.Full:
            self._on_failure()

    def runs(
        self, since: datetime, until: datetime, *, issuer: str | None = None, probe: str | None = None
    ) -> Iterator[StoredRun]:
        """Runs that started from `since` to just before `until`, oldest first. Raises StoreError."""
        return read_runs(self._path, since, until, issuer=issuer, probe=probe)

    def close(self) -> None:
        """Write what waits and end. A disk that does not answer is given up on after some seconds."""
        if self._writer is None:
            return
        try:
            self._waiting.put(None, timeout=_CLOSE_SECONDS)
        except queue.Full:
            return
        self._writer.join(_CLOSE_SECONDS)

    def _write_all(self) -> None:
        going_on = True
        while going_on:
            batch = [self._waiting.get()]
            while len(batch) < _BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            going_on = None not in batch
            rows = [row for row in batch if row is not None]
            try:
                self._write(rows)
            except (sqlite3.Error, OSError, StoreError) as error:
                self._failed(error, len(rows))
            else:
                self._recovered()
        self._disconnect()

    def _write(self, rows: list[_Row]) -> None:
        if self._connection is None:
            self._connection = FILE.writable(self._path)
        with self._connection:
            self._connection.executemany(_INSERT, rows)
        if self._clock() >= self._next_prune:
            self._prune(self._connection)
            self._next_prune = self._clock() + _PRUNE_EVERY

    def _prune(self, connection: sqlite3.Connection) -> None:
        oldest = microseconds(self._clock() - self._retention)
        deleted = _PRUNED_AT_ONCE
        while deleted == _PRUNED_AT_ONCE:
            with connection:
                deleted = connection.execute(_PRUNE, {"oldest": oldest, "rows": _PRUNED_AT_ONCE}).rowcount

    def _failed(self, error: Exception, runs: int) -> None:
        self._disconnect()
        for _ in range(runs):
            self._on_failure()
        if not self._failing:
            self._failing = True
            _log.warning("runs cannot be kept in %s: %s", self._path, error)

    def _recovered(self) -> None:
        if self._failing:
            self._failing = False
            _log.info("runs are kept in %s again", self._path)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _row(result: ProbeResult, drill: bool) -> _Row:
    check, failure, first = result.check, result.failure, result.first_try
    return (
        *(check.issuer.name, check.target, check.probe, result.region, int(drill)),
        *(microseconds(result.started_at), result.seconds, check.interval),
        outcome(failure.reason if failure else None).value,
        outcome(first.reason if first else None).value,
        failure.reason.value if failure else None,
        failure.stage.value if failure else None,
        result.run_id,
    )
