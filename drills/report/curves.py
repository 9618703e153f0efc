"""The picture of what each verifier said over time, one row for each, beside what was predicted of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from drills.record import Point, Record, VerifierRecord
from drills.report import svg
from drills.report.axis import Axis, axis
from drills.report.reading import fault_ended
from drills.report.timeline import NARROW, WIDE
from drills.report.verifier_rows import judged, observed_text, predicted_text, well
from drills.report.words import KINDS, span
from drills.scenario import ASKED, Generation, Measure

_MANY = 20  # verifiers from which rows are lower
_NAMES_AGAIN = 8  # rows from which the seconds are named at the top as well
_LEAD = 0.2  # share of the picture that the time before the clock may take while nothing happens in it
_SIZE = 12.0
_LEFT, _RIGHT = 222.0, 208.0  # pixels of the names, and of the numbers
_NAME = 182.0
_BOLD = 1.1  # times as wide as a text is otherwise


@dataclass(frozen=True, slots=True)
class _Row:
    """Where the parts of one row are, in pixels."""

    wide: bool
    band: float
    generations: tuple[Generation, ...]

    @property
    def top(self) -> float:
        """Above the bands: room for the predicted time's mark, and on a phone for the name."""
        return 10.0 if self.wide else 30.0

    @property
    def height(self) -> float:
        return self.top + len(self.generations) * (self.band + 3) + 12

    def y(self, generation: Generation) -> float:
        return self.top + self.generations.index(generation) * (self.band + 3)


def window(record: Record) -> tuple[float, float]:
    """The seconds that the curves show: of the calm before the clock no more than a little."""
    points = [point for verifier in record.verifiers for point in verifier.curve]
    end = max((point.seconds for point in points), default=0.0) + record.poll
    start = min((point.seconds for point in points), default=0.0)
    calm = max(start, min(-_LEAD * max(end, 0.0), -record.poll))
    troubled = min((point.seconds for point in points if not point.ok), default=0.0)
    return min(calm, troubled - record.poll if troubled < 0 else 0.0), end


def asked(record: Record) -> tuple[Generation, ...]:
    """The tokens that any verifier was asked about, the new one first."""
    seen = {point.generation for verifier in record.verifiers for point in verifier.curve}
    return tuple(generation for generation in (Generation.NEW, Generation.OLD) if generation in seen)


def scale_of(record: Record, width: float) -> Axis:
    """The seconds of the curves, between the names and the numbers of a picture so wide."""
    wide = width > NARROW
    return axis(*window(record), _LEFT if wide else 32.0, width - (_RIGHT if wide else 8.0))


def curves(record: Record, width: float = WIDE) -> Markup:
    """The picture, for so many pixels; empty when nobody was asked anything."""
    generations = asked(record)
    if not generations:
        return Markup()
    wide = width > NARROW
    few = len(record.verifiers) <= _MANY
    row = _Row(wide, (11.0 if few else 7.0), generations)
    scale = scale_of(record, width)
    top = 20.0 if len(record.verifiers) >= _NAMES_AGAIN else 2.0
    bottom = top + row.height * len(record.verifiers)
    body = [*healed(record, scale, top, bottom), *scale.grid(top, bottom), *(scale.names(12.0) if top > 2 else ())]
    for number, verifier in enumerate(record.verifiers):
        body += _row(record, verifier, row, scale, top + number * row.height)
    return svg.picture(width, bottom + 20, _said(record), (*body, *scale.names(bottom + 14)))


def healed(record: Record, scale: Axis, top: float, bottom: float) -> Iterator[Markup]:
    """The time after the end of the fault."""
    ended = fault_ended(record)
    if ended is not None and ended < scale.end:
        left = scale.x(ended)
        yield svg.box(left, top, scale.right - left, bottom - top, "healed", f"the fault was over after {span(ended)}")


def _said(record: Record) -> str:
    return f"Answers of {len(record.verifiers)} verifiers over {span(window(record)[1])}; the next table has the times"


def _row(record: Record, verifier: VerifierRecord, row: _Row, scale: Axis, y: float) -> Iterator[Markup]:
    right = scale.right + (_RIGHT if row.wide else 8.0)
    yield svg.box(
        0.0, y + 1, right, row.height - 2, "row bad" if well(record, verifier) is False else "row", verifier.said
    )
    yield from _names(verifier, row, scale, y)
    for generation in row.generations:
        points = sorted((p for p in verifier.curve if p.generation is generation), key=lambda point: point.seconds)
        top = y + row.y(generation)
        if row.band > _SIZE * 0.6:
            yield svg.text(scale.left - 5, top + row.band - 2, generation.value, "tick", "end")
        for start, end, ok in runs(points, record.poll):
            if end >= scale.start:
                yield _band(scale, start, end, ok, top, row.band)
    if record.measure:
        yield from _times(verifier, record.measure, row, scale, y)
    yield from _numbers(record, verifier, row, scale, y)


def runs(points: Sequence[Point], poll: float) -> Iterator[tuple[float, float, bool]]:
    """Stretches of the same answer, as start and end in seconds and the answer; the last one holds for a poll."""
    for number, point in enumerate(points):
        if number and points[number - 1].ok == point.ok:
            continue
        changed = (later.seconds for later in points[number:] if later.ok != point.ok)
        yield point.seconds, next(changed, points[-1].seconds + poll), point.ok


def _band(scale: Axis, start: float, end: float, ok: bool, y: float, height: float) -> Markup:
    """High while it accepts, low while it refuses: the colour is not needed to tell."""
    left, right = scale.x(start), scale.x(end)
    said = f"{'accepts' if ok else 'refuses'} from {span(start)} to {span(end)}"
    low = max(3.0, height * 0.3)
    return svg.box(left, y if ok else y + height - low, max(right - left, 1.0), height if ok else low,
                   "accepts" if ok else "refuses", said)  # fmt: skip


def _names(verifier: VerifierRecord, row: _Row, scale: Axis, y: float) -> Iterator[Markup]:
    what = " ".join(filter(None, (KINDS[verifier.kind], verifier.language, verifier.version)))
    if row.wide:
        size, class_ = (13.0, "name") if svg.width_of(verifier.name, 13.0 * _BOLD) <= _NAME else (11.0, "name long")
        yield svg.text(8.0, y + row.height / 2 - 2, svg.cut(verifier.name, _NAME, size * _BOLD), class_)
        yield svg.text(8.0, y + row.height / 2 + 11, svg.cut(what, 180.0, 11.0), "tick")
    else:
        yield svg.text(8.0, y + 16, svg.cut(verifier.name, scale.right * 0.42, 13.0 * _BOLD), "name")


def _times(verifier: VerifierRecord, measure: Measure, row: _Row, scale: Axis, y: float) -> Iterator[Markup]:
    """The bound as a line, the predicted time above the band of its token and the observed one below it."""
    predicted, bound = verifier.predicted.of(measure), verifier.bounds.of(measure)
    observed = verifier.observed.of(measure)
    top = y + row.y(ASKED[measure]) if ASKED[measure] in row.generations else y + row.top
    under = top + row.band
    if bound is not None and scale.shows(bound):
        yield svg.line(scale.x(bound), top - 4, scale.x(bound), under + 4, "bound")
    if predicted is not None and scale.shows(predicted):
        yield predicted_sign(scale.x(predicted), top, f"predicted {span(predicted)}")
    if observed is not None and scale.shows(observed):
        yield observed_sign(scale.x(observed), under, f"observed {span(observed)}")


def predicted_sign(x: float, y: float, said: str) -> Markup:
    """Points down at the band."""
    return svg.shape(((x, y), (x + 5, y - 8), (x - 5, y - 8)), "predicted", said)


def observed_sign(x: float, y: float, said: str) -> Markup:
    """Points up at the band."""
    return svg.shape(((x, y), (x + 5, y + 8), (x - 5, y + 8)), "observed", said)


def _numbers(record: Record, verifier: VerifierRecord, row: _Row, scale: Axis, y: float) -> Iterator[Markup]:
    judgement = "numbers bad" if well(record, verifier) is False else "numbers"
    if row.wide:
        left, middle = scale.right + 12, y + row.height / 2
        observed = observed_text(record, verifier)
        observed = observed if observed[:1].isalpha() or not record.measure else f"observed {observed}"
        yield svg.text(left, middle - 2, svg.cut(observed, 192.0, _SIZE * _BOLD), judgement)
        predicted = f"predicted {predicted_text(record, verifier)} · " if record.measure else ""
        yield svg.text(
            left,
            middle + 11,
            svg.cut(predicted + judged(record, verifier), 194.0, 11.0 * _BOLD),
            "tick bad" if well(record, verifier) is False else "tick",
        )
    else:
        words = f"{observed_text(record, verifier)} · {judged(record, verifier)}"
        yield svg.text(scale.right, y + 16, svg.cut(words, scale.right * 0.52, 11.0 * _BOLD), judgement, "end")
