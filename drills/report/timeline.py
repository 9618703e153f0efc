"""The picture of a drill's course: its phases as bands, and what happened as marks that name themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from markupsafe import Markup

from drills.record import EventKind, Phase, Record
from drills.report import svg
from drills.report.axis import Axis, axis
from drills.report.words import after, since, span

WIDE, NARROW = 900.0, 360.0
_LEFT = 78.0  # of the lanes' names, where there is room for them
_ROW, _BAND, _GAP = 19.0, 24.0, 10.0
_ROWS = 7  # of labels in a lane; what finds no place in them is in the list below the picture
_SIZE, _SIGN = 12.0, 12.0
_LONGEST = 0.72  # share of the picture that a label takes at most
_CLOSE = 20.0  # pixels within which verifiers that do the same thing share a label

_LANES: Mapping[EventKind, str] = MappingProxyType(
    {
        EventKind.MOVE: "moves",
        EventKind.VERIFIER: "verifiers",
        EventKind.SIGHTING: "probes",
        EventKind.ALERT: "alerts",
        EventKind.NOTE: "notes",
    }
)


@dataclass(slots=True)
class _Mark:
    """What is drawn for one event, or for several that are alike."""

    seconds: float
    who: str
    does: str
    more: int = 0

    @property
    def label(self) -> str:
        others = f" and {self.more} more:" if self.more else ""
        return f"{after(self.seconds)} · {self.who}{others} {self.does}".strip()


@dataclass(slots=True)
class _Lane:
    """Rows of labels, each with the pixels that are taken."""

    kind: EventKind
    placed: list[tuple[_Mark, int, float, str, str]] = field(default_factory=list)
    """Mark, row, x of the label, its anchor and its text."""
    left_out: list[_Mark] = field(default_factory=list)
    rows: int = 0


def timeline(record: Record, width: float = WIDE) -> Markup:
    """The picture, for so many pixels."""
    wide = width > NARROW
    start, end = since(record, record.started), since(record, record.ended)
    scale = axis(start, end, _LEFT if wide else 8.0, width - 14.0)
    lanes = [_lane(record, kind, scale) for kind in _LANES if any(event.kind is kind for event in record.events)]
    body, y = list(_phases(record, scale)), _BAND + _GAP
    for lane in lanes:
        y += 0.0 if wide else _ROW - 2
        body += _drawn(lane, scale, y, wide)
        y += (lane.rows + bool(lane.left_out)) * _ROW + _GAP
    grid = scale.grid(_BAND, y)
    return svg.picture(width, y + 18, _said(record), (*grid, *body, *scale.names(y + 13)))


def _said(record: Record) -> str:
    length = span((record.ended - record.started).total_seconds())
    return f"Timeline of the drill: {length}, with {len(record.events)} events, which are listed below in words"


def _phases(record: Record, scale: Axis) -> Iterator[Markup]:
    starts = sorted((since(record, event.at), event.text) for event in record.events if event.kind is EventKind.PHASE)
    for (seconds, words), (end, _) in pairwise((*starts, (since(record, record.ended), ""))):
        left, right = scale.x(seconds), scale.x(end)
        known = words if words in _PHASES else "other"
        yield svg.box(left, 0.0, right - left, _BAND, f"phase {known}", f"{words}: {after(seconds)} to {after(end)}")
        if svg.width_of(words, _SIZE) + 8 <= right - left:
            yield svg.text((left + right) / 2, 16.0, words, "band", "middle")


_PHASES = frozenset(Phase)


def _lane(record: Record, kind: EventKind, scale: Axis) -> _Lane:
    lane = _Lane(kind)
    taken: list[list[tuple[float, float]]] = []
    for mark in _marks(record, kind, scale):
        x = scale.x(mark.seconds)
        left, right, anchor, words = _label(mark.label, x, scale)
        row = next((row for row, spans in enumerate(taken) if _free(spans, left, right)), len(taken))
        if row == _ROWS:
            lane.left_out.append(mark)
            continue
        if row == len(taken):
            taken.append([])
        taken[row].append((left, right))
        lane.placed.append((mark, row, x + (9 if anchor == "start" else -9), anchor, words))
    lane.rows = len(taken)
    return lane


def _label(words: str, x: float, scale: Axis) -> tuple[float, float, str, str]:
    """To the right of the mark, or to the left where the picture ends; cut where it fits on neither side."""
    before, behind = x - _SIGN - scale.left + 8, scale.right + _SIGN - x - _SIGN
    words = svg.cut(words, (scale.right - scale.left) * _LONGEST, _SIZE)
    long = svg.width_of(words, _SIZE)
    if long <= behind or (long > before and behind >= before):
        words = svg.cut(words, behind, _SIZE)
        return x - _SIGN / 2, x + _SIGN + min(long, behind), "start", words
    words = svg.cut(words, before, _SIZE)
    return x - _SIGN - min(long, before), x + _SIGN / 2, "end", words


def _free(spans: Sequence[tuple[float, float]], left: float, right: float) -> bool:
    return all(right <= start or end <= left for start, end in spans)


def _marks(record: Record, kind: EventKind, scale: Axis) -> list[_Mark]:
    marks: list[_Mark] = []
    newest: dict[str, _Mark] = {}
    for event in sorted(record.events, key=lambda event: event.at):
        if event.kind is not kind:
            continue
        seconds = since(record, event.at)
        if kind is not EventKind.VERIFIER:
            marks.append(_Mark(seconds, event.text, ""))
            continue
        who, _, does = event.text.partition(" ")
        alike = newest.get(does)
        if alike and scale.x(seconds) - scale.x(alike.seconds) <= _CLOSE:
            alike.more += 1
        else:
            newest[does] = _Mark(seconds, who, does)
            marks.append(newest[does])
    return marks


def _drawn(lane: _Lane, scale: Axis, y: float, wide: bool) -> Iterator[Markup]:
    name = _LANES[lane.kind]
    yield svg.text(0.0, y + 13 if wide else y - 4, name, "lane")
    for mark, row, x, anchor, words in lane.placed:
        middle = y + row * _ROW + 9
        yield _sign(lane.kind, scale.x(mark.seconds), middle, mark.label)
        yield svg.text(x, middle + 4, words, "label", anchor)
    if lane.left_out:
        middle = y + lane.rows * _ROW + 9
        yield from (_sign(lane.kind, scale.x(mark.seconds), middle, mark.label) for mark in lane.left_out)
        yield svg.text(scale.left, middle + 4, f"{len(lane.left_out)} more in the list below", "tick")


def _sign(kind: EventKind, x: float, y: float, said: str) -> Markup:
    class_ = f"sign {kind}"
    match kind:
        case EventKind.MOVE:
            return svg.shape(((x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)), class_, said)
        case EventKind.SIGHTING:
            return svg.shape(((x, y - 5), (x + 5, y + 5), (x - 5, y + 5)), class_, said)
        case EventKind.ALERT:
            return svg.box(x - 5, y - 5, 10.0, 10.0, class_, said)
        case _:
            return svg.dot(x, y, 4.5, class_, said)
