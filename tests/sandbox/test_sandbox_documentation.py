"""docs/providers.md names everything that a sandbox says of itself, and every resource of its control APIs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.accounts import generate_directory
from sandbox.control import create_control
from sandbox.faults import FAULTS
from sandbox.points import FaultBoard
from sandbox.realm import Realm
from sandbox.server import Options, running


@pytest.fixture(scope="module")
def section() -> str:
    text = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
    return text.partition("## A sandbox that stays")[2].partition("\n## ")[0]


def test_what_a_sandbox_prints_is_explained(section: str) -> None:
    with running(Options()) as description:
        printed = set(description)

    assert {name for name in printed if f"`{name}`" not in section} == set()


def test_every_resource_of_the_control_api_is_named(section: str) -> None:
    app = create_control(Realm("", generate_directory(), FaultBoard(FAULTS)), {})

    paths = {re.sub(r"^(/[a-z]+).*", r"\1", rule.rule) for rule in app.url_map.iter_rules()}
    assert {path for path in paths if path not in section} == set()
