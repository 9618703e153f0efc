"""The run history: complete, private, bounded, readable while it is written, and never in the way of a run."""

from __future__ import annotations

import json
import logging
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporters.sqlite_file import StoreError
from exporters.store import RunStore
from exporters.stored_runs import SCHEMA, StoredRun, lone_failures, read_runs
from probes.model import Outcome, Reason, Stage

if TYPE_CHECKING:
    from tests.exporters.conftest import Make, SetClock

EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class History:
    """A store in a folder of its own, with a count of its failures."""

    def __init__(self, path: Path, clock: SetClock) -> None:
        self.path = path
        self.failures = 0
        self.store = RunStore.open(path, clock=clock, on_failure=self._failed)

    def _failed(self) -> None:
        self.failures += 1

    def kept(self) -> list[StoredRun]:
        """Everything, after all that waits was written."""
        self.store.close()
        return list(read_runs(self.path, *EVER))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "runs.sqlite"


@pytest.fixture
def history(path: Path, clock: SetClock) -> Iterator[History]:
    kept = History(path, clock)
    yield kept
    kept.store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB: root writes to a read-only directory, but not to a full disk."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"this test mounts a tmpfs and needs root (docker run --privileged): {done.stderr}"
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_run_is_kept_with_all_that_rules_and_budgets_count(history: History, make: Make, clock: SetClock) -> None:
    check = make.check(interval=15)
    result = make.result(check, reason=Reason.TIMEOUT, stage=Stage.TOKEN, first=Reason.SERVER_ERROR)

    history.store.add(result, drill=True)

    assert history.kept() == [
        StoredRun(
            issuer="acme",
            target="portal",
            probe="login",
            region="eu",
            drill=True,
            started_at=clock() - timedelta(seconds=1.5),
            seconds=1.5,
            interval=15,
            outcome=Outcome.FAILURE,
            first_try=Outcome.FAILURE,
            reason=Reason.TIMEOUT,
            stage=Stage.TOKEN,
            run_id=result.run_id,
        )
    ]


def test_a_run_that_went_well_at_the_second_try_keeps_both_results(history: History, make: Make) -> None:
    history.store.add(make.result(first=Reason.TIMEOUT))

    (run,) = history.kept()
    assert (run.outcome, run.first_try, run.reason, run.stage) == (Outcome.SUCCESS, Outcome.FAILURE, None, None)


def test_a_run_that_is_no_evidence_is_kept_as_excluded(history: History, make: Make) -> None:
    history.store.add(make.result(reason=Reason.PROBE_ERROR))

    assert [run.outcome for run in history.kept()] == [Outcome.EXCLUDED]


def test_what_a_failure_says_beyond_its_reason_is_not_in_the_file(history: History, make: Make, path: Path) -> None:
    history.store.add(make.result(reason=Reason.TIMEOUT, detail="canary-8c1f"))

    history.kept()

    assert all(b"canary-8c1f" not in file.read_bytes() for file in path.parent.iterdir())


def test_the_file_is_private(history: History, make: Make, path: Path) -> None:
    history.store.add(make.result())

    history.kept()

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_runs_are_given_by_time_issuer_and_probe(history: History, make: Make, clock: SetClock) -> None:
    for issuer, probe in (("acme", "login"), ("acme", "jwks"), ("partner", "jwks")):
        for _ in range(2):
            history.store.add(make.result(make.check(probe, issuer=issuer), seconds=0))
            clock.forward(hours=1)
    history.store.close()
    start = clock() - timedelta(hours=6)

    found = history.store.runs(start + timedelta(hours=1), start + timedelta(hours=5), issuer="acme", probe="jwks")

    assert [run.started_at - start for run in found] == [timedelta(hours=2), timedelta(hours=3)]
    assert len(list(history.store.runs(start, start + timedelta(hours=5)))) == 5  # the end itself is not within


def test_runs_are_read_by_another_process_while_the_store_is_open(history: History, make: Make, path: Path) -> None:
    reader = (
        "import sys, json; from pathlib import Path; from datetime import datetime, UTC; "
        "from exporters.stored_runs import read_runs; "
        "runs = read_runs(Path(sys.argv[1]), datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)); "
        "print(json.dumps([run.run_id for run in runs]))"
    )
    results = [make.result() for _ in range(3)]
    for result in results:
        history.store.add(result)
    _until(lambda: len(_rows(path)) == 3)

    done = subprocess.run([sys.executable, "-c", reader, str(path)], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == [result.run_id for result in results]


def test_a_store_that_is_opened_again_goes_on_where_it_was(history: History, make: Make, clock: SetClock) -> None:
    history.store.add(make.result())
    history.store.close()
    again = History(history.path, clock)

    again.store.add(make.result())

    assert len(again.kept()) == 2


def test_runs_that_are_too_old_are_deleted(path: Path, make: Make, clock: SetClock) -> None:
    old = History(path, clock)
    for _ in range(3):
        old.store.add(make.result())
    old.store.close()
    clock.forward(days=35, seconds=1)
    history = History(path, clock)

    history.store.add(make.result(seconds=0))

    assert [run.started_at for run in history.kept()] == [clock()]


def test_runs_are_counted_as_lost_while_the_disk_is_full_and_kept_again_afterwards(
    small_disk: Path, make: Make, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    history = History(small_disk / "runs.sqlite", clock)
    filler = small_disk / "filler"
    _fill(filler)

    history.store.add(make.result())
    _until(lambda: history.failures == 1)
    history.store.add(make.result())
    _until(lambda: history.failures == 2)
    filler.unlink()
    history.store.add(make.result())

    assert len(history.kept()) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_file_that_is_no_history_loses_runs_and_stops_nothing(path: Path, make: Make, clock: SetClock) -> None:
    path.parent.mkdir()
    path.write_text("something else " * 1000)
    history = History(path, clock)

    history.store.add(make.result())
    history.store.close()

    assert history.failures == 1
    with pytest.raises(StoreError, match="not a database"):
        list(read_runs(path, *EVER))


def test_a_history_of_a_newer_version_is_neither_written_nor_read(path: Path, make: Make, clock: SetClock) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    newer.close()
    history = History(path, clock)

    history.store.add(make.result())
    history.store.close()

    assert history.failures == 1
    with pytest.raises(StoreError, match="has version 2, this oidcwatch knows version 1"):
        list(read_runs(path, *EVER))


def test_a_history_that_is_not_there_is_said_to_be_missing(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no run history"):
        list(read_runs(path, *EVER))

    assert not path.exists()


def test_a_store_to_which_nothing_is_added_makes_no_file(history: History, path: Path) -> None:
    history.store.close()

    assert not path.parent.exists()


def test_a_failure_between_good_runs_is_noise_and_a_row_of_failures_is_not(
    history: History, make: Make, clock: SetClock
) -> None:
    for failed in "..x...xxx..x":
        history.store.add(make.result(reason=Reason.TIMEOUT if failed == "x" else None))
        history.store.add(make.result(region="us", reason=Reason.PROBE_ERROR))  # no evidence
        clock.forward(minutes=1)
    history.store.add(make.result(reason=Reason.TIMEOUT), drill=True)
    history.store.close()

    found = lone_failures(history.path, *EVER)

    assert found == {("acme", "portal", "login"): (1, 12)}


def _rows(path: Path) -> list[StoredRun]:
    try:
        return list(read_runs(path, *EVER))
    except StoreError:  # the table is not there yet
        return []


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
