"""What docs/drills.md says of commands that drive a provider is what they get."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from drills.drivers.command import CommandDriver
from drills.scenario import Action, Move
from drills.scenarios import SCENARIOS
from drills.target import Command

SECTION = "### What a command gets and must print"


@pytest.fixture(scope="module")
def section() -> str:
    text = (Path(__file__).parents[3] / "docs" / "drills.md").read_text(encoding="utf-8")
    return text.partition(SECTION)[2].partition("\n#")[0]


@pytest.fixture(scope="module")
def rows(section: str) -> dict[str, str]:
    """The line of each action."""
    return {row.split("`")[1]: row for row in section.splitlines() if row.startswith("| `")}


def test_every_action_that_a_command_may_get_is_described(rows: dict[str, str]) -> None:
    assert set(rows) == {*Action, "snapshot", "restore", "clean"}


def test_every_parameter_of_every_drill_is_described(rows: dict[str, str]) -> None:
    moves = [move for scenario in SCENARIOS.values() for move in scenario.moves]

    missing = {(move.action, name) for move in moves for name in move.params if f"`{name}`" not in rows[move.action]}
    unknown = {
        (move.action, str(move.params["kind"]))
        for move in moves
        if "kind" in move.params and str(move.params["kind"]) not in rows[move.action]
    }
    assert (missing, unknown) == (set(), set())


def test_the_described_document_is_what_a_command_finds_on_standard_input(section: str, tmp_path: Path) -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", section, re.DOTALL)[0])
    file = tmp_path / "given.json"
    copies = f"import sys; open({str(file)!r}, 'w').write(sys.stdin.read())"
    driver = CommandDriver(Command((sys.executable, "-c", copies), ("jwks",), 30.0), shown["issuer"], {})

    driver.do(Move(Action(shown["action"]), shown["params"]), shown["before"])

    assert json.loads(file.read_text()) == shown
