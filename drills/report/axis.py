"""A time axis: where a second lies, and which seconds are named."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from drills.report import svg
from drills.report.words import span

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_SHORTEST = 1.0  # an axis of less than a second would name the same time twice
_APART = 76.0  # pixels that a name needs


@dataclass(frozen=True, slots=True)
class Axis:
    """From `start` to `end` seconds, drawn between the pixels `left` and `right`."""

    start: float
    end: float
    left: float
    right: float

    def x(self, seconds: float) -> float:
        """The pixel of a second; those outside are drawn at the edge."""
        share = (seconds - self.start) / (self.end - self.start)
        return self.left + (self.right - self.left) * min(max(share, 0.0), 1.0)

    def shows(self, seconds: float | None) -> bool:
        """Whether it lies on the axis."""
        return seconds is not None and self.start <= seconds <= self.end

    def ticks(self) -> tuple[float, ...]:
        """Round seconds to be named, far enough apart to be read."""
        most = max(2.0, (self.right - self.left) / _APART)
        least = (self.end - self.start) / most
        step = next((step for step in _STEPS if step >= least), None)
        step = step or math.ceil(least / _STEPS[-1]) * _STEPS[-1]
        first, last = math.ceil(self.start / step), math.floor(self.end / step)
        return tuple(float(step * number) for number in range(first, last + 1))

    def grid(self, top: float, bottom: float) -> Iterator[Markup]:
        """Lines at the named seconds, the zero stronger."""
        for tick in self.ticks():
            yield svg.line(self.x(tick), top, self.x(tick), bottom, "zero" if tick == 0 else "grid")

    def names(self, y: float) -> Iterator[Markup]:
        """The names of the seconds."""
        for tick in self.ticks():
            yield svg.text(self.x(tick), y, span(tick), "tick", "middle")


def axis(start: float, end: float, left: float, right: float) -> Axis:
    """An axis that has a length, whatever it is to show."""
    return Axis(start, max(end, start + _SHORTEST), left, right)
