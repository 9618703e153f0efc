"""Reads the history of runs that an agent keeps (exporters.store writes it)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporters.sqlite_file import SqliteFile
from probes.model import Outcome, Reason, Stage

SCHEMA = 1
"""Version of the table, kept in the file as `user_version`."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
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
CREATE INDEX runs_of_probes ON runs (issuer, probe, started_at);
PRAGMA user_version = {SCHEMA};
COMMIT;
"""
FILE = SqliteFile("run history", SCHEMA, _CREATE)

_WITHIN = "started_at >= :since AND started_at < :until"
_NARROWED = {"issuer": " AND issuer = :issuer", "probe": " AND probe = :probe"}
# A failure on its own, with a good run of the same check from the same region before and after it, is taken for noise.
_ALONE = f"""
SELECT issuer, target, probe, count(*), sum(outcome = :failed AND before = :good AND after = :good)
FROM (
    SELECT issuer, target, probe, outcome, lag(outcome) OVER series AS before, lead(outcome) OVER series AS after
    FROM runs WHERE {_WITHIN} AND drill = 0 AND outcome <> :excluded
    WINDOW series AS (PARTITION BY issuer, target, probe, region ORDER BY started_at)
)
GROUP BY issuer, target, probe
"""  # noqa: S608 - put together from constants of this file


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


def read_runs(
    path: Path, since: datetime, until: datetime, *, issuer: str | None = None, probe: str | None = None
) -> Iterator[StoredRun]:
    """Runs of a store that may be in use: from `since` to just before `until`, oldest first.

    Raises StoreError when there is no such file, it is none of ours, or a newer version wrote it.
    """
    wanted = {name: value for name, value in (("issuer", issuer), ("probe", probe)) if value is not None}
    narrowed = "".join(_NARROWED[name] for name in wanted)
    query = f"SELECT * FROM runs WHERE {_WITHIN}{narrowed} ORDER BY started_at"  # noqa: S608 - only constants
    with FILE.reading(path) as connection:
        yield from map(_run, connection.execute(query, _bounds(since, until) | wanted))


def lone_failures(path: Path, since: datetime, until: datetime) -> dict[tuple[str, str, str], tuple[int, int]]:
    """By issuer, target and probe: failures that stand alone between good runs, and all runs. No drills.

    Outages are rows of failures; what fails alone is noise of the probes. Raises StoreError.
    """
    outcomes = {"failed": Outcome.FAILURE.value, "good": Outcome.SUCCESS.value, "excluded": Outcome.EXCLUDED.value}
    with FILE.reading(path) as connection:
        rows = connection.execute(_ALONE, _bounds(since, until) | outcomes)
        return {(issuer, target, probe): (alone or 0, runs) for issuer, target, probe, runs, alone in rows}


def _bounds(since: datetime, until: datetime) -> dict[str, object]:
    return {"since": microseconds(since), "until": microseconds(until)}


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - EPOCH) // _MICROSECOND


def _run(row: tuple[str, str, str, str, int, int, float, float, str, str, str | None, str | None, str]) -> StoredRun:
    issuer, target, probe, region, drill, started, seconds, interval, verdict, first, reason, stage, run_id = row
    return StoredRun(
        *(issuer, target, probe, region, bool(drill), EPOCH + started * _MICROSECOND, seconds, interval),
        outcome=Outcome(verdict),
        first_try=Outcome(first),
        reason=Reason(reason) if reason else None,
        stage=Stage(stage) if stage else None,
        run_id=run_id,
    )
