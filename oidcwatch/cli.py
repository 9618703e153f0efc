"""The command line: a table of commands, the options that stand before them, and exit codes."""

from __future__ import annotations

import errno
import importlib
import sys
from enum import StrEnum
from typing import Annotated, Protocol, cast

import typer

from oidcwatch import __version__

# A command is a file of oidcwatch.commands with a function `register(app)`, and a line here. The help lists them so.
COMMANDS: tuple[str, ...] = (
    "demo",
    "init",
    "check",
    "probe",
    "run",
    "stack",
    "annotate",
    "config",
    "generate",
    "runbook",
    "slo",
    "drill",
    "keys",
    "doctor",
    "docs",
)

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class LogLevel(StrEnum):
    """Severities as logging names them."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class _Command(Protocol):
    def register(self, parent: typer.Typer) -> None: ...


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"oidcwatch {__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    log_level: Annotated[
        LogLevel | None,
        typer.Option(
            "--log-level",
            envvar="OIDCWATCH_LOG_LEVEL",
            help="Least severe messages on standard error; goes before `log.level` of the configuration.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Synthetic monitoring and observability for OpenID Connect.

    \b
    Start here:
      oidcwatch demo
      oidcwatch check https://login.example.com/realms/main
      oidcwatch init https://login.example.com/realms/main
      oidcwatch probe
      oidcwatch run

    Exit code 2 means a bad configuration or call. Results go to standard output, messages to standard error.
    """
    context.obj = log_level.value if log_level else None  # read by oidcwatch.logs.redactor_for


def make_app() -> typer.Typer:
    """The application with every command of the table."""
    app = typer.Typer(
        name="oidcwatch",
        callback=_options,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,  # they would show local variables, which may be secrets
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in COMMANDS:
        cast(_Command, importlib.import_module(f"oidcwatch.commands.{name}")).register(app)
    return app


def main() -> None:
    """Run the command line and exit."""
    try:
        make_app()()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        # Most often standard output. A traceback's exit code, 1, would say that a check has failed.
        sys.stderr.write(f"oidcwatch: {error}\n")
        sys.exit(2)
