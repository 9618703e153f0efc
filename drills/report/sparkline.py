"""The picture of one figure over earlier drills."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from drills.report import svg
from drills.report.words import span

_WIDTH, _HEIGHT, _EDGE = 200.0, 56.0, 8.0


def sparkline(name: str, values: Sequence[float | None]) -> Markup:
    """Seconds of one drill after the other, the newest last; a gap where it was not measured.

    Empty when it was measured less than twice.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup()
    top = max(*known, 1e-9)
    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    places = [
        None if value is None else (_EDGE + step * number, _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * value / top)
        for number, value in enumerate(values)
    ]
    body = [svg.line(0.0, _HEIGHT - _EDGE, _WIDTH, _HEIGHT - _EDGE, "grid")]
    body += [svg.path(part, "spark") for part in _parts(places)]
    for place, value in zip(places, values, strict=True):
        if place is not None and value is not None:
            newest = place is places[-1]
            body.append(svg.dot(*place, 4.5 if newest else 2.5, "spark newest" if newest else "spark", span(value)))
    said = f"{name} over {len(values)} drills: from {span(known[0])} to {span(known[-1])}, at most {span(top)}"
    return svg.picture(_WIDTH, _HEIGHT, said, body)


def _parts(places: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The stretches between gaps."""
    parts: list[list[tuple[float, float]]] = [[]]
    for place in places:
        if place is None:
            parts.append([])
        else:
            parts[-1].append(place)
    return [part for part in parts if part]
