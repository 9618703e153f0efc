"""`oidcwatch docs`: the generated part of this project's documentation; for its developers, so not in the help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oidcwatch.commands.common import fail

STALE = 1
"""Exit code when a page is not current."""


def register(parent: typer.Typer) -> None:
    """Add `docs`."""
    parent.command(hidden=True)(docs)


def docs(
    write: Annotated[bool, typer.Option("--write", help="Bring the pages up to date.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say which pages are not.")] = False,
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", exists=True, file_okay=False, help="The checkout.")
    ] = Path(),
) -> None:
    """Write docs/reference and the README's catalogue from the tables of commands, probes, checks, reasons and metrics.

    Exit code: 0 all pages are current (now), 1 with --check when one is not, 2 bad call.

    \b
    Examples:
      python -m oidcwatch docs --write
      python -m oidcwatch docs --check
    """
    from oidcwatch import documentation

    if write == check:
        fail("give either --write or --check")
    try:
        changed = documentation.write(root) if write else documentation.stale(root)
    except (OSError, ValueError) as error:
        fail(str(error))
    for path in changed:
        typer.echo(f"{path} {'written' if write else 'is not current'}")
    if check and changed:
        typer.echo(f"run: {documentation.COMMAND}", err=True)
        raise typer.Exit(STALE)
