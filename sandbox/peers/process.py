"""Runs a provider as a process group of its own, and ends the group whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from sandbox.peers import guard
from sandbox.peers.peer import PeerFailed

LOOPBACK = "127.0.0.1"

_INHERITED = ("HOME", "JAVA_HOME", "LANG", "PATH", "TMPDIR")
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 20.0


def child_environ(environ: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """What a provider needs of the caller's environment, and `extra`. The rest could hold settings (`KC_*`,
    `NODE_OPTIONS`) that make one start different from another, or secrets of others.
    """
    return {name: environ[name] for name in _INHERITED if name in environ} | dict(extra)


def choose_port(port: int) -> int:
    """The port itself when it is free, any free port for 0.

    Raises PeerFailed when it is taken: otherwise the answer of a stranger would be taken for the new provider's.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise PeerFailed(
                f"port {port} on {LOOPBACK}: {error.strerror}; stop its user or pass another port"
            ) from error
        chosen: int = probe.getsockname()[1]
        return chosen


@contextmanager
def running(
    command: Sequence[str], *, environ: Mapping[str, str], cwd: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command in a session of its own, output into `log`; at the end no process of its group is left.

    It also ends when this process does, however that ends. The process that is given leads the group, and has the
    command's exit code.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the callers build the command from constants and paths of theirs
            [sys.executable, "-I", str(Path(guard.__file__)), *command],
            env=environ,
            cwd=cwd,
            stdin=subprocess.PIPE,  # its end is the guard's end
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end_group(process)
        if process.stdin:
            process.stdin.close()


def wait_for_answer(
    url: str, process: subprocess.Popen[bytes], *, log: Path, seconds: float, ca_file: Path | None = None
) -> None:
    """Return when GET `url` answers 200. Raises PeerFailed when the process ends before, or after `seconds`."""
    verify = ssl.create_default_context(cafile=ca_file)
    deadline = time.monotonic() + seconds
    with httpx.Client(verify=verify, trust_env=False, timeout=5.0) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise PeerFailed(f"{process.args!r} ended with {process.returncode} before it answered; see {log}")
            try:
                if client.get(url).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(_POLL_SECONDS)
    raise PeerFailed(f"no answer from {url} within {seconds:g} s; see {log}")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline:
        process.poll()  # reaps the leader, whose corpse would keep the group alive
        if not _signal_group(process.pid, 0):
            return
        time.sleep(_POLL_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: int) -> bool:
    """Whether there was a process to send it to."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
