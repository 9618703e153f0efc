"""One drill at a time on one issuer, wherever each is kept: `claimed` holds the issuer while a drill or a restore runs.

Two drills would take each other's keys for the provider's own. Whoever changes a provider enters `claimed` first: the
preflight does for a drill, and so must `drill abort` before it settles one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO

from drills.journal import DrillOpen

_PAUSE, _PATIENCE = 0.05, 1.0  # seconds: one that has just ended is still giving its claim back
_LONGEST_PATH = 4096


@contextlib.contextmanager
def claimed(url: str, folder: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Hold the issuer with this URL, for this user, until the block or the process ends. `folder` is the drill's.

    Not in the drill's folder nor by the configuration: two of those may name the same issuer. Raises DrillOpen, with
    the other's folder, while another drill of this user holds it, and when the claim cannot be made.
    """
    place = claims_folder(environ) / sha256(url.rstrip("/").encode()).hexdigest()[:32]
    try:
        file = _locked(place)
    except OSError as error:
        raise DrillOpen(
            f"{place} cannot be written ({error.strerror}), so another drill on this issuer would not be seen: set "
            "XDG_STATE_HOME to a folder that can"
        ) from error
    with file:
        file.truncate(0)
        file.write(str(folder.resolve()))
        file.flush()
        try:
            yield
        finally:
            place.unlink(missing_ok=True)  # while it is locked: who waits for it looks whether it is still there


def claims_folder(environ: Mapping[str, str]) -> Path:
    """Where claims are: below the state folder (XDG Base Directory Specification).

    Not in $XDG_RUNTIME_DIR, which a scheduled job does not have: it would not see the drill of a terminal.
    """
    return state_folder(environ) / "claims"


def state_folder(environ: Mapping[str, str]) -> Path:
    """What this user keeps of drills: $XDG_STATE_HOME/oidcwatch."""
    state = environ.get("XDG_STATE_HOME", "")
    base = Path(state) if Path(state).is_absolute() else Path(environ.get("HOME", "~")).expanduser() / ".local/state"
    return base / "oidcwatch"


def _locked(place: Path) -> IO[str]:
    """The claim's file, locked. Raises DrillOpen and OSError."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + _PATIENCE
    while True:
        file = os.fdopen(os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, place):
                return file
            file.close()
        except BlockingIOError:
            other = file.read(_LONGEST_PATH)
            file.close()
            if time.monotonic() >= deadline:
                raise DrillOpen(_told(other)) from None
            time.sleep(_PAUSE)


def _is_at(file: IO[str], place: Path) -> bool:
    """Whether the file that was locked is still the one that others would open."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), place.stat())
    except FileNotFoundError:
        return False


def _told(other: str) -> str:
    where = f"that in {other}" if other else "another one"
    return f"a drill is running on this issuer, or is being settled: {where}; wait for its end, or end it there with Ctrl-C"
