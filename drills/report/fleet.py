"""The picture of the whole fleet: which share of the verifiers accepts each token, beside the predicted share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from markupsafe import Markup

from drills.record import Record
from drills.report import svg
from drills.report.axis import Axis, axis
from drills.report.curves import asked, healed, scale_of, window
from drills.report.reading import fault_ended
from drills.report.timeline import NARROW, WIDE
from drills.scenario import Generation, Measure

_TOP, _HEIGHT = 10.0, 110.0
_APART = 14.0  # pixels between two labels

_ACCEPTED: Mapping[Measure, Callable[[float | None, float], bool]] = MappingProxyType(
    {
        Measure.ACCEPT: lambda time, now: time is not None and time <= now,
        Measure.REJECT: lambda time, now: time is None or time > now,
        Measure.OUTAGE: lambda time, now: time is None or time > now,
    }
)
Steps = Sequence[tuple[float, float]]


def fleet(record: Record, width: float = WIDE) -> Markup:
    """The picture, for so many pixels; empty when nobody was asked anything."""
    if not asked(record):
        return Markup()
    scale = scale_of(record, width) if width > NARROW else axis(*window(record), 40.0, width - 112.0)
    lines = {f"{generation} token": (generation.value, shares(record, generation)) for generation in asked(record)}
    if record.measure:
        lines["predicted"] = ("expected", predicted_shares(record))
    ended = fault_ended(record)
    ends = {class_: scale.end for class_, _ in lines.values()}
    ends["expected"] = scale.end if ended is None else ended
    drawn = (element for class_, steps in lines.values() for element in _line(scale, class_, steps, ends[class_]))
    body = (
        *healed(record, scale, _TOP, _TOP + _HEIGHT),
        *scale.grid(_TOP, _TOP + _HEIGHT),
        *_levels(scale),
        *drawn,
        *_ends(scale, lines),
    )
    return svg.picture(width, _TOP + _HEIGHT + 20, in_words(record), (*body, *scale.names(_TOP + _HEIGHT + 15)))


def shares(record: Record, generation: Generation) -> Steps:
    """Seconds and the share of those verifiers that had been asked by then and accepted it when asked last."""
    points = [
        (point.seconds, number, point.ok)
        for number, verifier in enumerate(record.verifiers)
        for point in verifier.curve
        if point.generation is generation
    ]
    states: dict[int, bool] = {}
    steps: dict[float, float] = {}
    for seconds, number, ok in sorted(points):
        states[number] = ok
        steps[seconds] = sum(states.values()) / len(states)
    # In the first round the verifiers answer one by one: what the first of them says is not yet a share.
    ready = min((seconds for seconds, _, _ in points), default=0.0) + record.poll
    settled = [(seconds, share) for seconds, share in steps.items() if seconds >= ready]
    return settled or list(steps.items())[-1:]


def predicted_shares(record: Record) -> Steps:
    """The same as it was predicted for the token that shows the measured time, from the clock's start on."""
    measure = record.measure
    if measure is None or not record.verifiers:
        return []
    times = [verifier.predicted.of(measure) for verifier in record.verifiers]
    ended = fault_ended(record)
    moments = sorted({0.0, *(time for time in times if time is not None and (ended is None or time < ended))})
    return [(now, sum(_ACCEPTED[measure](time, now) for time in times) / len(times)) for now in moments]


def in_words(record: Record) -> str:
    """What the picture shows, in a sentence for each token."""
    end = fault_ended(record)
    sentences = []
    for generation in asked(record):
        steps = [step for step in shares(record, generation) if end is None or step[0] <= end]
        if steps:
            least = min(share for _, share in steps)
            sentences.append(
                f"The {generation} token was accepted by {steps[-1][1]:.0%} of the verifiers when the fault ended"
                + (f", and by {least:.0%} at the least." if least < steps[-1][1] else ".")
            )
    return " ".join(sentences)


def _y(share: float) -> float:
    return _TOP + _HEIGHT * (1 - share)


def _levels(scale: Axis) -> Iterator[Markup]:
    for share in (0.0, 0.5, 1.0):
        yield svg.line(scale.left, _y(share), scale.right, _y(share), "grid")
        yield svg.text(scale.left - 6, _y(share) + 4, f"{share:.0%}", "tick", "end")


def _line(scale: Axis, class_: str, steps: Steps, end: float) -> Iterator[Markup]:
    if not steps:
        return
    points = [(scale.x(steps[0][0]), _y(steps[0][1]))]
    for (_, old), (seconds, new) in pairwise(steps):
        if new != old and seconds <= scale.end:
            points += [(scale.x(seconds), _y(old)), (scale.x(seconds), _y(new))]
    yield svg.path((*points, (scale.x(end), points[-1][1])), f"share {class_}")


def _ends(scale: Axis, lines: Mapping[str, tuple[str, Steps]]) -> Iterator[Markup]:
    """A name at the end of each line, moved apart where lines end together."""
    last = {
        name: (class_, shown[-1][1])
        for name, (class_, steps) in lines.items()
        if (shown := [step for step in steps if step[0] <= scale.end])
    }
    y = -_APART
    for name, (class_, share) in sorted(last.items(), key=lambda item: -item[1][1]):
        y = max(y + _APART, _y(share) + 4)
        yield svg.text(scale.right + 8, y, name, f"end {class_}")
