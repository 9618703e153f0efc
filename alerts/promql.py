"""Writes numbers, durations and selectors as PromQL, without the noise of binary fractions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from exporters import metrics as m
from exporters.slis import Matcher, Selector

_UNITS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def duration(length: timedelta) -> str:
    """As Prometheus writes it, in the largest unit that divides it: 1h, 90s, 3d."""
    milliseconds = round(length.total_seconds() * 1000)
    return next(f"{milliseconds // size}{unit}" for unit, size in _UNITS if milliseconds % size == 0)


def number(value: Decimal) -> str:
    """Digits without an exponent or trailing zeros: 0.0072, 14.4, 3."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def selected(selector: Selector, more: Iterable[Matcher] = ()) -> Selector:
    """The series of runs in and outside of drills alike, narrowed by `more`: rules keep `drill` as a label."""
    kept = (matcher for matcher in selector.matchers if matcher.label != m.DRILL)
    return replace(selector, matchers=(*kept, *more))
