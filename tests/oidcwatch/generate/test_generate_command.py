"""`oidcwatch generate` as a person and as CI meet it: what it writes, what it says, how it ends, and the same twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.routes import DESTINATIONS
from oidcwatch.config import load_both
from oidcwatch.generation import KINDS, MANIFEST, RULES, deployment_of, generated, material_of

CURRENT, DIFFERS, BAD_CALL = 0, 1, 2
FOLDERS = {
    "rules": {"rules"},
    "alertmanager": {"alertmanager"},
    "kubernetes": {"kubernetes"},
    "objectives": {"objectives"},
    "dashboards": {"dashboards", "grafana"},
    "runbooks": {"runbooks"},
}

Run = Callable[..., subprocess.CompletedProcess[str]]


def issuer(number: int, clients: int) -> dict[str, Any]:
    """An issuer with the probes that need no user, and that many clients."""
    client = {"auth": {"method": "client_secret_basic", "secret": {"env": "SECRET"}}, "probes": ["client_credentials"]}
    return {
        "name": f"issuer-{number}",
        "url": f"https://login-{number}.example",
        "probes": ["discovery", "jwks"],
        "clients": [{"name": f"client-{each}", "client_id": f"client-{each}", **client} for each in range(clients)],
    }


def write(path: Path, issuers: int = 1, clients: int = 1) -> Path:
    """A configuration with so many issuers, and somebody behind every route."""
    regions = {"region": {"name": "north"}, "other_regions": [{"name": "south"}]}
    told = [{"webhook": {"url": "https://alerts.example"}}]
    alerting = {
        "receivers": {each.name: told for each in DESTINATIONS},
        "runbooks_url": "https://runbooks.example",
        "grafana_url": "https://grafana.example",
    }
    watched = [issuer(each, clients) for each in range(issuers)]
    path.write_text(yaml.safe_dump({**regions, "issuers": watched, "alerting": alerting}))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `oidcwatch generate` in a folder of its own that has a configuration."""
    write(tmp_path / "oidcwatch.yaml")

    def command(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OIDCWATCH_")}
        return subprocess.run(
            [sys.executable, "-m", "oidcwatch", "generate", *arguments],
            cwd=tmp_path,
            env={**kept, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.process
def test_what_was_generated_is_current(run: Run) -> None:
    written = run("all", "--out", "here")

    checked = run("all", "--out", "here", "--check")

    assert (written.returncode, written.stderr) == (CURRENT, "")
    assert f"here/{RULES} written\n" in written.stdout
    assert (checked.returncode, checked.stderr) == (CURRENT, "")
    assert re.fullmatch(r"\d+ files in here are current\n", checked.stdout)


@pytest.mark.process
def test_a_file_that_somebody_edited_is_not_current_and_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    run("rules")
    edited = tmp_path / "generated" / RULES
    edited.write_text("edited\n")

    done = run("rules", "--check")

    assert (done.returncode, done.stdout) == (DIFFERS, f"generated/{RULES} is not current\n")
    assert edited.read_text() == "edited\n"


@pytest.mark.process
def test_a_check_of_nothing_names_every_file_and_makes_no_folder(run: Run, tmp_path: Path) -> None:
    done = run("objectives", "--check")

    assert done.returncode == DIFFERS
    assert done.stdout.count(" is not current\n") == 2
    assert not (tmp_path / "generated").exists()


@pytest.mark.process
def test_what_is_no_longer_generated_is_told_and_then_removed(run: Run, tmp_path: Path) -> None:
    run("objectives")
    old = tmp_path / "generated" / "objectives" / "old.yaml"
    old.write_text("old\n")
    manifest = tmp_path / "generated" / MANIFEST
    manifest.write_text(f"{manifest.read_text()}objectives/old.yaml\n")

    checked, written = run("objectives", "--check"), run("objectives")

    assert (checked.returncode, checked.stdout) == (DIFFERS, "generated/objectives/old.yaml is no longer generated\n")
    assert (written.returncode, written.stdout) == (CURRENT, "generated/objectives/old.yaml removed\n")
    assert not old.exists()


def test_every_kind_has_its_folders() -> None:
    assert {kind.name for kind in KINDS} == set(FOLDERS)


@pytest.mark.process
@pytest.mark.parametrize("kind", FOLDERS)
def test_one_kind_alone_is_written(kind: str, run: Run, tmp_path: Path) -> None:
    done = run(kind)

    assert (done.returncode, done.stderr) == (CURRENT, "")
    assert {path.name for path in (tmp_path / "generated").iterdir()} == FOLDERS[kind] | {MANIFEST}


@pytest.mark.process
@pytest.mark.parametrize(
    ("kind", "told"), [("alertmanager", True), ("kubernetes", True), ("all", True), ("rules", False)]
)
def test_routes_that_reach_nobody_are_named_and_do_no_harm(kind: str, told: bool, run: Run, tmp_path: Path) -> None:
    config = yaml.safe_load((tmp_path / "oidcwatch.yaml").read_text())
    del config["alerting"]["receivers"]["page"]
    (tmp_path / "oidcwatch.yaml").write_text(yaml.safe_dump(config))

    done = run(kind)

    warning = "warning: nobody is told of alerts that take the route page: add alerting.receivers.page\n"
    assert (done.returncode, done.stderr) == (CURRENT, warning if told else "")


@pytest.mark.process
def test_links_that_lead_nowhere_are_told(run: Run, tmp_path: Path) -> None:
    config = yaml.safe_load((tmp_path / "oidcwatch.yaml").read_text())
    del config["alerting"]["runbooks_url"]
    (tmp_path / "oidcwatch.yaml").write_text(yaml.safe_dump(config))

    done = run("alertmanager")

    assert done.stderr == "warning: messages of alerts link to nothing: add alerting.runbooks_url\n"


@pytest.mark.process
def test_a_rehearsal_has_the_same_alerts_with_shorter_windows(run: Run, tmp_path: Path) -> None:
    run("rules", "--out", "real")
    run("rules", "--out", "fast", "--speed", "60")

    real, fast = (yaml.safe_load((tmp_path / each / RULES).read_text())["groups"] for each in ("real", "fast"))

    assert alerts(fast) == alerts(real)
    assert "[5s]" in str(fast)
    assert "[5s]" not in str(real)


def alerts(groups: list[Mapping[str, Any]]) -> list[str]:
    """Names of all alerts, in order."""
    return [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("all", "--speed", "0"), "Invalid value for '--speed'"),
        (("all", "--prometheus", "1.8"), "Invalid value for '--prometheus'"),
        (("all", "--out", "oidcwatch.yaml"), "'oidcwatch.yaml' is a file"),
        (("all", "--out", "oidcwatch.yaml/below"), "Not a directory"),
        (("all", "-c", "nowhere.yaml"), "nowhere.yaml"),
        (("everything",), "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_call_that_cannot_be_answered_is_explained(arguments: tuple[str, ...], said: str, run: Run) -> None:
    done = run(*arguments)

    assert done.returncode == BAD_CALL
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.process
def test_the_same_is_generated_to_the_byte_by_every_process(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "oidcwatch.yaml", issuers=3, clients=4)

    for seed in ("1", "2"):
        assert run("all", "--out", seed, PYTHONHASHSEED=seed).returncode == CURRENT

    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_more_issuers_make_no_more_files_and_little_more_text(tmp_path: Path) -> None:
    one, many = (_generated(tmp_path, issuers, clients) for issuers, clients in ((1, 1), (60, 5)))

    assert many.keys() == one.keys()
    assert size(many) < 2 * size(one)


def _generated(folder: Path, issuers: int, clients: int) -> dict[str, str]:
    path = write(folder / f"{issuers}.yaml", issuers, clients)
    return generated(material_of(deployment_of(load_both(path, {}, connects=False))))


def size(files: Mapping[str, str]) -> int:
    """Characters of all files."""
    return sum(map(len, files.values()))


@pytest.mark.process
def test_rules_are_generated_without_what_only_dashboards_and_pages_need(tmp_path: Path) -> None:
    config = write(tmp_path / "oidcwatch.yaml")
    code = (
        "import sys\n"
        "from oidcwatch.cli import main\n"
        "try:\n"
        f"    sys.argv[1:] = ['generate', 'rules', '-c', {str(config)!r}, '-o', {str(tmp_path / 'out')!r}]\n"
        "    main()\n"
        "finally:\n"
        "    print(sorted({'grafana_foundation_sdk', 'jinja2', 'playwright'} & sys.modules.keys()))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout.splitlines()[-1]) == (CURRENT, "[]"), done.stderr
