"""What becomes of drills that were cut short, and what is said of them."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from drills.claim import claimed
from drills.journal import JOURNAL, Entry, Journal, read_log
from drills.plan import Plan
from drills.stop import Stop
from oidcwatch import drill_session
from oidcwatch.cli import make_app
from oidcwatch.config import load
from oidcwatch.drill_call import DrillCall, Lab, call_to_json
from oidcwatch.drill_finish import settle_all
from oidcwatch.drill_live import Show
from oidcwatch.drill_plan import METADATA
from oidcwatch.drill_result import Ending
from oidcwatch.drill_series import Series
from oidcwatch.drill_session import Session
from probes.metadata import Metadata
from probes.redact import Redactor

NOW = datetime(2026, 3, 1, 9, 15, tzinfo=UTC)
CONFIGURATION = """
issuers:
  - name: staging
    url: https://login.acme.example
    verifiers: [jose]
    clients:
      - {name: machine, client_id: machine, audience: orders, auth: {secret: {env: MACHINE_SECRET}}}
    drill: {client: machine, provider: {type: manual}}
"""
NOBODY = Show(lambda progress: None, lambda text: None)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of drills."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "oidcwatch.yaml").write_text(CONFIGURATION)
    return tmp_path / "oidcwatch-data" / "drills"


def drill(*arguments: str) -> Result:
    return CliRunner().invoke(make_app(), ["drill", *arguments], catch_exceptions=False)


def left(kept: Path, *entries: Entry, days: int = 0, issuer: str = "staging", keeps: bool = False) -> str:
    """A drill that was cut short after these entries; gives its id."""
    journal = Journal.create(kept, "routine", NOW + timedelta(days=days))
    metadata = Metadata("https://login.acme.example", "", "", "", "", "", False, id_token_algs=("RS256",))
    config = kept.parents[1] / "oidcwatch.yaml"
    call = {**call_to_json(DrillCall("routine", issuer=issuer, config=str(config))), METADATA: asdict(metadata)}
    journal.write(
        Entry.OPENED, scenario="routine", issuer=issuer, url="https://login.acme.example", provider="manual",
        keeps=keeps, poll=1.0, longest=60.0, alerts_looked=False, agents=False, alertmanager=False, call=call,
    )  # fmt: skip
    said: dict[Entry, dict[str, Any]] = {
        Entry.SNAPSHOT: {"before": {"signs": "a", "published": ["a"]}, "kid": "a"},
        Entry.MOVING: {"number": 1, "action": "announce", "life": 60.0},
        Entry.PHASE: {"phase": "recover", "ending": ""},
    }
    for entry in entries:
        journal.write(entry, **said.get(entry, {}))
    journal.close()
    return journal.id


def damaged(kept: Path) -> Path:
    """The journal of a drill that nobody can read."""
    folder = kept / "20260301T091500Z-routine-0000"
    folder.mkdir(parents=True)
    (folder / JOURNAL).write_text(json.dumps({"said": "by another release"}) + "\n")
    return folder / JOURNAL


def test_a_drill_that_left_the_provider_changed_is_settled_before_an_older_one_that_left_a_key(kept: Path) -> None:
    older = left(kept, Entry.SNAPSHOT, Entry.MOVING, Entry.RESTORED, issuer="gone")
    changed = left(kept, Entry.SNAPSHOT, Entry.MOVING, issuer="gone", days=1)

    aborted = drill("abort")
    session = Session(None, os.environ, kept, Redactor(), Stop())
    settled = list(settle_all(session, NOBODY))

    said = [line.partition(":")[0] for line in aborted.stderr.splitlines() if line.startswith("2026")]
    assert said == [changed, older]
    assert aborted.exit_code == Ending.NOT_RESTORED
    assert [line.partition(" ")[0] for line in settled] == [changed, older]


@pytest.mark.parametrize("command", ["abort", "resume"])
@pytest.mark.parametrize("named", [True, False])
def test_a_journal_that_cannot_be_read_is_named_and_is_no_success(kept: Path, command: str, named: bool) -> None:
    journal = damaged(kept)

    done = drill(command, *([journal.parent.name] if named else []))

    assert done.exit_code == Ending.NOT_RESTORED
    assert done.stderr.startswith(f"oidcwatch: {journal} cannot be read (KeyError)")
    assert done.stdout == ""


def test_a_journal_that_does_not_say_what_was_asked_for_is_named(kept: Path) -> None:
    journal = Journal.create(kept, "routine", NOW)
    journal.write(Entry.OPENED, keeps=False)
    journal.close()

    done = drill("abort", journal.id)

    assert done.exit_code == Ending.NOT_RESTORED
    assert f"{journal.id}/{JOURNAL} cannot be read (CallError)" in done.stderr


def test_a_rotation_that_was_kept_is_not_called_undone(kept: Path) -> None:
    name = left(kept, Entry.SNAPSHOT, Entry.MOVING, Entry.PHASE, Entry.CLEANED, keeps=True)

    done = drill("abort", name)

    assert done.exit_code == Ending.PASSED, done.output
    assert done.stdout.startswith(
        f"{name}: the provider stays rotated: it signs with a new key, and the old one is no longer published\n"
    )


def test_a_drill_is_settled_by_the_configuration_that_it_was_run_with(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = left(kept, Entry.SNAPSHOT, Entry.MOVING, Entry.PHASE, Entry.CLEANED, keeps=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "oidcwatch.yaml").write_text(CONFIGURATION.replace("acme.example", "other.example"))
    monkeypatch.chdir(elsewhere)

    done = drill("abort", name, "--out", str(kept))

    assert done.exit_code == Ending.PASSED, done.output


@pytest.mark.parametrize("command", ["abort", "resume"])
def test_a_configuration_that_means_another_provider_is_refused_with_that_of_the_drill(
    kept: Path, tmp_path: Path, command: str
) -> None:
    name = left(kept, Entry.SNAPSHOT, Entry.MOVING)
    other = tmp_path / "other.yaml"
    other.write_text(CONFIGURATION.replace("acme.example", "other.example"))

    done = drill(command, name, "-c", str(other), "--out", str(kept))

    assert done.exit_code == Ending.NOT_RESTORED
    assert f"{name} changed https://login.acme.example, but" in done.stderr
    assert f"staging is https://login.other.example; name that of the drill: oidcwatch drill abort {name} -c" in (
        done.stderr
    )
    assert read_log(kept / name).last(Entry.RESTORING) is None


def test_a_schedule_settles_no_drill_of_another_provider_by_the_same_name(kept: Path) -> None:
    name = left(kept, Entry.SNAPSHOT, Entry.MOVING)
    file = kept.parents[1] / "oidcwatch.yaml"
    file.write_text(CONFIGURATION.replace("acme.example", "other.example"))
    session = Session(load(file, os.environ), os.environ, kept, Redactor(), Stop())

    (told,) = settle_all(session, NOBODY)

    assert told.startswith(f"{name} was cut short: nothing was done: {name} changed https://login.acme.example, but")
    assert read_log(kept / name).last(Entry.RESTORING) is None


def test_a_schedule_undoes_no_rotation_that_somebody_may_have_made_since_the_rollback(kept: Path) -> None:
    name = left(kept, Entry.SNAPSHOT, Entry.MOVING, Entry.RESTORED, Entry.RESTORING)
    said: list[str] = []
    settings = load(kept.parents[1] / "oidcwatch.yaml", os.environ)
    session = Session(settings, os.environ, kept, Redactor(), Stop())
    call = DrillCall("routine", issuer="staging")

    told = list(settle_all(session, NOBODY))
    series = Series(session, call, Show(lambda progress: None, said.append), lambda ended: None)
    series.tend()

    assert told == [f"{name}: somebody may have rotated since it was rolled back; if not: oidcwatch drill abort {name}"]
    assert said == []
    assert series.ended().code is Ending.NOT_RESTORED
    assert len(read_log(kept / name).all(Entry.RESTORING)) == 1


def test_a_configuration_that_is_gone_is_asked_for(kept: Path) -> None:
    name = left(kept, Entry.SNAPSHOT, Entry.MOVING)
    (kept.parents[1] / "oidcwatch.yaml").unlink()

    done = drill("abort", name, "--out", str(kept))

    assert done.exit_code == Ending.BAD_CALL
    assert "which is not there: name the configuration of https://login.acme.example with -c" in done.stderr


@pytest.mark.parametrize("command", ["abort", "resume"])
def test_nothing_is_settled_while_another_drill_runs_on_the_issuer(kept: Path, tmp_path: Path, command: str) -> None:
    name = left(kept, Entry.SNAPSHOT, Entry.MOVING)
    with claimed("https://login.acme.example", tmp_path / "another", os.environ):
        done = drill(command, name)

    assert done.exit_code == Ending.NOT_RUN
    assert f"a drill is running on this issuer, or is being settled: that in {tmp_path / 'another'}" in done.stderr
    assert read_log(kept / name).last(Entry.RESTORING) is None


@pytest.mark.process
def test_whatever_ends_a_drill_that_has_changed_the_provider_says_how_it_is_brought_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_full(plan: Plan, *_: object) -> None:
        plan.journal.write(Entry.SNAPSHOT, before={})
        plan.journal.write(Entry.MOVING, number=1, action="rotate", life=60.0)
        plan.journal.close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(drill_session, "run_drill", disk_is_full)
    session = Session(None, os.environ, tmp_path, Redactor(), Stop())

    ended = session.run(DrillCall("zero-lead", lab=Lab.SANDBOX, verifiers=("pyjwt",)), NOBODY)

    (folder,) = tmp_path.iterdir()
    assert ended.code == Ending.NOT_RESTORED
    assert ended.problem.endswith(f"bring it back: oidcwatch drill abort {folder.name}")
