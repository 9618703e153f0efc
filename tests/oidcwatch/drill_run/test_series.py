"""What a schedule of drills does between them: it goes on bringing a provider back, and removes keys in their time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from drills import recovery
from drills.journal import JOURNAL, drills_in, read_log
from drills.stop import Stop
from oidcwatch.config import load
from oidcwatch.drill_call import DrillCall
from oidcwatch.drill_live import Show
from oidcwatch.drill_result import Ending
from oidcwatch.drill_series import Series
from oidcwatch.drill_session import Ended, Session
from probes.redact import Redactor

pytestmark = pytest.mark.process

EXAMPLE = Path(__file__).parents[3] / "examples" / "drill-command" / "rotate.py"
SHORT = ("--emulate", "go-oidc", "--ttl", "3s", "--cooldown", "1s", "--poll", "200ms", "--longest", "4s")


@pytest.fixture
def stubborn(configured: Any) -> Any:
    """The provider is driven by a command that restores nothing while there is a file called `stubborn`."""
    folder = configured.folder
    command = folder / "rotate.sh"
    command.write_text(
        f'#!/bin/sh\n[ "$2" = restore ] && [ -e "{folder}/stubborn" ] && exit 1\n'
        f'exec "{sys.executable}" "{folder}/rotate.py" "$@"\n'
    )
    command.chmod(0o700)
    shutil.copy(EXAMPLE, folder / "rotate.py")
    (folder / "stubborn").touch()
    file = folder / "oidcwatch.yaml"
    document = yaml.safe_load(file.read_text())
    document["issuers"][0]["verifiers"] = ["go-oidc"]
    document["issuers"][0]["drill"]["provider"] = {
        "type": "command",
        "command": [str(command), configured.sandbox.control.url],
        "can": ["rotate"],
    }
    file.write_text(yaml.safe_dump(document))
    return configured


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def series(said: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Series]:
    """The drills of a configuration, in this process."""
    monkeypatch.setattr(recovery, "_PAUSE", 0.05)

    def made(site: Any) -> Series:
        monkeypatch.setenv("XDG_STATE_HOME", site.environ["XDG_STATE_HOME"])
        file = site.folder / "oidcwatch.yaml"
        session = Session(load(file, site.environ), site.environ, site.kept, Redactor(), Stop())
        call = DrillCall(
            "zero-lead", issuer="staging", config=str(file), poll=0.2, longest=4.0,
            shorten={"ttl": 3.0, "cooldown": 1.0}, emulate=("go-oidc",),
        )  # fmt: skip
        told: list[Ended] = []
        return Series(session, call, Show(lambda progress: None, said.append), told.append)

    return made


def test_a_provider_that_was_not_brought_back_is_tried_again_between_drills_until_it_is(
    stubborn: Any, series: Callable[[Any], Series], said: list[str]
) -> None:
    before = stubborn.sandbox.control.keys()["RS256"]["active"]
    drills = series(stubborn)

    drills.once()
    drills.tend()
    failed = drills.ended()
    (stubborn.folder / "stubborn").unlink()
    drills.tend()

    (name,) = (folder.name for folder in drills_in(stubborn.kept))
    assert (failed.code, failed.problem.endswith(f"oidcwatch drill abort {name}")) == (Ending.NOT_RESTORED, True)
    assert "to bring the provider back is tried again every minute, until that is stopped" in said
    assert [line for line in said if line.startswith(f"{name}: the provider is not as it was before")]
    assert said[-1].startswith(f"{name}: the provider signs with the key from before")
    assert drills.ended().code is Ending.PASSED
    assert stubborn.sandbox.control.keys()["RS256"]["active"] == before


def test_a_key_whose_time_has_come_is_removed_between_drills(configured: Any, series: Callable[[Any], Series]) -> None:
    file = configured.folder / "oidcwatch.yaml"
    file.write_text(file.read_text().replace("- go-oidc\n  - static-keys", "- go-oidc"))
    before = configured.sandbox.control.keys()["RS256"]["published"]
    drills = series(configured)
    drills.once()

    drills.tend()
    early = configured.sandbox.control.keys()["RS256"]["published"]
    _let_a_day_pass(drills_in(configured.kept)[0])
    drills.tend()

    assert len(early) == len(before) + 1
    assert configured.sandbox.control.keys()["RS256"]["published"] == before
    assert drills.ended().code is Ending.PASSED


def _let_a_day_pass(folder: Path) -> None:
    """As if all that the journal tells of had happened two days earlier."""
    lines = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]
    for line in lines:
        line["at"] = (datetime.fromisoformat(line["at"]) - timedelta(days=2)).astimezone(UTC).isoformat()
    (folder / JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_schedule_that_is_stopped_while_the_provider_is_not_as_before_exits_with_5(stubborn: Any) -> None:
    keys = stubborn.sandbox.control.keys()["RS256"]["thumbprints"]
    drill = stubborn.start("run", "zero-lead", "--issuer", "staging", "--yes", "--every", "day", "--json", *SHORT)
    drill.until("to bring the provider back is tried again every minute")

    drill.process.send_signal(signal.SIGTERM)
    code, out = drill.end()
    stubborn.sandbox.control.place("RS256", keys["active"], keys["published"])

    (line,) = out.splitlines()
    assert code == Ending.NOT_RESTORED
    assert json.loads(line)["verdict"] is None
    assert "oidcwatch: the provider is not as it was before: oidcwatch drill abort " in drill.told()
    assert read_log(drills_in(stubborn.kept)[0]).touched


def test_a_schedule_with_json_prints_a_line_of_json_for_each_drill_and_nothing_else(configured: Any) -> None:
    options = ("--issuer", "staging", "--yes", "--every", "day", "--json", "--verifier", "go-oidc", *SHORT)
    drill = configured.start("run", "zero-lead", *options)
    drill.until("next drill at ")

    os.kill(drill.process.pid, signal.SIGTERM)
    _, out = drill.end()

    assert [json.loads(line)["verdict"] for line in out.splitlines()] == ["pass"]
