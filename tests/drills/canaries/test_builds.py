"""Canaries of other languages are built once, and what is missing or fails is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drills.canaries.builds import BUILDS, NODE, build_all
from drills.canaries.failures import CanaryFailed


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An empty cache, and a PATH with nothing but what a test puts there."""
    (tmp_path / "bin").mkdir()
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}


def program(environ: dict[str, str], name: str, lines: str) -> None:
    file = Path(environ["PATH"]) / name
    file.write_text(f"#!/bin/sh\n{lines}\n")
    file.chmod(0o755)


def test_a_missing_tool_is_named_with_the_command_that_installs_it(environ: dict[str, str]) -> None:
    with pytest.raises(CanaryFailed, match=r"npm is not on the PATH: apt-get install .* npm"):
        build_all(environ, lambda line: None)


@pytest.mark.process
def test_a_build_that_fails_tells_its_last_words_and_leaves_nothing_that_looks_built(environ: dict[str, str]) -> None:
    program(environ, "node", "exit 0")
    program(environ, "npm", "echo registry unreachable; exit 1")

    with pytest.raises(CanaryFailed, match=r"npm ci .* failed:\nregistry unreachable"):
        build_all(environ, lambda line: None)

    assert not NODE.part(environ).ready.exists()


@pytest.mark.process
def test_what_is_built_is_built_no_second_time(environ: dict[str, str]) -> None:
    for name in ("node", "npm", "go", "java", "javac", "mvn"):
        program(environ, name, "exit 0")
    build_all(environ, lambda line: None)
    said: list[str] = []

    build_all(environ, said.append)

    assert said == [f"{build.part(environ).title}: already in {build.part(environ).directory}" for build in BUILDS]


def test_other_sources_are_built_in_another_place() -> None:
    places = {build.part(os.environ).directory for build in BUILDS}

    assert len(places) == len(BUILDS)
