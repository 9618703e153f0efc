"""The four large figures of a report: time to detect, to page and to recover, and verifiers as predicted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from drills.record import Record
from drills.report.reading import agrees, asked, stays_out
from drills.report.words import NOT_MEASURED, first_move, span, within
from drills.scenario import Judge


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the large numbers at the top."""

    name: str
    value: str
    note: str
    good: bool | None = None
    """None: neither good nor bad in itself."""


_MOST_NAMES = 3
_AGREED: Mapping[Judge, tuple[str, str]] = MappingProxyType(
    {
        Judge.NO_IMPACT: ("Verifiers without impact", "they refused no token"),
        Judge.AS_PREDICTED: ("Verifiers as predicted", "what was observed agrees with what was predicted"),
        Judge.DETECTED: ("Verifiers as predicted", "they are watched, not judged, in this scenario"),
    }
)


def figures(record: Record) -> tuple[Figure, ...]:
    """The four of a drill."""
    return tuple(_figures(record))


def _figures(record: Record) -> Iterator[Figure]:
    moved = _moved_for(record)
    calm = record.judge is Judge.NO_IMPACT
    detect = record.detect_seconds
    yield Figure(
        "Time to detect",
        "nothing to detect" if calm and detect is None else _time(detect, moved),
        "from the first move until a probe saw it",
        None if detect is not None or moved is None else calm,
    )
    looked = record.alerts.looked
    yield Figure(
        "Time to page",
        _paged(record, moved),
        "from the first move until an alert paged" if looked else "nobody looked at alerts",
        None,
    )
    yield _recovery(record)
    seen = [agrees(record, verifier) for verifier in record.verifiers if asked(record, verifier)]
    ok, all_ = sum(seen), len(seen)
    name, note = _AGREED[record.judge]
    shown = f"{ok} of {all_}" if all_ else NOT_MEASURED
    yield Figure(name, shown, note, ok == all_ if all_ and record.judge is not Judge.DETECTED else None)


def _paged(record: Record, moved: float | None) -> str:
    if record.page_seconds is None and record.alerts.looked and record.judge is Judge.NO_IMPACT:
        return "no page, as wanted"
    if record.page_seconds is None and record.alerts.not_judged:
        return "not judged"
    return _time(record.page_seconds, moved if record.alerts.looked else None)


def _recovery(record: Record) -> Figure:
    note = "from the end of the fault until every verifier accepted every token"
    if record.recover_seconds is not None:
        return Figure("Time to recover", span(record.recover_seconds), note)
    if first_move(record) is None:
        return Figure("Time to recover", "nothing to recover", "the provider was not changed")
    if record.healed is None:
        return Figure("Time to recover", "not recovered", "the fault was never seen to end", False)
    out = [verifier.name for verifier in record.verifiers if stays_out(verifier)]
    if not out:
        return Figure("Time to recover", "nothing to recover", "no verifier refused a valid token")
    return Figure("Time to recover", "not all recovered", f"refused to the end: {_names(out)}", False)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _moved_for(record: Record) -> float | None:
    """Seconds in which something could be seen; None when the provider was never changed."""
    moved = first_move(record)
    return None if moved is None else ((record.healed or record.ended) - moved).total_seconds()


def _time(seconds: float | None, looked_for: float | None) -> str:
    return within(looked_for) if seconds is None else span(seconds)
