"""The journal of a drill: written before and after everything that it does, so that a crash leaves nothing unknown."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Self

from drills.scenario import MAKES_KEYS, Generation
from drills.subject import Sample

log = logging.getLogger(__name__)
Redact = Callable[[str], str]
JOURNAL, SAMPLES = "journal.jsonl", "samples.jsonl"
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z0-9-]+-[0-9a-f]{4}")


class Entry(StrEnum):
    """What a line of the journal says."""

    OPENED = "opened"
    PHASE = "phase"
    CHECKED = "checked"
    PREDICTED = "predicted"
    SNAPSHOT = "snapshot"
    AGENTS_TOLD = "agents_told"
    MOVING = "moving"
    MOVED = "moved"
    CLOCK = "clock"
    EVENT = "event"
    DETECTED = "detected"
    FIRING = "firing"
    """Alerts that fire before the first move."""
    ALERT = "alert"
    RESTORING = "restoring"
    RESTORED = "restored"
    ADDED = "added"
    """Keys that the drill has made, by kid."""
    CLEANED = "cleaned"
    AGENTS_FREED = "agents_freed"
    ENDED = "ended"
    """The drill has its verdict."""


_OF_OTHERS = frozenset({Entry.EVENT, Entry.CHECKED, Entry.RESTORED, Entry.AGENTS_TOLD, Entry.AGENTS_FREED, Entry.ENDED})
"""Entries with texts of providers, commands and servers, which may quote what they were sent."""


class DrillOpen(RuntimeError):
    """The drill cannot be begun or taken over; the message says why and which command helps."""


@dataclass(slots=True)
class Journal:
    """One drill's folder. Entries are on the disk when `write` returns; samples soon after. Thread-safe.

    While it is open the file is locked, so that nobody takes a running drill for a dead one.
    """

    folder: Path
    _file: IO[str] = field(repr=False)
    _samples: IO[str] = field(repr=False)
    _redact: Redact = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def id(self) -> str:
        """The drill's, as people type it."""
        return self.folder.name

    @classmethod
    def create(cls, root: Path, scenario: str, now: datetime, redact: Redact = str) -> Self:
        """A new drill's folder below `root`; `redact` takes secrets out of what others have said. Raises OSError."""
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{scenario}-{secrets.token_hex(2)}"
        folder = root / name
        folder.mkdir(mode=0o700)
        return cls._at(folder, redact)

    @classmethod
    def take_over(cls, folder: Path, redact: Redact = str) -> Self:
        """Go on with a drill whose process has ended. Raises DrillOpen while it runs, and OSError."""
        return cls._at(folder, redact)

    @classmethod
    def _at(cls, folder: Path, redact: Redact) -> Self:
        file = (folder / JOURNAL).open("a", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise DrillOpen(f"{folder.name} is running in another process: end that one first") from None
        _end_line(folder / JOURNAL, file)
        samples = (folder / SAMPLES).open("a", encoding="utf-8")
        _end_line(folder / SAMPLES, samples)
        return cls(folder, file, samples, redact)

    def write(self, entry: Entry, **said: Any) -> None:
        """Append one entry and wait until it is on the disk. `said` is JSON; texts of others are redacted."""
        if entry in _OF_OTHERS:
            said = {name: _redacted(value, self._redact) for name, value in said.items()}
        line = json.dumps({"at": datetime.now(UTC).isoformat(), "entry": entry, **said}, default=str)
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def sample(self, sample: Sample) -> None:
        """Append one answer of a verifier."""
        line = json.dumps(
            [
                sample.verifier,
                sample.generation,
                sample.at,
                sample.ok,
                self._redact(sample.error),
                sample.seconds,
                sample.answered,
            ]
        )
        with self._lock:
            self._samples.write(line + "\n")
            self._samples.flush()

    def close(self) -> None:
        """Give the lock back."""
        with self._lock:
            self._samples.close()
            self._file.close()


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it was written. Aware UTC."""

    at: datetime
    entry: Entry
    said: Mapping[str, Any]


@dataclass(frozen=True)
class Log:
    """What a journal holds."""

    folder: Path
    lines: tuple[Line, ...]

    @property
    def id(self) -> str:
        """The drill's, as people type it."""
        return self.folder.name

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """All answers of verifiers, read when somebody asks for them: there are thousands, and few want them.

        Raises OSError, and TypeError or ValueError for what this release did not write.
        """
        return tuple(
            Sample(name, Generation(generation), float(at), bool(ok), error, *later)
            for name, generation, at, ok, error, *later in _objects(self.folder / SAMPLES)
        )

    def last(self, entry: Entry) -> Line | None:
        """The newest line of that kind."""
        return next((line for line in reversed(self.lines) if line.entry is entry), None)

    def marked(self, name: str) -> float | None:
        """POSIX time that the first entry with such a mark gives; None when there is none."""
        return next((float(line.said[name]) for line in self.lines if name in line.said), None)

    def all(self, entry: Entry) -> tuple[Line, ...]:
        """Every line of that kind, oldest first."""
        return tuple(line for line in self.lines if line.entry is entry)

    @property
    def opened(self) -> Mapping[str, Any]:
        """What the first line says of the drill."""
        line = self.last(Entry.OPENED)
        return line.said if line else {}

    @property
    def before(self) -> Mapping[str, Any] | None:
        """The driver's snapshot; None when nothing had been touched yet."""
        line = self.last(Entry.SNAPSHOT)
        return line.said["before"] if line else None

    @property
    def predicted(self) -> Sequence[Mapping[str, Any]]:
        """What was written of each verifier when it was predicted last; nothing when the drill did not come so far."""
        line = self.last(Entry.PREDICTED)
        return line.said["verifiers"] if line else ()

    @property
    def touched(self) -> bool:
        """Whether the provider may be other than before: a move was begun, and nothing has undone it."""
        moves, again = self.last(Entry.MOVING), self.last(Entry.RESTORING)
        done = self.last(Entry.RESTORED) or self.last(Entry.CLEANED)
        if moves is None or done is None:
            return moves is not None
        return done.at < (max(moves.at, again.at) if again else moves.at)

    @property
    def agents_told(self) -> bool:
        """Whether agents may still count the issuer's runs as a drill's."""
        told, freed = self.last(Entry.AGENTS_TOLD), self.last(Entry.AGENTS_FREED)
        return told is not None and (freed is None or freed.at < told.at)

    def took(self, agent: str) -> bool:
        """Whether this agent may count the issuer's runs as a drill's. Any may, until it is known which were told."""
        line = self.last(Entry.AGENTS_TOLD)
        return line is not None and agent in line.said.get("agents", (agent,))

    @property
    def agents_left(self) -> str:
        """Which agents could not be told that the drill is over, and why; empty when that was not tried, or done."""
        line = self.last(Entry.AGENTS_TOLD)
        return "; ".join(line.said.get("left", ())) if line and self.agents_told else ""

    @property
    def uncleaned(self) -> bool:
        """Whether keys of the drill may still be published."""
        made = any(line.said.get("action") in MAKES_KEYS for line in self.all(Entry.MOVING))
        return made and self.last(Entry.CLEANED) is None

    @property
    def unfinished(self) -> bool:
        """Whether something is left to do for `drill resume` or `drill abort`."""
        return self.last(Entry.ENDED) is None or self.touched or self.uncleaned or self.agents_told


def read_log(folder: Path) -> Log:
    """Raises OSError, and KeyError, TypeError or ValueError for what this release did not write.

    A last line that a crash cut short is left out: what it was about to say has not happened.
    """
    lines = tuple(
        Line(datetime.fromisoformat(said["at"]), Entry(said["entry"]), said) for said in _objects(folder / JOURNAL)
    )
    return Log(folder, lines)


def drills_in(root: Path) -> tuple[Path, ...]:
    """Folders of drills, oldest first."""
    if not root.is_dir():
        return ()
    return tuple(sorted(each for each in root.iterdir() if _ID.fullmatch(each.name) and (each / JOURNAL).is_file()))


def unfinished_in(root: Path) -> tuple[Log, ...]:
    """Drills that left something to do, oldest first; those that are running now among them.

    One whose journal another release wrote, or something has damaged, is named in the log and left out.
    """
    logs: list[Log] = []
    for folder in drills_in(root):
        try:
            logs.append(read_log(folder))
        except (KeyError, TypeError, ValueError) as error:
            log.warning("the journal of %s cannot be read: %s", folder.name, error)
    return tuple(each for each in logs if each.unfinished)


def is_running(folder: Path) -> bool:
    """Whether a process holds the drill's journal."""
    try:
        Journal.take_over(folder).close()
    except DrillOpen:
        return True
    return False


def _end_line(path: Path, file: IO[str]) -> None:
    """What a crash cut short must not swallow the next line."""
    with path.open("rb") as written:
        if written.seek(0, os.SEEK_END) and written.seek(-1, os.SEEK_END) >= 0 and written.read(1) != b"\n":
            file.write("\n")
            file.flush()


def _redacted(value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _redacted(each, redact) for name, each in value.items()}
    return [_redacted(each, redact) for each in value] if isinstance(value, list | tuple) else value


def _objects(file: Path) -> Iterator[Any]:
    if not file.exists():
        return
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                continue  # cut short; another process may have gone on after it
