"""Shows a drill while it runs: a live table on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drills.progress import Progress, Standing
from drills.record import Event
from drills.report.words import EVENTS, KINDS, span
from exporters.report import printable

if TYPE_CHECKING:
    from rich.console import Group

_KEPT, _SHOWN = 200, 8  # events


@dataclass(slots=True)
class Board:
    """What is known of the running drill; written by its thread, read by others."""

    newest: Progress | None = None
    _events: deque[Event] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, progress: Progress) -> None:
        """A drill tells of itself. What was told of another drill is forgotten."""
        with self._lock:
            if self.newest is not None and self.newest.drill != progress.drill:
                self._events.clear()
            self.newest = progress
            self._events.extend(progress.events)

    def events(self) -> tuple[Event, ...]:
        """The newest ones, oldest first."""
        with self._lock:
            return tuple(self._events)


@dataclass(frozen=True, slots=True)
class Show:
    """How a running drill is shown: what it tells of itself, and lines beside it."""

    tell: Callable[[Progress], None]
    say: Callable[[str], None]


@contextmanager
def live(board: Board, redact: Callable[[str], str]) -> Iterator[Show]:
    """For the length of the block."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stderr)

    def said(text: str) -> str:
        return printable(redact(text))

    def say(line: str) -> None:
        console.print(said(line), highlight=False, markup=False, soft_wrap=True)

    if not console.is_terminal:

        def plain(progress: Progress) -> None:
            board.take(progress)
            for event in progress.events:
                say(line_of(event))

        yield Show(plain, say)
        return
    with Live(console=console, get_renderable=lambda: _shown(board, said), refresh_per_second=4, transient=True):
        yield Show(board.take, say)


def line_of(event: Event) -> str:
    """An entry of the timeline as one line."""
    return f"{event.at:%H:%M:%S} {EVENTS[event.kind]}: {event.text}"


def phase_line(progress: Progress) -> str:
    """Which phase it is in, and how far that is."""
    if progress.elapsed is None:
        return f"{progress.phase}"
    window = f" of at most {span(progress.window)}" if progress.window is not None else ""
    return f"{progress.phase}: {span(progress.elapsed)}{window}"


def cells_of(standing: Standing) -> tuple[str, ...]:
    """One verifier as it stands: name, kind, predicted, observed, old and new token."""
    times = (span(each) if each is not None else "-" for each in (standing.predicted, standing.observed))
    answers = ({None: "-", True: "✓ accepts", False: "✗ refuses"}[each] for each in (standing.old, standing.new))
    return standing.name, KINDS[standing.kind], *times, *answers


COLUMNS = ("verifier", "kind", "predicted", "observed", "old key's token", "new key's token")
"""Headings of `cells_of`."""


def _shown(board: Board, said: Callable[[str], str]) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    progress = board.newest
    if progress is None:
        return Group(Text("starting"))
    table = Table(box=None, pad_edge=False)
    for title in COLUMNS:
        table.add_column(title, justify="right" if title in ("predicted", "observed") else "left")
    for standing in progress.standings:
        style = "red" if False in (standing.old, standing.new) else ""
        table.add_row(*map(Text, cells_of(standing)), style=style)
    lines = (Text(said(line_of(event)), style="dim") for event in board.events()[-_SHOWN:])
    return Group(Text(f"{progress.drill}  {phase_line(progress)}", style="bold"), table, *lines)
