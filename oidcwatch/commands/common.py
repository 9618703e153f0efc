"""What commands share: the options that mean the same everywhere, and how a bad configuration ends a command."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from oidcwatch.config import ConfigError, Loaded
    from oidcwatch.settings import Settings

BAD_CALL = 2
"""Exit code for a bad configuration or call."""
DEFAULT_CONFIG = Path("oidcwatch.yaml")
_UNFOLDED = 10_000  # columns

ConfigOption = Annotated[
    Path,
    typer.Option(
        "-c",
        "--config",
        metavar="PATH",
        envvar="OIDCWATCH_CONFIG",
        help="Configuration file; conf.d/*.yaml beside it is read too.",
    ),
]
ForOption = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="End by itself after so long, e.g. 90s.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def fail(message: str) -> NoReturn:
    """Print why the call is wrong to standard error and exit with 2."""
    typer.echo(f"oidcwatch: {message}", err=True)
    raise typer.Exit(BAD_CALL)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def console() -> Console:
    """Standard output for tables and texts; in a pipe or a file no line is folded."""
    from rich.console import Console

    out = Console()
    return out if out.is_terminal else Console(width=_UNFOLDED)


def seconds_of(duration: str | None) -> float | None:
    """The value of `--for` in seconds; bare numbers are seconds. One that is no duration exits with 2."""
    from oidcwatch.config_duration import parse_duration

    if not duration:
        return None
    try:
        return parse_duration(duration + "s" if duration.isdecimal() else duration)
    except ValueError:
        fail(f"--for: {duration!r} is no duration; write it like 90s, 5m or 1h")


def load_both_or_exit(path: Path, *, as_json: bool = False, connects: bool = True) -> Loaded:
    """The configuration; a bad one is printed to standard error (with `as_json` to standard output) and exits with 2."""
    from oidcwatch.config import ConfigError, load_both

    try:
        return load_both(path, os.environ, connects=connects)
    except ConfigError as error:
        if as_json:
            print_json({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
        else:
            typer.echo(_told(error, path), err=True)
        raise typer.Exit(BAD_CALL) from None


def load_or_exit(path: Path, *, as_json: bool = False) -> Settings:
    """As `load_both_or_exit`, for commands that need the settings alone."""
    return load_both_or_exit(path, as_json=as_json).settings


def _told(error: ConfigError, path: Path) -> str:
    lines = [str(problem) for problem in error.problems]
    if not path.exists():
        lines.append("write one with: oidcwatch init https://your-issuer.example")
    else:
        lines.append(f"{len(error.problems)} problem{'s' * (len(error.problems) > 1)}; nothing was started")
    return "\n".join(lines)
