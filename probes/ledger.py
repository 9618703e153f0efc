"""The key ledger: how each thing that was seen of an issuer's signature keys changes what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from probes.ledger_values import (
    AddressSight,
    Edge,
    Event,
    EventKind,
    ExposureSeen,
    KeyFacts,
    KeyRecord,
    KeyState,
    Ledger,
    Observation,
    SetSeen,
    Sight,
    TokenSeen,
    UnknownKidSeen,
    Unpublished,
    Use,
    Watch,
    shown,
    signature_keys,
)

__all__ = [
    "ADDRESSES_KEPT",
    "EARLIER_KEPT",
    "KEPT",
    "UNPUBLISHED_KEPT",
    "AddressSight",
    "Edge",
    "Event",
    "EventKind",
    "ExposureSeen",
    "KeyFacts",
    "KeyRecord",
    "KeyState",
    "Ledger",
    "Observation",
    "SetSeen",
    "Sight",
    "TokenSeen",
    "UnknownKidSeen",
    "Unpublished",
    "Use",
    "Watch",
    "observe",
    "signature_keys",
    "state_of",
    "states_of",
    "watching",
]

K = TypeVar("K")
V = TypeVar("V")

KEPT = 400
"""Keys that a ledger holds, the newest: a provider that invents a key for each answer fills no disk."""
ADDRESSES_KEPT = 32
"""Addresses that a key is remembered at, the newest: content networks use others every day."""
UNPUBLISHED_KEPT = 8
"""Kids in no key set that a ledger remembers, the newest."""
EARLIER_KEPT = 8
"""Former kids of a key that are remembered, the newest."""
_QUIET = 3.0  # intervals: what happened while nobody looked for longer has no known time
_PAUSE = timedelta(minutes=10)  # nodes that sign with keys in turn are no news with every token
_DISORDER = timedelta(minutes=5)  # runs overlap, and tell at their end what they saw at their beginning
_ADDRESSES_OUTLIVE = timedelta(days=1)  # a key's addresses are shown that long after it left: who had it last?
_FADING = 3.0  # lifetimes of a token until one that nobody issues any more is forgotten
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def observe(ledger: Ledger, seen: Observation) -> tuple[Ledger, tuple[Event, ...]]:
    """The ledger with one more observation in it, and what that observation was the first to show.

    Records that it does not concern stay the same objects.
    """
    ledger = _without_the_future(ledger, seen.at)
    match seen:
        case SetSeen():
            changed, events = _with_set(ledger, seen)
        case TokenSeen():
            changed, events = _with_token(ledger, seen)
        case UnknownKidSeen():
            changed, events = _with_unknown_kid(ledger, seen), []
        case ExposureSeen():
            changed, events = _with_exposure(ledger, seen)
    return replace(changed, keys=_newest(changed.keys)), tuple(events)


def state_of(ledger: Ledger, record: KeyRecord) -> KeyState:
    """Where a key of this ledger is in its life, as of the last observation."""
    return _state(record, watching(ledger), _last_uses(ledger))


def states_of(ledger: Ledger) -> Mapping[str, KeyState]:
    """The states of all keys, by thumbprint."""
    looking, uses = watching(ledger), _last_uses(ledger)
    return {thumbprint: _state(record, looking, uses) for thumbprint, record in ledger.keys.items()}


def watching(ledger: Ledger) -> frozenset[str]:
    """The regions that still look: one that has left the configuration keeps no key alive."""
    newest = max((watch.last for watch in ledger.watches.values()), default=None)
    return frozenset(
        region
        for region, watch in ledger.watches.items()
        if newest is not None and (newest - watch.last).total_seconds() <= _QUIET * watch.interval
    )


def _state(record: KeyRecord, looking: frozenset[str], last_uses: Mapping[str, datetime]) -> KeyState:
    if record.exposed:
        return KeyState.COMPROMISED
    sights = [sight for region, sight in record.sights.items() if region in looking] or list(record.sights.values())
    if sights and all(sight.gone for sight in sights):
        return KeyState.REMOVED
    if record.use is None:
        return KeyState.ANNOUNCED
    replaced = last_uses.get(record.facts.alg, _LONG_AGO) > record.use.last
    return KeyState.RETIRING if replaced else KeyState.ACTIVE


def _last_uses(ledger: Ledger) -> Mapping[str, datetime]:
    """When the newest token of each algorithm was seen."""
    found: dict[str, datetime] = {}
    for record in ledger.keys.values():
        if record.use is not None:
            found[record.facts.alg] = max(record.use.last, found.get(record.facts.alg, _LONG_AGO))
    return found


def _without_the_future(ledger: Ledger, now: datetime) -> Ledger:
    """Corrects times that lie ahead of an observation: the clock was wrong when they were noted, or it is now.

    Otherwise one step of the clock would let a key be the last that signed until the real time gets there.
    """
    latest = now + _DISORDER
    uses = (record.use for record in ledger.keys.values())
    if not (
        any(watch.last > latest for watch in ledger.watches.values())
        or any(use is not None and use.last > latest for use in uses)
    ):
        return ledger
    keys = {thumbprint: _no_later_than(now, record) for thumbprint, record in ledger.keys.items()}
    watches = {region: replace(watch, last=min(watch.last, now)) for region, watch in ledger.watches.items()}
    return replace(ledger, keys=_frozen(keys), watches=_frozen(watches))


def _no_later_than(now: datetime, record: KeyRecord) -> KeyRecord:
    sights = {
        region: replace(
            sight,
            first=min(sight.first, now),
            last=min(sight.last, now),
            after=sight.after if sight.first <= now else None,
            gone=min(sight.gone, now) if sight.gone else None,
        )
        for region, sight in record.sights.items()
    }
    use = record.use and replace(record.use, first=min(record.use.first, now), last=min(record.use.last, now))
    return replace(record, sights=_frozen(sights), use=use)


def _with_set(ledger: Ledger, seen: SetSeen) -> tuple[Ledger, list[Event]]:
    records, events = dict(ledger.keys), list[Event]()
    before = ledger.watches.get(seen.region)
    # Right after a step of the clock back (see `_without_the_future`) nobody knows when the last look was.
    awake = before is not None and 0 < (seen.at - before.last).total_seconds() <= _QUIET * seen.interval
    for facts in seen.keys:
        record = _under_its_name(records.get(facts.thumbprint, KeyRecord(facts)), facts)
        sight = record.sights.get(seen.region)
        if sight is None:
            sight = Sight(seen.at, seen.at, after=before.last if before is not None and awake else None)
            events.append(Event(seen.at, EventKind.PUBLISHED if awake else EventKind.FOUND, facts, seen.region))
        elif sight.gone:
            events.append(Event(seen.at, EventKind.RETURNED, facts, seen.region))
        sight = replace(sight, last=max(sight.last, seen.at), gone=None, drill=False)
        record = replace(record, sights=_frozen({**record.sights, seen.region: sight}))
        records[facts.thumbprint] = _at_addresses(record, seen)
    watches = _frozen({**ledger.watches, seen.region: Watch(seen.at, seen.interval, seen.drill)})
    looking = watching(replace(ledger, watches=watches))
    # What happened between the last fetch of a drill and the next one is the drill's: it cleans up after itself.
    drill = seen.drill or (before is not None and before.drill)
    present = {facts.thumbprint for facts in seen.keys}
    for thumbprint, record in ledger.keys.items():
        if thumbprint in present:
            continue
        sight = record.sights.get(seen.region)
        if sight is not None and sight.gone is None:
            sights = {**record.sights, seen.region: replace(sight, gone=seen.at, drill=drill)}
            record = replace(record, sights=_frozen(sights))
            events.append(Event(seen.at, EventKind.REMOVED, record.facts, seen.region))
        record = _at_addresses(record, seen)
        left = _left(record, looking) if record.addresses else None
        if left is not None and seen.at - left > _ADDRESSES_OUTLIVE:
            record = replace(record, addresses=_frozen({}))
        records[thumbprint] = record
    return replace(ledger, keys=_frozen(records), watches=watches), events


def _under_its_name(record: KeyRecord, facts: KeyFacts) -> KeyRecord:
    """The record with the kid of the newest set, for it is the one that tokens will name."""
    known = record.facts
    if facts.kid == known.kid and (known.alg or not facts.alg):
        return record
    earlier = record.earlier
    if facts.kid != known.kid:
        earlier = (*(kid for kid in earlier if kid not in (facts.kid, known.kid)), known.kid)[-EARLIER_KEPT:]
    return replace(record, facts=replace(known, kid=facts.kid, alg=known.alg or facts.alg), earlier=earlier)


def _left(record: KeyRecord, looking: frozenset[str]) -> datetime | None:
    """When the last region lost it; None while one has it. A region that no longer looks had it at its last look."""
    left = [sight.gone or (None if region in looking else sight.last) for region, sight in record.sights.items()]
    known = [moment for moment in left if moment is not None]
    return max(known) if known and len(known) == len(left) else None


def _at_addresses(record: KeyRecord, seen: SetSeen) -> KeyRecord:
    held: dict[Edge, AddressSight] = {}
    lost: dict[Edge, AddressSight] = {}
    for address, thumbprints in seen.addresses.items():
        edge = (seen.region, address)
        before = record.addresses.get(edge)
        if record.facts.thumbprint in thumbprints:
            held[edge] = AddressSight(before.first if before else seen.at, seen.at)
        elif before is not None and before.gone is None:
            lost[edge] = replace(before, gone=seen.at)
    if not held and not lost:
        return record
    others = [(edge, lost.get(edge, sight)) for edge, sight in record.addresses.items() if edge not in held]
    return replace(record, addresses=_frozen(dict([*others, *held.items()][-ADDRESSES_KEPT:])))


def _with_token(ledger: Ledger, seen: TokenSeen) -> tuple[Ledger, list[Event]]:
    record = ledger.keys.get(seen.key.thumbprint, KeyRecord(seen.key))
    if not record.facts.alg:  # optional in a key set (RFC 7517 §4.4); the token's header has said it
        record = replace(record, facts=replace(record.facts, alg=seen.key.alg))
    lifetime = max((seen.expires - seen.at).total_seconds(), 0.0)
    events = []
    if record.use is None:
        use = Use(seen.at, seen.at, seen.expires, lifetime, seen.drill)
        events = [Event(seen.at, EventKind.SIGNED, record.facts)]
    else:
        paused = seen.at - record.use.last > _PAUSE and state_of(ledger, record) is not KeyState.ACTIVE
        if paused or _followed(ledger, record.facts, record.use.last, seen.at):
            events = [Event(seen.at, EventKind.SIGNED_AGAIN, record.facts)]
        use = replace(
            record.use,
            last=max(record.use.last, seen.at),
            expires=max(record.use.expires, seen.expires),
            lifetime=max(_remembered_lifetime(record.use, seen), lifetime),
        )
    keys = {**ledger.keys, seen.key.thumbprint: replace(record, use=use)}
    return replace(ledger, keys=_frozen(keys)), events


def _followed(ledger: Ledger, key: KeyFacts, since: datetime, until: datetime) -> bool:
    """Whether another key of its algorithm signed for the first time in between: then this is the way back.

    Where nodes sign with keys in turn that is so once for each, and not with every token.
    """
    others = (other for other in ledger.keys.values() if other.facts.alg == key.alg and other.use is not None)
    return any(since < other.use.first <= until for other in others if other.use is not None)


def _remembered_lifetime(use: Use, seen: TokenSeen) -> float:
    """Whole while a token that outlives this one is about; then it fades, as when a provider has shortened it."""
    if seen.expires <= use.expires:
        return use.lifetime
    return use.lifetime - max((seen.at - use.last).total_seconds(), 0.0) / _FADING


def _with_unknown_kid(ledger: Ledger, seen: UnknownKidSeen) -> Ledger:
    kid = shown(seen.kid)
    known = ledger.unpublished.get(kid)
    if known is None or known.expires <= seen.at or (known.drill and not seen.drill):
        note = Unpublished(kid, seen.at, seen.expires, seen.drill)
    else:
        note = replace(known, expires=max(known.expires, seen.expires))
    others = [each for each in ledger.unpublished.values() if each.kid != kid and each.expires > seen.at]
    kept = [*others, note][-UNPUBLISHED_KEPT:]
    return replace(ledger, unpublished=_frozen({each.kid: each for each in kept}))


def _with_exposure(ledger: Ledger, seen: ExposureSeen) -> tuple[Ledger, list[Event]]:
    records, events = dict(ledger.keys), list[Event]()
    for facts in seen.keys:
        record = records.get(facts.thumbprint, KeyRecord(facts))
        if record.exposed is None:
            records[facts.thumbprint] = replace(record, exposed=seen.at)
            events.append(Event(seen.at, EventKind.EXPOSED, facts, seen.region))
    return replace(ledger, keys=_frozen(records)), events


def _newest(keys: Mapping[str, KeyRecord]) -> Mapping[str, KeyRecord]:
    if len(keys) <= KEPT:
        return keys
    by_age = sorted(keys.items(), key=lambda entry: entry[1].last_seen or entry[1].exposed or _LONG_AGO)
    return _frozen(dict(by_age[-KEPT:]))


def _frozen(values: Mapping[K, V]) -> Mapping[K, V]:
    return MappingProxyType(dict(values))
