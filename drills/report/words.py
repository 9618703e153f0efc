"""How a report says times, places in time and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from drills.record import EventKind, Record, Verdict
from drills.scenario import Judge, Measure
from drills.subject import Kind

NOT_MEASURED = "not measured in this drill"
NOTHING = "\N{EN DASH}"
"""In a table, where there is nothing to say."""
_MINUS = "\N{MINUS SIGN}"

VERDICTS: Mapping[Verdict, str] = MappingProxyType(
    {Verdict.PASS: "Passed", Verdict.FAIL: "Failed", Verdict.ABORTED: "Aborted"}
)
JUDGES: Mapping[Judge, str] = MappingProxyType(
    {
        Judge.NO_IMPACT: "It passes when no verifier refuses any token and nobody is paged.",
        Judge.AS_PREDICTED: "It passes when every verifier does what was predicted.",
        Judge.DETECTED: "It passes when the probes give the expected reason and owner; verifiers are watched only.",
    }
)
MEASURES: Mapping[Measure, tuple[str, str]] = MappingProxyType(
    {
        Measure.ACCEPT: ("T_accept", "until a verifier accepts tokens of the new key"),
        Measure.REJECT: ("T_reject", "until a verifier refuses tokens of the removed key"),
        Measure.OUTAGE: ("T_outage", "until a verifier without a key set refuses tokens of a key that it knew"),
    }
)
"""Name and meaning of each time."""
KINDS: Mapping[Kind, str] = MappingProxyType({Kind.CANARY: "real", Kind.EMULATED: "emulated"})
EVENTS: Mapping[EventKind, str] = MappingProxyType(
    {
        EventKind.PHASE: "phase",
        EventKind.MOVE: "move",
        EventKind.VERIFIER: "verifier",
        EventKind.SIGHTING: "probe",
        EventKind.ALERT: "alert",
        EventKind.NOTE: "note",
    }
)

_NOTHING_BELOW = 0.05
_TENTHS_BELOW = 100.0
_SECONDS_BELOW = 7200.0


def span(seconds: float) -> str:
    """A length of time as it is said: 0.4 s, 4.2 s, 62.3 s, 2 min 5 s, 3 h 10 min."""
    sign, size = (_MINUS if seconds < 0 else "", abs(seconds))
    if size < _NOTHING_BELOW:
        return "0 s"
    if size < _TENTHS_BELOW:
        return f"{sign}{size:.1f}".removesuffix(".0") + " s"
    large, small, length = ("min", "s", 60) if size < _SECONDS_BELOW else ("h", "min", 3600)
    whole, rest = divmod(round(size / (length / 60)), 60)
    return f"{sign}{whole} {large}" + (f" {rest} {small}" if rest else "")


def within(seconds: float | None) -> str:
    """For what did not come while it was looked for; None: nobody looked."""
    return NOT_MEASURED if seconds is None else f"never, within {span(max(seconds, 0.0))}"


def first_move(record: Record) -> datetime | None:
    """When the provider was changed first; None when it never was."""
    return min((event.at for event in record.events if event.kind is EventKind.MOVE), default=None)


def since(record: Record, at: datetime) -> float:
    """Seconds from the report's zero: the start of the clock, and of the drill where there is none."""
    return (at - (record.clock_started or record.started)).total_seconds()


def after(seconds: float) -> str:
    """A place in time beside the report's zero: +4.2 s."""
    text = span(seconds)
    return text if text.startswith((_MINUS, "0 ")) else f"+{text}"


def day_and_time(at: datetime) -> str:
    """For people, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def time_of_day(at: datetime) -> str:
    """For people, in UTC, where the day is known."""
    return at.astimezone(UTC).strftime("%H:%M:%S")
