"""Reads and writes durations in Prometheus notation: `30s`, `5m`, `1h30m`, `7d`."""

from __future__ import annotations

import re

# Largest first: the order in which the notation wants them.
_UNITS: tuple[tuple[str, float], ...] = (
    ("y", 31_536_000.0),
    ("w", 604_800.0),
    ("d", 86_400.0),
    ("h", 3_600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("ms", 0.001),
)
_WRITTEN = frozenset({"d", "h", "m", "s", "ms"})  # "30d" reads better than "4w2d"
_DIGITS = 12  # more digits in one unit are a mistake, and a bound on what int() is given

_DURATION = re.compile("".join(rf"(?:([0-9]{{1,{_DIGITS}}}){unit})?" for unit, _ in _UNITS))


def parse_duration(text: str) -> float:
    """Seconds. Raises ValueError for anything but Prometheus notation
    (https://prometheus.io/docs/prometheus/latest/configuration/configuration/, `<duration>`)."""
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError("not a duration")
    return sum(int(digits) * seconds for digits, (_, seconds) in zip(match.groups(), _UNITS, strict=True) if digits)


def format_duration(seconds: float) -> str:
    """The shortest notation down to milliseconds: 90.0 is `1m30s`, 0 is `0s`."""
    left = round(seconds * 1000)
    parts = []
    for unit, length in _UNITS:
        if unit in _WRITTEN:
            count, left = divmod(left, round(length * 1000))
            if count:
                parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
