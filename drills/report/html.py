"""The report as one HTML file that asks nobody for anything: style and pictures are in it, and it has no script."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from drills.record import Record
from drills.report.clean import clean
from drills.report.content import Content, content
from drills.report.curves import curves
from drills.report.environment import html_template
from drills.report.fleet import fleet, in_words
from drills.report.sparkline import sparkline
from drills.report.timeline import NARROW, WIDE, timeline


def html(record: Record, earlier: Sequence[Record] = ()) -> str:
    """The page; `earlier` drills of the same scenario and issuer are its trend, others are left out."""
    record = clean(record)
    shown = content(record, tuple(map(clean, earlier)))
    pictures = {
        "timeline": (timeline(record, WIDE), timeline(record, NARROW)),
        "curves": (curves(record, WIDE), curves(record, NARROW)),
        "fleet": (fleet(record, WIDE), fleet(record, NARROW)),
    }
    return html_template().render(
        c=shown, record=record, pictures=pictures, sparks=_sparks(shown), fleet_said=in_words(record)
    )


def _sparks(shown: Content) -> list[tuple[str, Markup]]:
    """The figures that were measured more than once."""
    rows = shown.trend
    series = {
        shown.decisive_name: [row.decisive for row in rows],
        "detect": [row.detect for row in rows],
        "page": [row.page for row in rows],
        "recover": [row.recover for row in rows],
    }
    drawn = ((name, sparkline(name, values)) for name, values in series.items())
    return [(name, picture) for name, picture in drawn if picture]
