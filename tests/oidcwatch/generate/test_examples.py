"""What is generated for the examples is committed, current, and accepted by the tools that read it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oidcwatch.config import load_both
from oidcwatch.generation import Material, deployment_of, difference, generated, material_of

ALL = ("rules", "alertmanager", "kubernetes", "objectives", "dashboards", "runbooks")
EXAMPLES = {"oidcwatch": ALL, "keycloak": ALL[:2], "node-oidc-provider": ALL[:2]}


def _material(root: Path, example: str) -> Material:
    return material_of(deployment_of(load_both(root / "examples" / f"{example}.yaml", {}, connects=False)))


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_is_generated_for_an_example_is_current(root: Path, example: str) -> None:
    """After a wanted change: make generate, and review the difference."""
    from oidcwatch.generation import KINDS

    files = generated(_material(root, example), [kind for kind in KINDS if kind.name in EXAMPLES[example]])

    change = difference(root / "examples" / "generated" / example, files)

    assert not change, f"run: make generate ({change.stale[:3]} {change.left_over[:3]})"


def test_every_example_is_generated_for(root: Path) -> None:
    assert {path.stem for path in (root / "examples").glob("*.yaml")} == EXAMPLES.keys()


@pytest.mark.process
@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_same_bytes_come_from_every_process(root: Path, tmp_path: Path, seed: str) -> None:
    command = [sys.executable, "-m", "oidcwatch", "generate", "all", "--check"]
    command += ["-c", "examples/oidcwatch.yaml", "-o", "examples/generated/oidcwatch"]

    done = subprocess.run(
        command, cwd=root, env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.process
@pytest.mark.parametrize("example", EXAMPLES)
def test_promtool_takes_the_rules_of_an_example(root: Path, example: str) -> None:
    rules = root / "examples" / "generated" / example / "rules" / "oidcwatch.rules.yml"

    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", rules],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.process
@pytest.mark.parametrize("example", EXAMPLES)
def test_pint_takes_the_rules_of_an_example(root: Path, example: str) -> None:
    pint = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "oidcwatch" / "bin" / "pint"
    if not shutil.which("go"):
        return  # it can only be built with Go
    assert pint.exists(), "run: deploy/install.sh linters"
    rules = root / "examples" / "generated" / example / "rules" / "oidcwatch.rules.yml"

    done = subprocess.run(
        [pint, "--offline", "--no-color", "lint", "--min-severity=warning", "--fail-on=warning", rules],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
