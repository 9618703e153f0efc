"""What the subcommands of `oidcwatch drill` share: options, their values, and signals that end a drill in order."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from oidcwatch.commands.common import fail, load_both_or_exit

if TYPE_CHECKING:
    from drills.stop import Stop
    from oidcwatch.drill_call import Lab

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Where drills are kept. Else agent.data_dir/drills, or for labs $XDG_STATE_HOME/oidcwatch/drills.",
    ),
]
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65_535
_STDERR = 2


def one_of_labs(issuer: str, sandbox: bool, keycloak: bool) -> Lab | None:
    """The lab; None for an issuer. Anything but exactly one of the three exits with 2."""
    from oidcwatch.drill_call import Lab

    if sum((bool(issuer), sandbox, keycloak)) != 1:
        fail("where? give one of --issuer NAME (of the configuration), --sandbox, --keycloak")
    return (Lab.SANDBOX if sandbox else Lab.KEYCLOAK) if not issuer else None


def seconds_of_option(option: str, text: str, least: float = 0.0) -> float:
    """A duration in seconds. One that is none, or is shorter than allowed, exits with 2."""
    from oidcwatch.config_duration import format_duration, parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError:
        fail(f"{option}: {text!r} is no duration; write it like 500ms, 90s, 5m or 1h")
    if seconds < least:
        fail(f"{option}: {text!r} is too short; at least {format_duration(least)}")
    return seconds


def pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """`NAME=NAME` by the first name."""
    found = {}
    for text in texts:
        name, equals, other = text.partition("=")
        if not (name and equals and other):
            fail(f"{option}: {text!r} is no NAME=NAME; for example pyjwt=static-keys")
        found[name] = other
    return found


def base_url(option: str, text: str) -> str:
    """A base URL; empty for none. It goes into the journal, so it may hold no credentials."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        fail(f"{option}: not a URL")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        fail(f"{option}: expected a URL like http://127.0.0.1:9090")
    if parts.username or parts.password:
        fail(f"{option}: must hold no user or password; the configuration may name such a URL")
    return text.rstrip("/")


def address_of(text: str) -> tuple[str, int]:
    """Host without brackets, and port; no host means loopback."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > _LAST_PORT:
        fail(f"--page: {text!r} is no HOST:PORT; for example 127.0.0.1:9465")
    return match["six"] or match["four"] or "127.0.0.1", int(match["port"])


def roots_of(out: Path | None, config: Path) -> tuple[Path, ...]:
    """Folders that drills may be in: the one that was named, else the configuration's and that of labs."""
    from oidcwatch.drill_places import issuer_root, lab_root

    if out is not None:
        return (out,)
    of_config = (issuer_root(load_both_or_exit(config, connects=False).settings),) if config.exists() else ()
    return (*of_config, lab_root(os.environ))


def stop_on_signals(stop: Stop) -> None:
    """Ctrl-C, SIGTERM and a terminal that is lost ask it; as an exception they could strike in the middle of a rollback."""

    def stopped(*_: object) -> None:
        again = "rolling back already: please wait" if stop.is_set() else "stopping: what was changed is rolled back"
        stop.ask()
        # Not through Python's buffer: the signal may have come in the middle of a write to it.
        with contextlib.suppress(OSError):
            os.write(_STDERR, f"oidcwatch: {again}\n".encode())

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup: it shall go on
            signal.signal(number, stopped)
