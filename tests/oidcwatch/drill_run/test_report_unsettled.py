"""`oidcwatch drill report` shows no earlier drill's report without a word of one that was cut short."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from drills.journal import Entry, Journal
from drills.record import Record
from oidcwatch.cli import make_app


@pytest.fixture
def drilled(tmp_path: Path, record: Callable[..., Record], keep: Callable[[Path, Record], None]) -> Record:
    """A drill that has passed, and left its report."""
    passed = record()
    keep(tmp_path, passed)
    return passed


def begun(folder: Path, after: Record, *entries: Entry) -> Journal:
    """A later drill that has moved a key."""
    journal = Journal.create(folder, "zero-lead", after.started + timedelta(days=1))
    journal.write(Entry.OPENED, issuer="staging")
    journal.write(Entry.MOVING, number=1, action="rotate", life=60.0)
    for entry in entries:
        journal.write(entry)
    return journal


def report(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(make_app(), ["drill", "report", *arguments, "--out", str(folder)])


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--history",)], ids=["text", "json", "history"])
def test_a_drill_that_was_cut_short_is_named_before_another_ones_report(
    drilled: Record, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    journal = begun(tmp_path, drilled)
    journal.close()

    done = report(tmp_path, *arguments)

    assert done.exit_code == 0
    assert done.stderr == f"oidcwatch: {journal.id} is not settled: oidcwatch drill abort {journal.id}\n"


def test_a_drill_that_runs_is_not_to_be_aborted(drilled: Record, tmp_path: Path) -> None:
    journal = begun(tmp_path, drilled)

    done = report(tmp_path)
    journal.close()

    assert done.stderr == f"oidcwatch: {journal.id} is still running\n"


def test_a_settled_drill_whose_key_leaves_later_is_not_named(drilled: Record, tmp_path: Path) -> None:
    begun(tmp_path, drilled, Entry.RESTORED, Entry.ENDED).close()

    assert report(tmp_path).stderr == ""
