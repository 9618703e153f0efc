"""Every example loads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import certifi
import pytest

from oidcwatch.config import load

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_loads_and_runs_something(path: Path, tmp_path: Path) -> None:
    authorities = tmp_path / "ca.pem"
    shutil.copy(certifi.where(), authorities)
    variables = re.findall(r"ca_file: *\{ *env: *(\w+)", path.read_text(encoding="utf-8"))

    settings = load(path, dict.fromkeys(variables, str(authorities)))

    assert settings.checks


def test_the_full_example_shows_every_kind_of_probe() -> None:
    (full,) = [path for path in EXAMPLES if path.name == "oidcwatch.yaml"]

    settings = load(full, {})

    kinds = {check.probe for check in settings.checks}
    assert kinds == {"discovery", "jwks", "login", "refresh", "client_credentials"}
