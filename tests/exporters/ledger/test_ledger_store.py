"""The stored key ledger: whole after a restart, private, bounded, and never in the way of a run."""

from __future__ import annotations

import logging
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporters.ledger import LedgerStore, stored_events, stored_ledger
from exporters.sqlite_file import StoreError
from exporters.stored_keys import EVENTS_KEPT
from probes.checks.base import run_checks
from probes.checks.rotation import ROTATION, Rotation
from probes.ledger import Event, EventKind, ExposureSeen, KeyFacts, Ledger, SetSeen, TokenSeen, UnknownKidSeen
from probes.memory import Memory
from probes.subjects import Issuer

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ACME = Issuer("acme", "https://login.acme.example")
OLD = KeyFacts("thumbprint-of-old", "old", "RSA", "RS256", "sig", "", 2048)
NEW = KeyFacts("thumbprint-of-new", "new", "EC", "ES256", "sig", "P-256")
THIRD = KeyFacts("thumbprint-of-third", "third", "OKP", "EdDSA", "sig", "Ed25519")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.sqlite"


@pytest.fixture
def open_store(path: Path) -> Iterator[Callable[[], LedgerStore]]:
    """Opens the same file as often as agents are started."""
    stores: list[LedgerStore] = []

    def open_it() -> LedgerStore:
        stores.append(LedgerStore(path))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


def until(condition: Callable[[], bool]) -> None:
    """Waits for the writer's thread."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come about within 30 s"
        time.sleep(0.01)


def remembering(store: LedgerStore) -> Memory:
    """The memory of an agent that has just started."""
    memory = Memory(keep=store.keep)
    memory.ledgers[ACME.name, ACME.url] = store.read(ACME)
    return memory


def live(memory: Memory) -> Ledger:
    """A set, a token, another set, a leak: every column gets a value."""
    memory.observe(ACME, SetSeen(START, "eu", (OLD,), 15))
    memory.observe(ACME, TokenSeen(START, OLD, START + timedelta(minutes=5)))
    both = frozenset({OLD.thumbprint, NEW.thumbprint})
    edges = {"192.0.2.1": both, "2001:db8::1": both - {NEW.thumbprint}}
    memory.observe(ACME, SetSeen(START + timedelta(seconds=15), "eu", (OLD, NEW), 15, addresses=edges))
    memory.observe(ACME, ExposureSeen(START + timedelta(seconds=20), "eu", (NEW,)))
    memory.observe(ACME, UnknownKidSeen(START + timedelta(seconds=25), "lost", START + timedelta(minutes=5)))
    memory.drills = lambda: {ACME.name}
    memory.observe(ACME, TokenSeen(START + timedelta(seconds=28), NEW, START + timedelta(minutes=5)))
    memory.observe(ACME, UnknownKidSeen(START + timedelta(seconds=29), "drilled", START + timedelta(minutes=5)))
    edges = {"192.0.2.1": both - {OLD.thumbprint}}
    renamed = replace(NEW, kid='renamed "in place"')
    return memory.observe(ACME, SetSeen(START + timedelta(seconds=30), "eu", (renamed,), 15, addresses=edges))


def test_a_restarted_agent_has_the_ledger_of_the_one_before(open_store: Callable[[], LedgerStore]) -> None:
    first = open_store()
    ledger = live(remembering(first))
    first.close()

    memory = remembering(open_store())

    assert memory.ledgers == {(ACME.name, ACME.url): ledger}


def test_a_key_removed_while_the_agent_was_down_is_told(open_store: Callable[[], LedgerStore]) -> None:
    first = open_store()
    memory = remembering(first)
    memory.observe(ACME, SetSeen(START, "eu", (OLD,), 15))
    memory.observe(ACME, TokenSeen(START, OLD, START + timedelta(minutes=5)))
    first.close()
    later = START + timedelta(minutes=4)

    ledger = remembering(open_store()).observe(ACME, SetSeen(later, "eu", (NEW,), 15))

    findings = run_checks(ROTATION, Rotation(ACME, ledger, "eu", later, None))
    assert [finding.check_id for finding in findings] == ["ROT-05"]


def test_the_history_is_kept_in_order(open_store: Callable[[], LedgerStore], path: Path) -> None:
    store = open_store()

    live(remembering(store))
    store.close()

    assert [(event.kind.value, event.key.kid, event.region) for event in stored_events(path, ACME)] == [
        ("found", "old", "eu"),
        ("signed", "old", ""),
        ("published", "new", "eu"),
        ("exposed", "new", "eu"),
        ("signed", "new", ""),
        ("removed", "old", "eu"),
    ]


def test_the_history_of_an_issuer_is_bounded(open_store: Callable[[], LedgerStore], path: Path) -> None:
    store = open_store()
    events = [Event(START + timedelta(seconds=n), EventKind.RETURNED, OLD) for n in range(EVENTS_KEPT + 10)]

    store.keep(ACME, Ledger(), events)
    store.close()

    assert [event.at for event in stored_events(path, ACME)] == [event.at for event in events[10:]]


def test_an_issuer_under_another_url_has_another_ledger(open_store: Callable[[], LedgerStore], path: Path) -> None:
    store = open_store()
    live(remembering(store))
    store.close()

    assert stored_ledger(path, replace(ACME, url="https://other.example")) == Ledger()


def test_the_file_is_private(open_store: Callable[[], LedgerStore], path: Path) -> None:
    store = open_store()

    live(remembering(store))
    store.close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_store_that_was_never_used_leaves_no_file(open_store: Callable[[], LedgerStore], path: Path) -> None:
    store = open_store()

    ledger = store.read(ACME)
    store.close()

    assert ledger == Ledger()
    assert not path.exists()


def test_a_folder_that_cannot_be_looked_into_stops_nothing(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / ("x" * 300) / "keys.sqlite")  # a name too long: OSError wherever it is touched

    ledger = store.read(ACME)
    store.close()

    assert ledger == Ledger()


def test_a_file_of_another_version_is_left_alone_and_said_once(
    open_store: Callable[[], LedgerStore], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    store = open_store()

    with caplog.at_level(logging.WARNING):
        live(remembering(store))
        store.close()

    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the key ledger of acme begins anew",
        f"key ledgers cannot be kept in {path}",
    ]
    with pytest.raises(StoreError, match=r"has version 99, this oidcwatch knows version 4; move it away"):
        stored_ledger(path, ACME)


@pytest.fixture
def path_of_version_1(path: Path) -> Path:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("keys-1.sql").read_text())
    return path


def test_an_agent_goes_on_with_the_ledger_of_an_earlier_version(
    open_store: Callable[[], LedgerStore], path_of_version_1: Path
) -> None:
    store = open_store()
    memory = remembering(store)

    known = memory.ledger_of(ACME)
    memory.observe(ACME, SetSeen(START + timedelta(minutes=1), "eu", (NEW,), 15))
    store.close()

    kept = stored_ledger(path_of_version_1, ACME)
    assert (set(known.keys), known.watches["eu"].drill) == ({OLD.thumbprint, NEW.thumbprint}, False)
    assert kept == memory.ledger_of(ACME)
    assert [event.kind.value for event in stored_events(path_of_version_1, ACME)] == ["found", "removed"]


def test_a_file_that_was_brought_up_to_date_has_the_columns_of_a_new_one(
    path_of_version_1: Path, tmp_path: Path, open_store: Callable[[], LedgerStore]
) -> None:
    new = LedgerStore(tmp_path / "new.sqlite")
    for store in (open_store(), new):
        store.read(ACME)
        live(Memory(keep=store.keep))
        store.close()

    assert columns(path_of_version_1) == columns(tmp_path / "new.sqlite")


def columns(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Names and types, by table."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: [(row[1], row[2]) for row in connection.execute(f"PRAGMA table_info({table})")]
            for table in sorted(tables)
        }


def test_a_reader_says_who_brings_an_earlier_version_up_to_date(path_of_version_1: Path) -> None:
    with pytest.raises(StoreError, match=r"has version 1.*an agent of it brings the file up to date"):
        stored_ledger(path_of_version_1, ACME)


def test_a_file_that_is_no_database_stops_nothing(
    open_store: Callable[[], LedgerStore], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_text("something else\n" * 100)
    store = open_store()

    with caplog.at_level(logging.WARNING):
        ledger = live(remembering(store))
        store.close()

    assert set(ledger.keys) == {OLD.thumbprint, NEW.thumbprint}
    assert "begins anew" in caplog.text
    assert path.read_text().startswith("something else")


def test_writing_that_works_again_is_logged_and_nothing_of_the_ledger_is_lost(
    open_store: Callable[[], LedgerStore], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.write_text("a file where the folder should be")
    store = open_store()
    memory = remembering(store)
    with caplog.at_level(logging.INFO):
        live(memory)
        until(lambda: "cannot be kept" in caplog.text)
        path.parent.unlink()
        ledger = memory.observe(ACME, SetSeen(START + timedelta(seconds=45), "eu", (NEW,), 15))
        store.close()

    assert "are kept in" in caplog.text
    assert stored_ledger(path, ACME) == ledger


def test_a_write_that_breaks_off_leaves_the_former_state_and_the_next_one_goes_in_as_a_whole(
    open_store: Callable[[], LedgerStore], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory = remembering(open_store())
    memory.observe(ACME, SetSeen(START, "eu", (OLD,), 15))
    former = memory.observe(ACME, SetSeen(START + timedelta(seconds=15), "eu", (NEW,), 15))
    until(lambda: path.exists() and _readable(path) == former)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'disk is full'); END")

    memory.observe(ACME, SetSeen(START + timedelta(seconds=30), "eu", (NEW, THIRD), 15))
    until(lambda: "disk is full" in caplog.text)

    assert stored_ledger(path, ACME) == former
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER full")
        connection.execute("DELETE FROM sights")  # as if it were another file by now
    newer = memory.observe(ACME, SetSeen(START + timedelta(seconds=45), "eu", (NEW, THIRD), 15))
    until(lambda: _readable(path) == newer)


def test_a_ledger_that_is_not_there_is_said_plainly(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no key ledger; an agent keeps one in its data_dir"):
        stored_events(path, ACME)


def test_the_ledger_can_be_read_while_an_agent_writes_it(open_store: Callable[[], LedgerStore], path: Path) -> None:
    memory = remembering(open_store())
    ledger = live(memory)
    until(lambda: path.exists() and _readable(path) == ledger)

    newer = memory.observe(ACME, SetSeen(START + timedelta(seconds=45), "eu", (NEW,), 15))

    until(lambda: _readable(path) == newer)


def _readable(path: Path) -> Ledger | None:
    """None before the tables are there."""
    try:
        return stored_ledger(path, ACME)
    except StoreError:
        return None
