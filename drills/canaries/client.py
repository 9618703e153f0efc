"""Starts a canary and asks it about tokens; ends its whole process group whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from drills.canaries.builds import find_tool
from drills.canaries.failures import CanaryFailed
from drills.canaries.protocol import without_token
from drills.canaries.registry import Canary
from sandbox.peers.process import child_environ

_START_SECONDS = 60.0
_CHECK_SECONDS = 35.0  # above the longest fetch timeout of a verifier, 30 s
_GRACE_SECONDS = 3.0
_LONGEST_LINE = 64 * 1024
_MEMBERS = frozenset({"id", "ok", "error", "seconds"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier says of a token."""

    ok: bool
    error: str
    """Empty when it is accepted; never holds a part of the token."""
    seconds: float


@dataclass(slots=True)
class RunningCanary:
    """A started canary. Its checks may be called from several threads; they run one after the other."""

    canary: Canary
    library: str
    version: str
    pid: int
    """Leader of the process group that holds all its processes."""
    _input: IO[str] = field(repr=False)
    _answers: queue.SimpleQueue[dict[str, Any] | None] = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _asked: int = field(default=0, repr=False)
    _open: int | None = field(default=None, repr=False)
    """The question that has no answer yet."""

    def check(self, token: str, timeout: float = _CHECK_SECONDS) -> Verdict:
        """Ask about one token, for at most `timeout` seconds: no answer by then is a refusal, as a caller would see it.

        While an earlier question has no answer, none is sent: the verifier is still busy. Raises CanaryFailed when the
        canary has ended or speaks another protocol.
        """
        with self._lock:
            deadline = time.monotonic() + timeout
            late = Verdict(False, f"no answer within {timeout:g} s", timeout)
            if self._open is not None and self._answer(deadline) is None:
                return late
            self._asked += 1
            self._open = self._asked
            self._send({"id": self._asked, "token": token})
            answer = self._answer(deadline)
            if answer is None:
                return late
            return Verdict(bool(answer["ok"]), without_token(str(answer["error"]), token), float(answer["seconds"]))

    def _send(self, question: Mapping[str, Any]) -> None:
        try:
            self._input.write(json.dumps(question) + "\n")
            self._input.flush()
        except (OSError, ValueError) as error:
            raise CanaryFailed(f"the canary {self.canary.name} has ended") from error

    def _answer(self, deadline: float) -> dict[str, Any] | None:
        try:
            answer = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if answer is None or not answer.keys() >= _MEMBERS or answer["id"] != self._open:
            self._answers.put(None)  # so that later questions fail as well, and do not wait
            raise CanaryFailed(f"the canary {self.canary.name} has ended or does not keep to the protocol")
        self._open = None
        return answer


@contextlib.contextmanager
def start(
    canary: Canary,
    *,
    issuer: str,
    jwks_uri: str,
    audience: str,
    environ: Mapping[str, str],
    ca_file: Path | None = None,
    settings: Mapping[str, float] | None = None,
) -> Iterator[RunningCanary]:
    """Run the canary for the length of the block, with the library's defaults but for `settings` (see
    `Canary.shortened`).

    Raises CanaryFailed when it is not built or installed, or does not become ready within a minute.
    """
    command = [*_command(canary, environ), "--issuer", issuer, "--jwks-uri", jwks_uri, "--audience", audience]
    command += ["--ca-file", str(ca_file)] if ca_file else []
    command += ["--settings", json.dumps(dict(settings))] if settings else []
    with _running(command, environ, ca_file) as process:
        answers, last_words = _answers_of(process), _last_words_of(process)
        ready = _first(answers)
        if ready is None or ready.get("ready") is not True:
            raise CanaryFailed(f"the canary {canary.name} did not start: {last_words()}{_hint(canary)}")
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        yield RunningCanary(
            canary, str(ready.get("library")), str(ready.get("version")), process.pid, process.stdin, answers
        )


def _command(canary: Canary, environ: Mapping[str, str]) -> list[str]:
    part = canary.build.require(environ) if canary.build else Path()
    tools = canary.build.install if canary.build else {}
    program, *rest = (word.format(part=part, python=sys.executable) for word in canary.command)
    return [find_tool(program, tools[program], environ) if program in tools else program, *rest]


@contextlib.contextmanager
def _running(command: list[str], environ: Mapping[str, str], ca_file: Path | None) -> Iterator[subprocess.Popen[str]]:
    extra = {"PYTHONPATH": str(Path(__file__).parents[2])}  # our own package, wherever the caller is
    if ca_file:
        extra["NODE_EXTRA_CA_CERTS"] = str(ca_file)  # the only way to trust a CA in Node's own fetch
    try:
        process = subprocess.Popen(  # noqa: S603 - rows of our table, and what the operator configured
            command,
            env=child_environ(environ, extra),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise CanaryFailed(f"{command[0]} cannot be started: {error.strerror}") from error
    try:
        yield process
    finally:
        _end(process)


def _answers_of(process: subprocess.Popen[str]) -> queue.SimpleQueue[dict[str, Any] | None]:
    """The lines of the canary as they come; None after the last, and in place of what is no JSON object."""
    answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def read(lines: IO[str]) -> None:
        with contextlib.suppress(ValueError):  # no JSON, or closed meanwhile
            while line := lines.readline(_LONGEST_LINE):
                answer = json.loads(line)
                answers.put(answer if isinstance(answer, dict) else None)
        answers.put(None)

    _in_background(read, process.stdout)
    return answers


def _last_words_of(process: subprocess.Popen[str]) -> Callable[[], str]:
    """Gives the last line of its standard error. Kept in memory only: libraries may log tokens."""
    lines: deque[str] = deque(maxlen=1)

    def read(stream: IO[str]) -> None:
        with contextlib.suppress(ValueError):  # closed meanwhile
            lines.extend(line for line in iter(lambda: stream.readline(_LONGEST_LINE), "") if line.strip())

    reader = _in_background(read, process.stderr)

    def last_words() -> str:
        reader.join(_GRACE_SECONDS)
        return lines[-1].strip() if lines else "it said nothing"

    return last_words


def _in_background(read: Callable[[IO[str]], None], stream: IO[str] | None) -> threading.Thread:
    assert stream is not None  # noqa: S101 - a pipe was asked for
    thread = threading.Thread(target=read, args=(stream,), daemon=True)
    thread.start()
    return thread


def _first(answers: queue.SimpleQueue[dict[str, Any] | None]) -> dict[str, Any] | None:
    try:
        return answers.get(timeout=_START_SECONDS)
    except queue.Empty:
        return None


def _hint(canary: Canary) -> str:
    return f"; if something is missing: `{canary.needs}`" if canary.needs else ""


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):
        if process.stdin:
            process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):  # busy with a fetch, perhaps for half a minute
        process.wait(_GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
