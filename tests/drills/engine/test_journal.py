"""The journal knows after a crash what had been done, and nobody takes a running drill for a dead one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drills.journal import JOURNAL, DrillOpen, Entry, Journal, drills_in, is_running, read_log, unfinished_in
from drills.scenario import Generation
from drills.subject import Sample

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.create(tmp_path / "drills", "zero-lead", NOW)
    yield journal
    journal.close()


def test_a_drill_that_has_made_a_move_has_touched_the_provider_until_it_is_restored(journal: Journal) -> None:
    journal.write(Entry.OPENED, url="https://login.example.test")
    journal.write(Entry.SNAPSHOT, before={"active": "one"})
    journal.write(Entry.MOVING, number=1, action="rotate", life=60)
    touched = read_log(journal.folder)
    journal.write(Entry.RESTORING)
    journal.write(Entry.RESTORED)

    restored = read_log(journal.folder)

    assert touched.touched
    assert touched.before == {"active": "one"}
    assert not restored.touched
    assert restored.uncleaned  # its key is still published


def test_a_move_after_a_rollback_touches_again(journal: Journal) -> None:
    for entry in (Entry.MOVING, Entry.RESTORED, Entry.MOVING):
        journal.write(entry)

    assert read_log(journal.folder).touched


def test_a_drill_without_anything_left_to_do_is_finished(journal: Journal) -> None:
    for entry in (Entry.OPENED, Entry.AGENTS_TOLD, Entry.MOVING, Entry.RESTORED, Entry.CLEANED, Entry.ENDED):
        journal.write(entry)
    left = read_log(journal.folder)
    journal.write(Entry.AGENTS_FREED)

    assert left.unfinished  # agents still take real runs for the drill's
    assert not read_log(journal.folder).unfinished
    assert unfinished_in(journal.folder.parent) == ()


def test_a_line_that_a_crash_cut_short_is_left_out(journal: Journal) -> None:
    journal.write(Entry.OPENED)
    journal.write(Entry.MOVING)
    with (journal.folder / JOURNAL).open("a") as file:
        file.write('{"at": "2026-11-22T04:00:')

    assert [line.entry for line in read_log(journal.folder).lines] == [Entry.OPENED, Entry.MOVING]


def test_what_is_written_after_a_line_that_a_crash_cut_short_is_read(tmp_path: Path) -> None:
    killed = Journal.create(tmp_path, "zero-lead", NOW)
    killed.write(Entry.MOVING)
    killed.close()
    with (killed.folder / JOURNAL).open("a") as file:
        file.write('{"at": "2026-11-22T04:00:')

    settling = Journal.take_over(killed.folder)
    settling.write(Entry.RESTORED)
    settling.close()

    assert [line.entry for line in read_log(killed.folder).lines] == [Entry.MOVING, Entry.RESTORED]


def test_a_journal_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    for scenario in ("zero-lead", "routine"):
        journal = Journal.create(tmp_path, scenario, NOW)
        journal.write(Entry.MOVING, action="rotate")
        journal.close()
    (next(folder for folder in drills_in(tmp_path) if "routine" in folder.name) / JOURNAL).write_text('{"at": 1}\n')

    (left,) = unfinished_in(tmp_path)

    assert "zero-lead" in left.id


def test_texts_of_others_are_redacted(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, "zero-lead", NOW, lambda text: text.replace("s3cr3t", "***"))

    journal.write(Entry.ENDED, ending="curl -H s3cr3t failed")
    journal.sample(Sample("pyjwt", Generation.OLD, 1.0, ok=False, error="it got s3cr3t"))
    journal.close()

    assert "s3cr3t" not in "".join(file.read_text() for file in journal.folder.iterdir())


def test_samples_come_back_as_they_were(journal: Journal) -> None:
    sample = Sample("pyjwt", Generation.NEW, 12.5, ok=False, error="PyJWKClientError: no key")
    journal.sample(sample)

    assert read_log(journal.folder).samples == (sample,)


def test_a_running_drill_cannot_be_taken_over(journal: Journal) -> None:
    with pytest.raises(DrillOpen, match="is running in another process"):
        Journal.take_over(journal.folder)

    assert is_running(journal.folder)


@pytest.mark.process
def test_a_killed_drill_can_be_taken_over(root: Path, tmp_path: Path) -> None:
    lines = (
        "import sys, time; from datetime import UTC, datetime; from pathlib import Path\n"
        "from drills.journal import Entry, Journal\n"
        "journal = Journal.create(Path(sys.argv[1]), 'zero-lead', datetime.now(UTC))\n"
        "journal.write(Entry.OPENED); print('open', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", lines, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as drill:
        assert drill.stdout is not None
        assert drill.stdout.readline() == "open\n"
        (folder,) = drills_in(tmp_path)
        ran = is_running(folder)
        os.kill(drill.pid, signal.SIGKILL)

    assert ran
    assert not is_running(folder)
    assert read_log(folder).unfinished


def test_the_folder_is_for_its_owner_alone(journal: Journal) -> None:
    assert journal.folder.stat().st_mode & 0o077 == 0
