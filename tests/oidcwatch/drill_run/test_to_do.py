"""What a report tells people to do: nothing that the drill has not seen, and only commands that the program takes."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from drills.assemble import record_of
from drills.history import trend
from drills.journal import Entry, Journal, read_log
from drills.moving import ROW
from drills.record import Record
from drills.scenario import Generation
from drills.scenarios import SCENARIOS
from drills.subject import Sample
from drills.verifiers import verifiers
from oidcwatch.cli import make_app
from oidcwatch.drill_result import print_record

NOW = datetime(2026, 3, 1, 9, 15, tzinfo=UTC)
_COMMAND = re.compile(r"oidcwatch [a-z]+ [^:;,]*")
Line = tuple[Entry, dict[str, Any]]
Left = Callable[..., Record]


@pytest.fixture
def left(tmp_path: Path) -> Left:
    """The record of a drill that moved a key of staging, with these entries in its journal after that.

    PyJWT is `expected` to accept tokens so many seconds after NOW, and refused them at `answers`.
    """

    def made(*entries: Line, expected: float | None = None, answers: Iterable[float] = ()) -> Record:
        journal = Journal.create(tmp_path, "zero-lead", NOW)
        journal.write(
            Entry.OPENED, scenario="zero-lead", issuer="staging", url="https://login.acme.example", provider="sandbox",
            keeps=False, poll=1.0, longest=60.0, alerts_looked=True, agents=True, alertmanager=True,
        )  # fmt: skip
        row = ROW.dump_python(verifiers()["pyjwt"], mode="json", by_alias=True)
        times = {"accept": 30.0, "reject": 300.0, "outage": 300.0}
        journal.write(
            Entry.PREDICTED,
            verifiers=[
                {"row": row, "version": "2.10", "kind": "canary", "language": "Python", "bounds": times,
                 "whys": dict.fromkeys(times, "it fetches"), "expected": expected, "why": "", "known": True}
            ],
        )  # fmt: skip
        journal.write(Entry.SNAPSHOT, before={}, kid="a")
        journal.write(Entry.MOVING, number=1, action="rotate", life=3600.0)
        for entry, said in entries:
            journal.write(entry, **said)
        for seconds in answers:
            journal.sample(Sample("pyjwt", Generation.NEW, NOW.timestamp() + seconds, ok=False, error="no such key"))
        journal.close()
        return record_of(read_log(journal.folder), SCENARIOS["zero-lead"])

    return made


def fires(name: str) -> Line:
    return Entry.ALERT, {"name": name, "since": NOW.isoformat(), "severity": "page", "notified": True, "runbook": ""}


def ends(why: str = "") -> Line:
    return Entry.ENDED, {"ending": why}


def test_every_command_that_a_report_names_is_one_that_the_program_takes(
    left: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # without a configuration: they are parsed, and go no further
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    record = left(fires("OidcRotationUnsafe"), fires("OidcLoginSuccessBurnFast"), ends())

    told = {found.strip() for text in (*record.runbook, *record.follow_ups) for found in _COMMAND.findall(text)}
    said = {words: CliRunner().invoke(make_app(), shlex.split(words)[1:]).output for words in told}

    assert {" ".join(words.split()[1:3]) for words in told} == {"runbook run", "drill abort", "slo explain"}
    assert all(words.endswith(" --issuer staging") for words in told if "runbook" in words)
    assert [text for text in said.values() if "Usage:" in text] == []


def test_the_alert_of_every_drill_is_no_step_of_a_runbook(left: Left) -> None:
    record = left(fires("OidcDrillRunning"), ends())

    assert "OidcDrillRunning" in record.alerts.fired
    assert not any("OidcDrillRunning" in step for step in record.runbook)


@pytest.mark.parametrize("ending", [(), (ends("it was stopped"),)], ids=["killed", "stopped"])
def test_a_drill_that_was_cut_short_asks_for_nothing_but_the_provider(left: Left, ending: tuple[Line, ...]) -> None:
    record = left(*ending)

    assert record.follow_ups == (f"The provider is not as it was before: oidcwatch drill abort {record.id}",)
    assert record.runbook == ()


def test_a_verifier_that_the_drill_did_not_come_to_is_not_called_well(left: Left) -> None:
    screen = io.StringIO()

    print_record(left(ends("it was stopped")), Path("report.html"), Console(file=screen, width=200))

    (row,) = (line for line in screen.getvalue().splitlines() if line.startswith("pyjwt"))
    assert row.split()[-8:] == ["not", "measured", "-", "the", "drill", "ended", "before", "that"]


@pytest.mark.parametrize(("expected", "told"), [(7.0, "7.0 s"), (None, "never")])
def test_a_verifier_that_was_watched_for_too_short_a_time_is_not_counted(
    left: Left, expected: float | None, told: str
) -> None:
    clock = (Entry.CLOCK, {"measure": "accept", "started": NOW.timestamp()})

    killed = left(clock, expected=expected, answers=(1.0, 2.0, 3.0, 4.0, 4.9))

    (row,) = trend([killed])
    assert (row.as_predicted, row.verifiers) == (0, 1)
    assert killed.verifiers[0].said == (
        f"pyjwt had not accepted tokens of the new key within 5 s, when the drill was ended (predicted {told})"
    )
