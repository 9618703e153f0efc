"""`oidcwatch drill report`: what drills have shown."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oidcwatch.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, console, fail, print_json
from oidcwatch.commands.drills.options import OutOption, roots_of

if TYPE_CHECKING:
    from drills.record import Record


class Format(StrEnum):
    """What a report may be printed as."""

    TEXT = "text"
    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


def report(
    drill: Annotated[str, typer.Argument(metavar="ID", help="Of the drill; else the newest.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    history: Annotated[bool, typer.Option("--history", help="A line for every drill, and its trend.")] = False,
    json: JsonOption = False,
    format: Annotated[Format, typer.Option("--format", help="How to print one report.")] = Format.TEXT,
    out: OutOption = None,
) -> None:
    """Print the report of a drill, or the history of all of them.

    Reads what drills have left in agent.data_dir/drills of the configuration, if there is one, and in the folder of
    labs. A drill that was cut short and not settled is named on standard error, first of all. Exit code 2 when there
    is no such drill.

    \b
    Examples:
      oidcwatch drill report
      oidcwatch drill report --history
      oidcwatch drill report 20260301T091500Z-zero-lead-4f2a --format md
      oidcwatch drill report --json | jq '.verifiers[] | select(.ok | not) | .name'
    """
    from drills.history import trend
    from oidcwatch.drill_result import print_history, trend_json

    roots = roots_of(out, config)
    for line in _unsettled(roots):
        typer.echo(f"oidcwatch: {line}", err=True)
    found = _records(roots)
    if history:
        drills = [record for record, _ in found]
        if json:
            print_json([trend_json(row) for row in trend(drills)])
        elif drills:
            print_history(drills, console())
        else:
            typer.echo("there are no drills yet; oidcwatch drill run begins one")
        return
    chosen = [each for each in found if drill in ("", each[0].id)]
    if not chosen:
        fail(
            f"there is no report of {drill!r}; oidcwatch drill report --history lists them"
            if drill
            else "there is no report of any drill yet; oidcwatch drill run makes one"
        )
    _print(*chosen[-1], [record for record, _ in found], Format.JSON if json else format)


def _unsettled(roots: tuple[Path, ...]) -> Iterator[str]:
    """Drills whose report is not the last word: the provider, or what agents count, may be other than before."""
    from drills.journal import Entry, unfinished_in

    for log in (log for root in roots for log in unfinished_in(root)):
        if _runs(log.folder):
            yield f"{log.id} is still running"
        elif log.last(Entry.ENDED) is None or log.touched or log.agents_told:
            yield f"{log.id} is not settled: oidcwatch drill abort {log.id}"


def _runs(folder: Path) -> bool:
    from drills.journal import is_running

    try:
        return is_running(folder)
    except OSError:  # what cannot be written to, nobody drills with
        return False


def _records(roots: tuple[Path, ...]) -> list[tuple[Record, Path]]:
    """Every drill with its report, oldest first. A file that cannot be read is named on standard error."""
    from drills.history import records
    from drills.report.writing import PAGE

    def broken(text: str) -> None:
        typer.echo(f"oidcwatch: {text}", err=True)

    found = [(record, root / record.id / PAGE) for root in roots for record in records(root, broken)]
    return sorted(found, key=lambda each: (each[0].started, each[0].id))


def _print(record: Record, report: Path, found: list[Record], format: Format) -> None:
    from drills.history import before
    from drills.record import to_json
    from drills.report.clean import clean
    from drills.report.html import html
    from drills.report.markdown import markdown
    from oidcwatch.drill_result import print_record

    match format:
        case Format.TEXT:
            print_record(clean(record), report, console())
        case Format.HTML:
            typer.echo(html(record, before(record, found)), nl=False)
        case Format.MARKDOWN:
            typer.echo(markdown(record, before(record, found)), nl=False)
        case Format.JSON:
            print_json(to_json(clean(record)))
