"""What the answers of one verifier add up to: the times that were measured, the curve, and what it said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from drills.record import Point
from drills.scenario import ASKED, Generation, Measure
from drills.subject import Sample

MOST_POINTS = 400
_MOST_REFUSALS = 8
_NUMBERS = re.compile(r"\d+(\.\d+)?")


def observed(samples: Iterable[Sample], measure: Measure, clock_started: float) -> float | None:
    """Seconds from `clock_started` (POSIX time) until it did what is measured; None when it did not.

    ACCEPT: from when on every NEW token was accepted. REJECT: from when on every OLD one was refused: a verifier with
    several caches flaps in between. OUTAGE: the first refusal of an OLD one. Samples after the end of the fault must
    be left out.
    """
    shown = (sample for sample in _in_order(samples) if sample.generation is ASKED[measure])
    asked = [sample for sample in shown if sample.at >= clock_started]
    wished = measure is Measure.ACCEPT
    if measure is Measure.OUTAGE:
        first = next((sample for sample in asked if not sample.ok), None)
    else:
        first = _since_the_last([sample for sample in asked if sample.ok is not wished], asked)
    return None if first is None else first.at - clock_started


def recovered(samples: Sequence[Sample], healed: float) -> float | None:
    """Seconds from `healed` (POSIX time) until it accepted every token again.

    None when it never refused one, or never did accept again. Tokens of keys that were taken away must be left out.
    """
    refused = [sample for sample in _in_order(samples) if not sample.ok]
    if not refused:
        return None
    after = [sample for sample in _in_order(samples) if sample.at >= healed]
    first = _since_the_last([sample for sample in refused if sample.at >= healed], after)
    return None if first is None else first.at - healed


def points(samples: Iterable[Sample], clock_started: float) -> tuple[Point, ...]:
    """The curve, in order. Every change is kept; of what does not change, as much as `MOST_POINTS` have room for."""
    chosen: list[Sample] = []
    in_order = _in_order(samples)
    for generation in Generation:
        chosen += _thinned([sample for sample in in_order if sample.generation is generation], MOST_POINTS // 2)
    return tuple(Point(sample.at - clock_started, sample.generation, sample.ok) for sample in _in_order(chosen))


def refusals(samples: Iterable[Sample]) -> tuple[str, ...]:
    """What it said when it refused, each once: texts that differ in numbers alone count as one."""
    said: dict[str, str] = {}
    for sample in _in_order(samples):
        if sample.error:
            said.setdefault(_NUMBERS.sub("0", sample.error), sample.error)
    return tuple(said.values())[:_MOST_REFUSALS]


def _in_order(samples: Iterable[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: sample.at)


def _since_the_last(against: Sequence[Sample], asked: Sequence[Sample]) -> Sample | None:
    """The first answer after the last one that was otherwise."""
    since = against[-1].at if against else float("-inf")
    return next((sample for sample in asked if sample.at > since), None)


def _thinned(samples: Sequence[Sample], most: int) -> list[Sample]:
    if len(samples) <= most:
        return list(samples)
    kept = {0, len(samples) - 1}
    for index, (one, other) in enumerate(pairwise(samples)):
        if one.ok is not other.ok:
            kept |= {index, index + 1}
    room = max(0, most - len(kept))
    kept |= {round(step * (len(samples) - 1) / room) for step in range(room)} if room else set()
    return [samples[index] for index in sorted(kept)]
