"""What a ledger says about rotations: how long a key was published before it signed and after it stopped, and its age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from probes.ledger import KeyRecord, KeyState, Ledger, Use, states_of

_LATELY = 3.0  # lifetimes of its tokens after the last one, in which a key counts as used lately
_LATELY_AT_LEAST = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Lead:
    """Time from a key's publication in every region to its first token, in seconds, never below 0.

    We look now and then, so `seconds` is what was seen, and the truth is at most `at_most`, but for the time that the
    first token went unseen.
    """

    seconds: float
    at_most: float


def lead_of(ledger: Ledger, record: KeyRecord) -> Lead | None:
    """None when it cannot be known: no token yet, or nobody saw the key appear."""
    use = record.use
    if use is None:
        return None
    if any(watch.last >= use.first and region not in record.sights for region, watch in ledger.watches.items()):
        return Lead(0.0, 0.0)  # it signs, and that region has looked since and has never seen it
    appeared = [(sight.first, sight.after) for sight in record.sights.values() if sight.after is not None]
    if not appeared:
        return None
    first, after = max(first for first, _ in appeared), max(after for _, after in appeared)
    return Lead(_seconds(after=first, before=use.first), _seconds(after=after, before=use.first))


def last_lead(ledger: Ledger, *, drill: bool = False) -> float | None:
    """The lead of the key that was last taken into use, in seconds; None when none is known.

    What happened during a drill counts only when `drill` is set.
    """
    used = [
        (record.use.first, record)
        for record in ledger.keys.values()
        if record.use is not None and (drill or not record.use.drill)
    ]
    for _, record in sorted(used, key=lambda entry: entry[0], reverse=True):
        lead = lead_of(ledger, record)
        if lead is not None:
            return lead.seconds
    return None


def last_overlap(ledger: Ledger, *, drill: bool = False) -> float | None:
    """Seconds from the last token of the key that was last removed to the last sight of it; None before any removal.

    Of several regions the one counts where it left first. What happened during a drill counts only when `drill` is set.
    """
    known = [
        (max(gone), _seconds(after=record.use.last, before=min(last)))
        for record in ledger.keys.values()
        if record.use is not None and not record.exposed
        for gone, last in [_departures(record, drill)]
        if gone
    ]
    return max(known)[1] if known else None


def active_age(ledger: Ledger, now: datetime) -> float | None:
    """Seconds since the oldest signing key was first seen: at least its age; None when no token was seen."""
    states = states_of(ledger)
    seen = [record.first_seen for name, record in ledger.keys.items() if states[name] is KeyState.ACTIVE]
    return max((_seconds(after=first, before=now) for first in seen if first is not None), default=None)


def longest_lifetime(ledger: Ledger, now: datetime) -> float:
    """Seconds, of the tokens that were seen lately: a key of last year says nothing of the tokens of today."""
    uses = [record.use for record in ledger.keys.values() if record.use is not None]
    return max((use.lifetime for use in uses if _lately(use, now)), default=0.0)


def _lately(use: Use, now: datetime) -> bool:
    return _seconds(after=use.last, before=now) <= max(_LATELY * use.lifetime, _LATELY_AT_LEAST)


def _departures(record: KeyRecord, drill: bool) -> tuple[list[datetime], list[datetime]]:
    """When it was found gone and when it was last there, for each region that it has left."""
    left = [
        (sight.gone, sight.last)
        for sight in record.sights.values()
        if sight.gone is not None and (drill or not sight.drill)
    ]
    return [gone for gone, _ in left], [last for _, last in left]


def _seconds(*, after: datetime, before: datetime) -> float:
    return max((before - after).total_seconds(), 0.0)
