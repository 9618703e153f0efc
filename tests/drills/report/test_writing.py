"""The files of a report: whole or not there, readable again, and without secrets."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from drills.history import read_record
from drills.record import Record, to_json
from drills.report.__main__ import main
from drills.report.clean import clean
from drills.report.writing import write_report

_TOKEN = jwt.encode({"sub": "alice"}, "k" * 32)
_PASSWORD = "hunter2-and-more"


def test_a_report_is_three_files_and_the_record_can_be_read_back(rich: Record, tmp_path: Path) -> None:
    page = write_report(rich, tmp_path / "drills" / rich.id)

    assert page == tmp_path / "drills" / rich.id / "report.html"
    assert sorted(file.name for file in page.parent.iterdir()) == ["report.html", "report.json", "report.md"]
    assert read_record(page.parent / "report.json") == rich


def test_a_report_that_cannot_be_written_leaves_the_old_one_and_no_rest(
    rich: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = write_report(rich, tmp_path)
    old = page.read_text(encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_report(dataclasses.replace(rich, title="Another"), tmp_path)

    assert page.read_text(encoding="utf-8") == old
    assert len(list(tmp_path.iterdir())) == 3


def test_a_report_can_be_read_by_those_who_may_read_the_user_s_other_files(rich: Record, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        page = write_report(rich, tmp_path)
    finally:
        os.umask(before)

    assert oct(page.stat().st_mode & 0o777) == "0o640"


def test_a_token_or_a_password_reaches_no_file_wherever_it_stood(rich: Record, tmp_path: Path) -> None:
    said = f"invalid token {_TOKEN}, client_secret={_PASSWORD}, Authorization: Bearer {_TOKEN}"

    write_report(_everywhere(rich, said), tmp_path, (_everywhere(rich, said),))

    written = "".join(file.read_text(encoding="utf-8") for file in tmp_path.iterdir())
    assert "[redacted]" in written
    assert _PASSWORD not in written
    assert [part for part in _TOKEN.split(".") if part in written] == []


def test_hostile_text_can_be_written_and_read_back(
    rich: Record, tmp_path: Path, hostile: Callable[[Record], Record]
) -> None:
    record = hostile(rich)

    page = write_report(record, tmp_path)

    assert read_record(page.parent / "report.json") == clean(record)


def test_the_command_names_what_is_wrong_with_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.json").write_text('{"id": "x"}')

    code = main([str(tmp_path / "report.json")])

    assert code == 2
    assert "report.json is no report of a drill: scenario: Field required" in capsys.readouterr().err


@pytest.mark.process
def test_a_stored_report_is_written_elsewhere_without_loading_a_browser(rich: Record, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(to_json(rich)))
    program = "import sys; from drills.report.__main__ import main; main(); print('playwright' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "report.json"), "--out", str(tmp_path / "out")],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert done.stdout.splitlines() == [str(tmp_path / "out" / "report.html"), "False"]


def _everywhere(record: Record, said: str) -> Record:
    verifiers = tuple(
        dataclasses.replace(
            each, name=f"{each.name} {said}", version=said, language=said, said=said, why=said, refusals=(said,)
        )
        for each in record.verifiers
    )
    return dataclasses.replace(
        record, title=said, why=said, provider=said, url=said, because=(said, said), runbook=(said,), follow_ups=(said,),
        verifiers=verifiers, events=tuple(dataclasses.replace(each, text=said) for each in record.events),
        preflight=tuple(dataclasses.replace(each, text=said) for each in record.preflight),
        detected=tuple(dataclasses.replace(each, by=said, stage=said) for each in record.detected),
        alerts=dataclasses.replace(record.alerts, missing=(said,), expected=(said,)),
    )  # fmt: skip
