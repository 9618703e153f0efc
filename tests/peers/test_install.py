"""Installing the providers: pinned, repeatable, and clear about what is missing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from sandbox.peers import MissingPart
from sandbox.peers.install import install
from sandbox.peers.parts import NODE_FILES


def path_with_only(tmp_path: Path, tools: tuple[str, ...]) -> str:
    """A PATH on which nothing but these tools is found."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for tool in tools:
        found = shutil.which(tool)
        assert found, f"{tool} is not installed: apt-get install --no-install-recommends nodejs npm"
        (directory / tool).symlink_to(found)
    return str(directory)


def test_the_lock_file_pins_every_package_and_names_no_registry() -> None:
    packages = json.loads((NODE_FILES / "package-lock.json").read_text())["packages"]
    pinned = {name: entry for name, entry in packages.items() if name}

    assert pinned["node_modules/oidc-provider"]["version"].startswith("9.")
    assert {name for name, entry in pinned.items() if not entry["integrity"].startswith("sha512-")} == set()
    assert {name for name, entry in pinned.items() if "resolved" in entry} == set()


def test_an_installer_without_npm_names_the_package_that_has_it(tmp_path: Path) -> None:
    environ = {"PATH": path_with_only(tmp_path, ()), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    with pytest.raises(MissingPart, match="npm is not on the PATH: apt-get install"):
        install(environ, lambda line: None)


@pytest.mark.real
@pytest.mark.process
def test_what_is_installed_is_left_alone() -> None:
    said: list[str] = []

    install(os.environ, said.append)

    assert [line.partition(": ")[2].split(" in ")[0] for line in said] == ["already", "already"]
