"""Shows long work: a live line on a terminal, one plain line a result elsewhere; always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from oidcwatch.once import Progress as Told
from probes.model import ProbeResult

_PLAIN_EVERY = 15.0  # seconds


@contextmanager
def progress_of(total: int, *, quiet: bool = False) -> Iterator[Told]:
    """Yields what to call with each result."""
    console = Console(file=sys.stderr)
    if quiet and not console.is_terminal:
        yield lambda result: None
    elif console.is_terminal:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, transient=True,
        ) as bar:  # fmt: skip
            task = bar.add_task("checks", total=total)
            yield lambda result: bar.update(task, advance=1, description=result.check.name)
    else:
        yield lambda result: console.print(_line(result), highlight=False, markup=False, soft_wrap=True)


@contextmanager
def tally_of(seconds: float | None) -> Iterator[Told]:
    """As `progress_of` for an agent that runs for so long (None: until it is stopped): how many runs went well."""
    console = Console(file=sys.stderr)
    begun = told = time.monotonic()
    verdicts: list[bool] = []

    def count(result: ProbeResult) -> str:
        verdicts.append(result.ok)
        end = f" of {seconds:g}" if seconds else ""
        return f"{time.monotonic() - begun:.0f}{end} s: {len(verdicts)} runs, {sum(verdicts)} ok"

    def plain(result: ProbeResult) -> None:
        nonlocal told
        line = count(result)
        if time.monotonic() - told >= _PLAIN_EVERY:
            told = time.monotonic()
            console.print(line, highlight=False, markup=False)

    if console.is_terminal:
        with console.status("starting") as status:
            yield lambda result: status.update(count(result))
    else:
        yield plain


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Shows on a terminal that something is under way; elsewhere a few seconds need no line."""
    console = Console(file=sys.stderr)
    if console.is_terminal:
        with console.status(Text(what)):
            yield
    else:
        yield


def _line(result: ProbeResult) -> str:
    verdict = "ok" if result.failure is None else f"{result.failure.reason} at {result.failure.stage}"
    return f"{result.check.name} from {result.region}: {verdict} ({result.seconds:.2f} s)"
