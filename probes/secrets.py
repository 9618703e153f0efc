"""Reads secrets from where a SecretRef points, when they are needed, and never keeps them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from probes.model import ProbeFailure, Reason
from probes.subjects import SecretRef

Secrets = Callable[[SecretRef], Awaitable[str]]
"""Gives the value behind a reference; raises ProbeFailure(probe_error) that names the reference, never the value."""

_EXEC_SECONDS = 10.0
_MAX_BYTES = 64 * 1024


def secrets_from(environ: Mapping[str, str] = os.environ) -> Secrets:
    """A reader of `env:`, `file:` and `exec:` references; a trailing newline is removed."""

    async def read(ref: SecretRef) -> str:
        value = await _read(ref, environ)
        if not value:
            raise ProbeFailure(Reason.PROBE_ERROR, f"secret {ref.source}:{ref.location} is empty")
        return value

    return read


async def _read(ref: SecretRef, environ: Mapping[str, str]) -> str:
    if ref.source == "env":
        if ref.location not in environ:
            raise ProbeFailure(Reason.PROBE_ERROR, f"environment variable {ref.location} is not set")
        return environ[ref.location].rstrip("\r\n")
    if ref.source == "file":
        try:
            data = await asyncio.to_thread(Path(ref.location).read_bytes)
        except OSError as error:
            raise ProbeFailure(Reason.PROBE_ERROR, f"secret file {ref.location}: {error.strerror}") from error
    else:
        data = await _run(ref.location)
    return data[:_MAX_BYTES].decode("utf-8", "replace").rstrip("\r\n")


async def _run(command: str) -> bytes:
    try:
        process = await _started(shlex.split(command))
    except (OSError, ValueError) as error:
        raise ProbeFailure(Reason.PROBE_ERROR, f"secret command {command!r} cannot be started") from error
    try:
        async with asyncio.timeout(_EXEC_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise ProbeFailure(Reason.PROBE_ERROR, f"secret command {command!r} took over {_EXEC_SECONDS:g} s") from error
    finally:
        await _end(process)  # if it still runs: too slow, or the run's own deadline came first
    if process.returncode:
        raise ProbeFailure(Reason.PROBE_ERROR, f"secret command {command!r} ended with {process.returncode}")
    return output


async def _started(arguments: list[str]) -> Process:
    """A process in a session of its own, so that what it starts can be ended with it; no terminal to ask at."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:  # asyncio would kill the process that is half started, and not its children
        await _end(await starting)
        raise


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
