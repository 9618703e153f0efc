"""Drives any provider by a command of the user's.

The command is started once for each thing that is to be done, without a shell, with the action as its last argument:
one of `drills.scenario.Action` that the configuration says it knows, or `snapshot`, `restore`, `clean`. On standard
input it gets one JSON object:

    {"action": "rotate",      the same as the argument
     "params": {},            of the move, as {"kind": "5xx"}
     "issuer": "https://...", the issuer's URL
     "before": {...},         what it printed for `snapshot` before the drill; null for `snapshot` itself
     "keep_new": false,       for `clean`: true when the new keys stay and the old one is to go
     "added": []}             for `clean`: kids of the keys that the drill has added; empty when they are not known

It ends with 0 when the provider has done it, and only then. `snapshot` changes nothing and prints one JSON object, of
64 KiB at most, with what the other actions need to undo everything; it is written to the drill's journal, so no secret
may be in it.
`restore` makes the key sign and be published that did before, and ends every fault; `clean` removes the drill's
leftovers. Each may be asked for again, also after a crash, and then changes nothing. What the command says on standard
error is shown when it fails, its last line only. When the drill is stopped meanwhile it gets SIGTERM, except in
`snapshot` and `restore`.

Of the environment it gets PATH, HOME, LANG, TMPDIR and JAVA_HOME, and what the configuration gives it under
`environment`: its credentials belong there, as arguments can be read by every user of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import IO, Any, Self

from drills.driver import DriverFailed, Ready, Snapshot
from drills.scenario import Action, Move
from drills.target import Command
from probes.redact import Redactor

_MOST_OUTPUT = 64 * 1024
_BLOCK = 8 * 1024
_LONGEST_LINE = 300
_TICK, _GRACE = 0.2, 5.0  # seconds between two looks at whether it is stopped, and until one that is must have ended


@dataclass(frozen=True, slots=True)
class CommandDriver:
    """Implements `drills.driver.Driver`."""

    command: Command
    issuer: str
    environ: Mapping[str, str] = field(repr=False)
    """Of the command, beside the secrets that it is given."""
    given: Callable[[], Mapping[str, str]] = field(default=dict, repr=False)
    """Those secrets, by name of the variable; read anew for each start. Raises DriverFailed."""
    redact: Callable[[str], str] = field(default_factory=Redactor)
    """Takes secrets out of what it says."""
    stopped: Callable[[], bool] = lambda: False
    """Whether the drill must end: what the command does is ended, unless it rolls back."""
    name: str = "command"

    @property
    def can(self) -> frozenset[Action]:
        """What the configuration says that it knows."""
        return frozenset(Action(name) for name in self.command.can)

    def ready(self) -> tuple[Ready, ...]:
        """Whether the program is there and gives a snapshot, which changes nothing."""
        try:
            names = ", ".join(self.snapshot()) or "nothing"
        except DriverFailed as failure:
            return (Ready("command", False, str(failure)),)
        return (Ready("command", True, f"{self.command.command[0]} gives a snapshot with {names[:_LONGEST_LINE]}"),)

    def snapshot(self) -> Snapshot:
        """What the command prints."""
        done, program = self._run("snapshot"), self.command.command[0]
        if done.printed > _MOST_OUTPUT:
            raise DriverFailed(f"what {program} snapshot prints is larger than {_MOST_OUTPUT // 1024} KiB")
        try:
            said = json.loads(done.output)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise DriverFailed(f"{program} snapshot must print one JSON object, and nothing else")
        return said

    def do(self, move: Move, before: Snapshot) -> None:
        """One of the actions that it knows."""
        if move.action not in self.can:
            raise DriverFailed(
                f"{move.action} is not in drill.provider.can: {', '.join(self.command.can) or 'nothing is'}"
            )
        self._run(move.action, self.stopped, params=dict(move.params), before=dict(before))

    def restore(self, before: Snapshot) -> None:
        """The command's `restore`; goes on when the drill was stopped."""
        self._run("restore", before=dict(before))

    def clean(self, before: Snapshot, *, keep_new: bool, added: Collection[str] = ()) -> None:
        """The command's `clean`."""
        self._run("clean", self.stopped, before=dict(before), keep_new=keep_new, added=added)

    def _run(
        self,
        action: str,
        stopped: Callable[[], bool] = lambda: False,
        *,
        params: Mapping[str, Any] | None = None,
        before: Mapping[str, Any] | None = None,
        keep_new: bool = False,
        added: Collection[str] = (),
    ) -> _Done:
        """What became of it, when it has done what it was told to. Raises DriverFailed."""
        said = {
            "action": action,
            "params": params or {},
            "issuer": self.issuer,
            "before": before,
            "keep_new": keep_new,
            "added": sorted(added),
        }
        program, *arguments = self.command.command
        path = shutil.which(program, path=self.environ.get("PATH"))
        if path is None:
            raise DriverFailed(f"there is no program {program!r} that could be started; see drill.provider.command")
        given = json.dumps(said).encode()
        environ = {**self.environ, **self.given()}
        done = _finished([path, *arguments, action], given, environ, self.command.timeout, stopped)
        if done.ended:
            raise DriverFailed(_ENDED[done.ended].format(f"{program} {action}", self.command.timeout))
        if done.code:
            raise DriverFailed(f"{program} {action} ended with {done.code}: {self._last_line(done.complaints)}")
        return done

    def _last_line(self, output: bytes) -> str:
        """For people."""
        lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
        return self.redact(lines[-1])[:_LONGEST_LINE] if lines else "it said nothing"


class _Why(Enum):
    """Why a command was ended."""

    LATE = auto()
    STOPPED = auto()


_ENDED: Mapping[_Why, str] = MappingProxyType(
    {_Why.LATE: "{} took over {:g} s and was ended", _Why.STOPPED: "it was stopped while {} ran"}
)


@dataclass(frozen=True, slots=True)
class _Done:
    ended: _Why | None
    """None when it ended by itself."""
    code: int | None
    output: bytes
    """The newest 64 KiB of it."""
    complaints: bytes
    printed: int
    """Bytes of output."""


def _finished(
    command: list[str], given: bytes, environ: Mapping[str, str], seconds: float, stopped: Callable[[], bool]
) -> _Done:
    """Runs it in a session of its own: Ctrl-C is for the drill, which then rolls back by this very command."""
    with tempfile.TemporaryFile() as said:
        said.write(given)  # a file: it need not read what it does not need
        said.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - what the operator configured
                command,
                env=dict(environ),
                stdin=said,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise DriverFailed(f"{command[0]} cannot be started: {error.strerror}") from error
    with process:
        output, complaints = _Kept.of(process.stdout), _Kept.of(process.stderr)
        try:
            ended = _waited(process, seconds, stopped)
        finally:
            _signal(process, signal.SIGKILL)  # what it has started ends with it
            process.wait()
            output.end()
            complaints.end()
        return _Done(ended, process.returncode, bytes(output.newest), bytes(complaints.newest), output.total)


def _waited(process: subprocess.Popen[bytes], seconds: float, stopped: Callable[[], bool]) -> _Why | None:
    """Why it must be ended; None when it has ended. One that is stopped has a moment to leave things in order."""
    deadline = time.monotonic() + seconds
    while not _ends_within(process, min(_TICK, max(0.0, deadline - time.monotonic()))):
        if stopped():
            _signal(process, signal.SIGTERM)
            _ends_within(process, _GRACE)
            return _Why.STOPPED
        if time.monotonic() >= deadline:
            return _Why.LATE
    return None


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """To it and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@dataclass(slots=True)
class _Kept:
    """The newest of what a stream says, read as it comes so that nobody waits for a full pipe."""

    stream: IO[bytes]
    newest: bytearray = field(default_factory=bytearray)
    total: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _reader: threading.Thread | None = None

    @classmethod
    def of(cls, stream: IO[bytes] | None) -> Self:
        assert stream is not None  # noqa: S101 - a pipe was asked for
        kept = cls(stream)
        kept._reader = threading.Thread(target=kept._read, daemon=True)
        kept._reader.start()
        return kept

    def end(self) -> None:
        """Take what is there. The stream's end is not waited for: a process that has left the group may hold it open."""
        self._over.set()
        if self._reader is not None:
            self._reader.join()

    def _read(self) -> None:
        poller = select.poll()
        poller.register(self.stream, select.POLLIN)
        left = _MOST_OUTPUT  # a pipe holds no more; who goes on talking after the command's end is not listened to
        while left > 0:
            over = self._over.is_set()
            if not poller.poll(0 if over else _TICK * 1000):
                if over:
                    return
                continue
            block = os.read(self.stream.fileno(), _BLOCK)
            if not block:
                return
            self.total += len(block)
            self.newest += block
            del self.newest[:-_MOST_OUTPUT]
            left -= len(block) if over else 0
