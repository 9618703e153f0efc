"""What is generated is written to a folder without touching what somebody else keeps there."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.deployment import Deployment
from oidcwatch.config import load_both
from oidcwatch.generation import MANIFEST, deployment_of, difference, write

FILES = {"rules/a.yml": "a\n", "runbooks/x.md": "x\n"}

EXAMPLE = """
region: {name: north}
other_regions: [{name: south}, {name: east}]
issuers:
  - name: acme
    url: https://login.acme.example
    tls: {ca_file: {env: NOT_SET}}
    probes: [discovery, {type: jwks, regions: [south]}]
"""


def test_what_is_current_is_not_written_again(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    before = (tmp_path / "rules/a.yml").stat().st_mtime_ns

    change = write(tmp_path, FILES)

    assert not change
    assert (tmp_path / "rules/a.yml").stat().st_mtime_ns == before


def test_a_changed_file_is_stale(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "rules/a.yml").write_text("edited\n")

    assert difference(tmp_path, FILES).stale == ("rules/a.yml",)


def test_what_is_no_longer_generated_is_removed(tmp_path: Path) -> None:
    write(tmp_path, FILES)

    change = write(tmp_path, {"runbooks/y.md": "y\n"})

    assert change.left_over == ("runbooks/x.md",)
    assert not (tmp_path / "runbooks/x.md").exists()


def test_other_kinds_stay_when_one_kind_is_generated(tmp_path: Path) -> None:
    write(tmp_path, FILES)

    write(tmp_path, {"runbooks/y.md": "y\n"})

    assert (tmp_path / "rules/a.yml").exists()
    assert not write(tmp_path, {"rules/a.yml": "a\n"})


def test_files_of_somebody_else_are_never_removed(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/mine.yml").write_text("mine\n")

    write(tmp_path, FILES)
    write(tmp_path, {"rules/b.yml": "b\n"})

    assert (tmp_path / "rules/mine.yml").read_text() == "mine\n"


@pytest.mark.parametrize("line", ["rules/../../victim", "/tmp/victim"])  # noqa: S108 - never written
def test_a_manifest_that_leads_elsewhere_removes_nothing(tmp_path: Path, line: str) -> None:
    folder, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_text("mine\n")
    write(folder, FILES)
    (folder / MANIFEST).write_text(f"{line}\n")

    change = write(folder, FILES)

    assert not change.left_over
    assert victim.exists()


def _deployment(tmp_path: Path, environ: dict[str, str]) -> Deployment:
    path = tmp_path / "oidcwatch.yaml"
    path.write_text(EXAMPLE)
    return deployment_of(load_both(path, environ, connects=False))


def test_checks_of_every_region_count_whichever_agent_generates(tmp_path: Path) -> None:
    deployment = _deployment(tmp_path, {})

    assert [(check.probe, check.regions) for check in deployment.checks] == [
        ("discovery", ("east", "north", "south")),
        ("jwks", ("south",)),
    ]


def test_every_agent_generates_the_same(tmp_path: Path) -> None:
    assert _deployment(tmp_path, {"OIDCWATCH_REGION": "south"}) == _deployment(tmp_path, {})
