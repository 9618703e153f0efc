"""Keeps the evidence of failed runs on disk: `<run id>/<name>`, private, bounded in age and size."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from probes.model import Artifact, ProbeResult
from probes.probe import Clock

_log = logging.getLogger(__name__)

_RUN = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z0-9]{1,8}){0,2}")
_PARTIAL = "partial-"
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".png": "image/png",
        ".json": "application/json",
        ".har": "application/json",
        ".txt": "text/plain; charset=utf-8",
        ".log": "text/plain; charset=utf-8",
    }
)


@dataclass(frozen=True, slots=True)
class _Kept:
    """One stored run: UNIX time of its writing, size in bytes."""

    written: float
    size: int
    path: Path


class ArtifactStore:
    """Stores artifacts of failed runs and deletes the oldest.

    `max_bytes` bounds all runs together, `max_age` each of them. No method raises for what a disk does: a failed write
    calls `on_failure`, and is logged when writing starts to fail and when it works again.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int,
        max_age: timedelta,
        clock: Clock,
        on_failure: Callable[[], None],
    ) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._clock = clock
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._failing = False

    def publish(self, result: ProbeResult) -> None:
        """Store the artifacts of a failed run; blocks while it writes. Other runs leave nothing."""
        if result.failure is None or not result.artifacts:
            return
        with self._lock:
            try:
                self._write(result)
            except (OSError, ValueError) as error:
                self._failed(error)
            else:
                self._recovered()

    def names(self, run_id: str) -> tuple[str, ...]:
        """Names of what is stored of that run, sorted; none for an unknown run."""
        if not _RUN.fullmatch(run_id):
            return ()
        try:
            return tuple(sorted(name for name in os.listdir(self._directory / run_id) if _NAME.fullmatch(name)))
        except OSError:
            return ()

    def path(self, run_id: str, name: str) -> Path | None:
        """The file of that artifact, or None when there is none. Safe for input from outside."""
        if not (_RUN.fullmatch(run_id) and _NAME.fullmatch(name)):
            return None
        path = self._directory / run_id / name
        return path if path.is_file() and not path.is_symlink() else None

    def prune(self) -> None:
        """Delete runs that are too old, then the oldest ones until the rest fits."""
        with self._lock:
            try:
                self._make_room(0)
            except OSError as error:
                self._failed(error)

    def _write(self, result: ProbeResult) -> None:
        if not _RUN.fullmatch(result.run_id):
            raise ValueError("the run id is not 32 hexadecimal digits")
        size = sum(len(artifact.content) for artifact in result.artifacts)
        if size > self._max_bytes:
            raise ValueError(f"{size} bytes of artifacts are more than the store may hold ({self._max_bytes})")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_room(size)
        partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._directory))  # mkdtemp gives 0700
        try:
            for artifact in result.artifacts:
                _write_file(partial, artifact)
            now = self._clock().timestamp()
            os.utime(partial, (now, now))
            # A run appears with all of its files or not at all.
            partial.rename(self._directory / result.run_id)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _make_room(self, needed: int) -> None:
        oldest_allowed = (self._clock() - self._max_age).timestamp()
        kept = sorted(self._kept(), key=lambda run: run.written)
        total = needed + sum(run.size for run in kept)
        for run in kept:
            if run.written < oldest_allowed or total > self._max_bytes:
                shutil.rmtree(run.path)
                total -= run.size

    def _kept(self) -> list[_Kept]:
        """Only what this store has made; anything else in the directory is not ours to delete."""
        if not self._directory.is_dir():
            return []
        with os.scandir(self._directory) as entries:
            ours = [
                entry
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
                and (_RUN.fullmatch(entry.name) or entry.name.startswith(_PARTIAL))
            ]
        return [_Kept(entry.stat().st_mtime, _size(Path(entry.path)), Path(entry.path)) for entry in ours]

    def _failed(self, error: Exception) -> None:
        self._on_failure()
        if not self._failing:
            self._failing = True
            _log.warning("artifacts cannot be stored in %s: %s", self._directory, error)

    def _recovered(self) -> None:
        if self._failing:
            self._failing = False
            _log.info("artifacts are stored in %s again", self._directory)


def _write_file(directory: Path, artifact: Artifact) -> None:
    if not _NAME.fullmatch(artifact.name):
        raise ValueError(f"{artifact.name!r} is not a name for an artifact")
    descriptor = os.open(directory / artifact.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(artifact.content)


def _size(directory: Path) -> int:
    return sum(path.lstat().st_size for path in directory.iterdir())
