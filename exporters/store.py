"""Keeps the history of runs in an SQLite file, written beside the agent's work and readable while the agent runs."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from probes.model import Outcome, ProbeResult, Reason, Stage
from probes.probe import Clock, utc_now
from probes.reasons import outcome

_log = logging.getLogger(__name__)

RUNS = "runs.sqlite"
"""Name of the file in an agent's data_dir."""
SCHEMA = 1
"""Version of the table, kept in the file as `user_version`."""
RETENTION = timedelta(days=35)
"""The longest usual objective window, and some days to look back at its end."""

# Text of failures is left out: what it says beyond reason and stage is in the agent's log, and nobody counts it.
_CREATE = f"""
BEGIN IMMEDIATE;
CREATE TABLE runs (
    issuer TEXT NOT NULL,
    target TEXT NOT NULL,
    probe TEXT NOT NULL,
    region TEXT NOT NULL,
    drill INTEGER NOT NULL,
    started_at INTEGER NOT NULL,  -- microseconds since 1970, UTC
    seconds REAL NOT NULL,
    interval REAL NOT NULL,
    outcome TEXT NOT NULL,
    first_try TEXT NOT NULL,
    reason TEXT,
    stage TEXT,
    run_id TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_time ON runs (started_at);
PRAGMA user_version = {SCHEMA};
COMMIT;
"""
_INSERT = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PRUNE = "DELETE FROM runs WHERE rowid IN (SELECT rowid FROM runs WHERE started_at < ? ORDER BY started_at LIMIT ?)"
# Parameters that are NULL do not narrow.
_SELECT = """
SELECT * FROM runs
WHERE started_at >= :since AND started_at < :until
    AND (:issuer IS NULL OR issuer = :issuer) AND (:probe IS NULL OR probe = :probe)
ORDER BY started_at
"""

_QUEUED = 10_000  # runs that wait for a disk which does not answer; some megabytes
_BATCH = 500
_PRUNE_EVERY = timedelta(minutes=10)
_PRUNED_AT_ONCE = 5_000  # rows: short transactions, so that nobody waits long and the write-ahead log stays small
_BUSY_SECONDS = 5.0
_CLOSE_SECONDS = 10.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_Row = tuple[str | int | float | None, ...]


class StoreError(Exception):
    """The file cannot be read as a run history; the message says why."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run as it was kept. `started_at` is aware UTC; `seconds` and `interval` are in seconds."""

    issuer: str
    target: str
    probe: str
    region: str
    drill: bool
    started_at: datetime
    seconds: float
    interval: float
    outcome: Outcome
    first_try: Outcome
    reason: Reason | None
    stage: Stage | None
    run_id: str


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
        self._next_prune = _EPOCH
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
            self._connection = _writable(self._path)
        with self._connection:
            self._connection.executemany(_INSERT, rows)
        if self._clock() >= self._next_prune:
            self._prune(self._connection)
            self._next_prune = self._clock() + _PRUNE_EVERY

    def _prune(self, connection: sqlite3.Connection) -> None:
        oldest = _microseconds(self._clock() - self._retention)
        deleted = _PRUNED_AT_ONCE
        while deleted == _PRUNED_AT_ONCE:
            with connection:
                deleted = connection.execute(_PRUNE, (oldest, _PRUNED_AT_ONCE)).rowcount

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


def read_runs(
    path: Path, since: datetime, until: datetime, *, issuer: str | None = None, probe: str | None = None
) -> Iterator[StoredRun]:
    """Runs of a store that may be in use: from `since` to just before `until`, oldest first.

    Raises StoreError when there is no such file, it is none of ours, or a newer version wrote it.
    """
    bounds = {"since": _microseconds(since), "until": _microseconds(until), "issuer": issuer, "probe": probe}
    try:
        if not path.is_file():
            raise StoreError(f"{path}: there is no run history; an agent keeps one in its data_dir")
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            if _version(connection) != SCHEMA:
                raise StoreError(_unknown(path, _version(connection)))
            yield from map(_run, connection.execute(_SELECT, bounds))
        finally:
            connection.close()
    except (sqlite3.Error, OSError, ValueError) as error:  # ValueError: a value that no version of ours writes
        raise StoreError(f"{path}: {error}") from error


def _writable(path: Path) -> sqlite3.Connection:
    """Raises StoreError, OSError or sqlite3.Error."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)  # SQLite gives its companion files the same mode
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for one another
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last runs, never the file
        version = _version(connection)
        if version == 0:
            connection.executescript(_CREATE)
        elif version != SCHEMA:
            raise StoreError(_unknown(path, version))
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _unknown(path: Path, version: int) -> str:
    return f"{path}: the run history has version {version}, this oidcwatch knows version {SCHEMA}; move it away"


def _row(result: ProbeResult, drill: bool) -> _Row:
    check, failure, first = result.check, result.failure, result.first_try
    return (
        *(check.issuer.name, check.target, check.probe, result.region, int(drill)),
        *(_microseconds(result.started_at), result.seconds, check.interval),
        outcome(failure.reason if failure else None).value,
        outcome(first.reason if first else None).value,
        failure.reason.value if failure else None,
        failure.stage.value if failure else None,
        result.run_id,
    )


def _run(row: tuple[str, str, str, str, int, int, float, float, str, str, str | None, str | None, str]) -> StoredRun:
    issuer, target, probe, region, drill, started, seconds, interval, verdict, first, reason, stage, run_id = row
    return StoredRun(
        *(issuer, target, probe, region, bool(drill), _EPOCH + started * _MICROSECOND, seconds, interval),
        outcome=Outcome(verdict),
        first_try=Outcome(first),
        reason=Reason(reason) if reason else None,
        stage=Stage(stage) if stage else None,
        run_id=run_id,
    )


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
