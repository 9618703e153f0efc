"""The store of artifacts: private, bounded, and never in the way of a run."""

from __future__ import annotations

import logging
import stat
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporters.artifacts import ArtifactStore
from probes.model import Artifact, ProbeResult, Reason

if TYPE_CHECKING:
    from tests.exporters.conftest import Make, SetClock


class Store:
    """A store with a count of its failures."""

    def __init__(self, directory: Path, clock: SetClock, max_bytes: int = 1_000_000) -> None:
        self.directory = directory
        self.failures = 0
        self.store = ArtifactStore(
            directory, max_bytes=max_bytes, max_age=timedelta(days=7), clock=clock, on_failure=self._failed
        )

    def _failed(self) -> None:
        self.failures += 1

    def runs(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()}


def failed_run(make: Make, *, size: int = 10, name: str = "page.png") -> ProbeResult:
    return make.result(reason=Reason.TIMEOUT, artifacts=(Artifact(name, "image/png", b"x" * size),))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB: root writes to a read-only directory, but not to a full disk."""
    path = tmp_path / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"this test mounts a tmpfs and needs root (docker run --privileged): {done.stderr}"
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_artifacts_of_a_failed_run_are_private_files_under_its_run_id(
    tmp_path: Path, make: Make, clock: SetClock
) -> None:
    kept = Store(tmp_path / "artifacts", clock)
    result = failed_run(make)

    kept.store.publish(result)

    path = kept.store.path(result.run_id, "page.png")
    assert path == kept.directory / result.run_id / "page.png"
    assert path.read_bytes() == b"x" * 10
    assert kept.store.names(result.run_id) == ("page.png",)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(directory.stat().st_mode) for directory in (path.parent, kept.directory)} == {0o700}


def test_a_successful_run_leaves_nothing(tmp_path: Path, make: Make, clock: SetClock) -> None:
    kept = Store(tmp_path, clock)

    kept.store.publish(make.result(artifacts=(Artifact("page.png", "image/png", b"x"),)))

    assert kept.runs() == set()


def test_runs_older_than_the_maximum_age_are_deleted(tmp_path: Path, make: Make, clock: SetClock) -> None:
    kept = Store(tmp_path, clock)
    old, new = failed_run(make), failed_run(make)
    kept.store.publish(old)
    clock.forward(days=6)
    kept.store.publish(new)

    clock.forward(days=2)
    kept.store.prune()

    assert kept.runs() == {new.run_id}


def test_the_oldest_runs_give_way_when_the_store_is_full(tmp_path: Path, make: Make, clock: SetClock) -> None:
    kept = Store(tmp_path, clock, max_bytes=250)
    runs = [failed_run(make, size=100) for _ in range(4)]

    for run in runs:
        clock.forward(seconds=1)
        kept.store.publish(run)

    assert kept.runs() == {runs[2].run_id, runs[3].run_id}
    assert kept.failures == 0


def test_nothing_else_in_the_directory_is_deleted(tmp_path: Path, make: Make, clock: SetClock) -> None:
    kept = Store(tmp_path, clock, max_bytes=100)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("x" * 200)

    kept.store.publish(failed_run(make, size=90))
    clock.forward(days=30)
    kept.store.prune()

    assert kept.runs() == {"notes"}


@pytest.mark.process
def test_a_full_disk_is_counted_logged_once_and_raises_nothing(
    small_disk: Path, make: Make, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kept = Store(small_disk, clock)
    good = failed_run(make, size=1000)

    kept.store.publish(failed_run(make, size=200_000))
    kept.store.publish(failed_run(make, size=200_000))
    failures_while_full = kept.failures
    runs_while_full = kept.runs()
    kept.store.publish(good)

    assert failures_while_full == kept.failures == 2
    assert runs_while_full == set(), "a half-written run stayed behind"
    assert kept.runs() == {good.run_id}
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "No space left on device" in caplog.text


def test_a_directory_that_cannot_be_made_raises_nothing(tmp_path: Path, make: Make, clock: SetClock) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = Store(tmp_path / "file", clock)

    kept.store.publish(failed_run(make))
    kept.store.prune()

    assert kept.failures == 1
    assert kept.store.names("0" * 32) == ()


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", ".hidden", "", "a\x00b", "x" * 65, "page.png\n"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path, make: Make, clock: SetClock) -> None:
    kept = Store(tmp_path / "artifacts", clock)
    result = failed_run(make, name=name)

    kept.store.publish(result)

    assert kept.failures == 1
    assert kept.runs() == set()
    assert kept.store.path(result.run_id, name) is None
    assert list(tmp_path.iterdir()) == [kept.directory]


def test_a_link_is_not_followed(tmp_path: Path, make: Make, clock: SetClock) -> None:
    kept = Store(tmp_path / "artifacts", clock)
    result = failed_run(make)
    kept.store.publish(result)
    (kept.directory / result.run_id / "leak.txt").symlink_to("/etc/passwd")

    assert kept.store.path(result.run_id, "leak.txt") is None
