"""One drill at a time changes an issuer, wherever each keeps its folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drills.claim import claimed, claims_folder
from drills.journal import DrillOpen

URL = "https://login.acme.example/realms/main"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}


def test_an_issuer_that_is_held_is_refused_with_the_folder_of_the_other_drill(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with (
        claimed(URL, tmp_path / "one" / "first", environ),
        pytest.raises(DrillOpen, match=r"is running on this issuer.*/one/first;"),
        claimed(f"{URL}/", tmp_path / "two" / "second", environ),
    ):
        pass


def test_other_issuers_are_not_held(environ: dict[str, str], tmp_path: Path) -> None:
    with claimed(URL, tmp_path, environ), claimed("https://login.acme.example/realms/test", tmp_path, environ):
        pass


def test_an_issuer_is_free_after_a_drill_and_nothing_is_left(environ: dict[str, str], tmp_path: Path) -> None:
    for _ in range(2):
        with claimed(URL, tmp_path, environ):
            pass

    assert list(claims_folder(environ).iterdir()) == []


def test_a_place_that_cannot_be_written_is_told_with_what_helps(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    with (
        pytest.raises(DrillOpen, match=r"cannot be written.*set XDG_STATE_HOME"),
        claimed(URL, tmp_path, {"XDG_STATE_HOME": str(tmp_path / "state")}),
    ):
        pass


def test_claims_are_where_a_scheduled_job_finds_them_too() -> None:
    ways = ({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/1"}, {"HOME": "/h"}, {"HOME": "/h", "XDG_STATE_HOME": "here"})

    assert {claims_folder(environ) for environ in ways} == {Path("/h/.local/state/oidcwatch/claims")}


@pytest.mark.process
def test_a_drill_that_was_killed_holds_nothing(root: Path, environ: dict[str, str], tmp_path: Path) -> None:
    lines = (
        "import os, sys, time; from pathlib import Path; from drills.claim import claimed\n"
        "with claimed(sys.argv[1], Path('there'), os.environ): print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", lines, URL], stdout=subprocess.PIPE, text=True, cwd=root, env=environ
    ) as drill:
        assert drill.stdout is not None
        assert drill.stdout.readline() == "held\n"
        with pytest.raises(DrillOpen, match="/there"), claimed(URL, tmp_path, environ):
            pass
        os.kill(drill.pid, signal.SIGKILL)

    with claimed(URL, tmp_path, environ):
        pass
