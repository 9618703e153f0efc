"""Fixtures of the configuration's tests: files in a folder of their own, and the program as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[3]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes `text` as the main configuration and keyword arguments as files of conf.d; gives the main file's path."""

    def write_files(text: str, **conf_d: str) -> Path:
        main = tmp_path / "oidcwatch.yaml"
        main.write_text(text, encoding="utf-8")
        for name, content in conf_d.items():
            part = tmp_path / "conf.d" / f"{name}.yaml"
            part.parent.mkdir(exist_ok=True)
            part.write_text(content, encoding="utf-8")
        return main

    return write_files


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `oidcwatch` with these arguments in an empty folder and a plain environment."""

    def run_command(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OIDCWATCH_")}
        return subprocess.run(
            [sys.executable, "-c", "from oidcwatch.cli import main; main()", *arguments],
            cwd=tmp_path,
            env={**kept, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_command


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT
