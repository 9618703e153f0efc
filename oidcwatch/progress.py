"""Shows long work: a live line on a terminal, one plain line a result elsewhere; always on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from oidcwatch.once import Progress as Told
from probes.model import ProbeResult


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


def _line(result: ProbeResult) -> str:
    verdict = "ok" if result.failure is None else f"{result.failure.reason} at {result.failure.stage}"
    return f"{result.check.name} from {result.region}: {verdict} ({result.seconds:.2f} s)"
