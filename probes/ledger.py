"""The key ledger: what was seen of an issuer's signature keys, in key sets and in tokens, as values and one function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from probes.keys import Key

Edge = tuple[str, str]
"""A region and an address that it asked."""
K = TypeVar("K")
V = TypeVar("V")

KEPT = 400
"""Keys that a ledger holds, the newest: a provider that invents a key for each answer fills no disk."""
ADDRESSES_KEPT = 32
"""Addresses that a key is remembered at, the newest: content networks use others every day."""
UNPUBLISHED_KEPT = 8
"""Kids in no key set that a ledger remembers, the newest."""
_QUIET = 3.0  # intervals: what happened while nobody looked for longer has no known time
_PAUSE = timedelta(minutes=10)  # nodes that sign with two keys in turn are no news with every token
_LONGEST = 120  # characters of a name that the provider chose
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class KeyState(StrEnum):
    """Where a key is in its life."""

    ANNOUNCED = "announced"  # published, nothing seen signed with it
    ACTIVE = "active"  # signs
    RETIRING = "retiring"  # published, and another key of its algorithm signs
    REMOVED = "removed"  # in no region's key set any more
    COMPROMISED = "compromised"  # its private half was published, which nothing undoes


class EventKind(StrEnum):
    """What happened to a key."""

    FOUND = "found"  # in the first key set that we saw, or saw again after a gap: since when is not known
    PUBLISHED = "published"
    SIGNED = "signed"  # its first token
    SIGNED_AGAIN = "signed again"  # after a pause, as in a rollback
    REMOVED = "removed"
    RETURNED = "returned"
    EXPOSED = "exposed"  # its private half was published


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a key is. The thumbprint (RFC 7638) is its identity; kids are names that a provider may use twice."""

    thumbprint: str
    kid: str
    kty: str
    alg: str
    use: str = ""
    crv: str = ""
    bits: int = 0

    @classmethod
    def of(cls, key: Key) -> KeyFacts:
        """Names are made fit to be shown and stored: providers choose them."""
        kid, kty, alg, use, crv = (_shown(name) for name in (key.kid, key.kty, key.alg, key.use, key.crv))
        return cls(key.thumbprint, kid, kty, alg, use, crv, key.bits)


@dataclass(frozen=True, slots=True)
class Sight:
    """When one region's key sets held a key. Aware UTC."""

    first: datetime
    last: datetime
    after: datetime | None = None
    """The fetch just before `first`, which lacked the key; None when it was found rather than seen to appear."""
    gone: datetime | None = None
    """The first fetch after `last`, which lacked it; None while it is there."""
    drill: bool = False
    """It left while a drill ran."""


@dataclass(frozen=True, slots=True)
class AddressSight:
    """When one address, asked from one region, answered with a key. Aware UTC."""

    first: datetime
    last: datetime
    gone: datetime | None = None
    """Its first answer after `last`, which lacked the key; None while it has it."""


@dataclass(frozen=True, slots=True)
class Use:
    """Tokens that were seen signed with a key. Aware UTC."""

    first: datetime
    last: datetime
    expires: datetime
    """The greatest `exp` among them."""
    lifetime: float
    """The longest time from seeing one to its `exp`, in seconds."""
    drill: bool = False
    """The first of them came while a drill ran."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key: what it is, where it was published, what it signed."""

    facts: KeyFacts
    sights: Mapping[str, Sight] = field(default_factory=lambda: MappingProxyType({}))
    """By region."""
    use: Use | None = None
    addresses: Mapping[Edge, AddressSight] = field(default_factory=lambda: MappingProxyType({}))
    """The newest last. One address may stand for many machines, so that regions tell of it one by one."""
    exposed: datetime | None = None
    """When its private half was seen published."""

    @property
    def first_seen(self) -> datetime | None:
        """In a key set or in a token."""
        return min((seen.first for seen in self._seen()), default=None)

    @property
    def last_seen(self) -> datetime | None:
        """In a key set or in a token."""
        return max((seen.last for seen in self._seen()), default=None)

    def _seen(self) -> Iterator[Sight | Use]:
        yield from self.sights.values()
        if self.use:
            yield self.use


@dataclass(frozen=True, slots=True)
class Watch:
    """How one region looks at the key set: its last good fetch, and the configured seconds between two."""

    last: datetime
    interval: float
    drill: bool = False
    """A drill ran at that fetch."""


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A kid that tokens named and that no fresh key set held. Aware UTC."""

    kid: str
    """Empty for tokens without any, where the set has several keys."""
    first: datetime
    """When the first of those tokens was seen."""
    expires: datetime
    """The greatest `exp` among them."""
    drill: bool = False
    """They came while a drill ran."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that is known of one issuer's signature keys."""

    keys: Mapping[str, KeyRecord] = field(default_factory=lambda: MappingProxyType({}))
    """By thumbprint."""
    watches: Mapping[str, Watch] = field(default_factory=lambda: MappingProxyType({}))
    """By region."""
    unpublished: Mapping[str, Unpublished] = field(default_factory=lambda: MappingProxyType({}))
    """By kid."""


@dataclass(frozen=True, slots=True)
class SetSeen:
    """A region fetched a sound key set. `interval` is the seconds between two of its fetches."""

    at: datetime
    region: str
    keys: tuple[KeyFacts, ...]
    interval: float
    drill: bool = False
    """A drill runs on the issuer."""
    addresses: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Thumbprints of the keys that each address answered with, where addresses were asked one by one."""


@dataclass(frozen=True, slots=True)
class TokenSeen:
    """A token verified with this key."""

    at: datetime
    key: KeyFacts
    expires: datetime
    drill: bool = False
    """A drill runs on the issuer."""


@dataclass(frozen=True, slots=True)
class UnknownKidSeen:
    """A token named a kid that no fresh key set held. Nothing of it is verified."""

    at: datetime
    kid: str
    expires: datetime
    drill: bool = False
    """A drill runs on the issuer."""


@dataclass(frozen=True, slots=True)
class ExposureSeen:
    """A region saw private halves published (RFC 7517 §9.2)."""

    at: datetime
    region: str
    keys: tuple[KeyFacts, ...]


Observation = SetSeen | TokenSeen | UnknownKidSeen | ExposureSeen


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a key, for its history. `region` is empty where none has a part in it."""

    at: datetime
    kind: EventKind
    key: KeyFacts
    region: str = ""


def observe(ledger: Ledger, seen: Observation) -> tuple[Ledger, tuple[Event, ...]]:
    """The ledger with one more observation in it, and what that observation was the first to show."""
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
    if record.exposed:
        return KeyState.COMPROMISED
    watching = _watching(ledger)
    sights = [sight for region, sight in record.sights.items() if region in watching] or list(record.sights.values())
    if sights and all(sight.gone for sight in sights):
        return KeyState.REMOVED
    if record.use is None:
        return KeyState.ANNOUNCED
    others = (other.use for other in ledger.keys.values() if other.facts.alg == record.facts.alg)
    replaced = any(use is not None and use.last > record.use.last for use in others)
    return KeyState.RETIRING if replaced else KeyState.ACTIVE


def signature_keys(keys: Iterable[Key]) -> tuple[KeyFacts, ...]:
    """Those of a key set that a ledger follows: the ones that verify tokens and have an identity."""
    return tuple({key.thumbprint: KeyFacts.of(key) for key in keys if key.signs and key.thumbprint}.values())


def _with_set(ledger: Ledger, seen: SetSeen) -> tuple[Ledger, list[Event]]:
    records, events = dict(ledger.keys), list[Event]()
    before = ledger.watches.get(seen.region)
    awake = before is not None and (seen.at - before.last).total_seconds() <= _QUIET * seen.interval
    for facts in seen.keys:
        record = records.get(facts.thumbprint, KeyRecord(facts))
        sight = record.sights.get(seen.region)
        if sight is None:
            sight = Sight(seen.at, seen.at, after=before.last if before is not None and awake else None)
            events.append(Event(seen.at, EventKind.PUBLISHED if awake else EventKind.FOUND, facts, seen.region))
        elif sight.gone:
            events.append(Event(seen.at, EventKind.RETURNED, facts, seen.region))
        sight = replace(sight, last=max(sight.last, seen.at), gone=None, drill=False)
        records[facts.thumbprint] = replace(record, sights=_frozen({**record.sights, seen.region: sight}))
    present = {facts.thumbprint for facts in seen.keys}
    for thumbprint, record in ledger.keys.items():
        sight = record.sights.get(seen.region)
        if thumbprint not in present and sight is not None and sight.gone is None:
            # What happened between the last fetch of a drill and the next one is the drill's: it cleans up after itself.
            drill = seen.drill or (before is not None and before.drill)
            sights = {**record.sights, seen.region: replace(sight, gone=seen.at, drill=drill)}
            records[thumbprint] = replace(record, sights=_frozen(sights))
            events.append(Event(seen.at, EventKind.REMOVED, record.facts, seen.region))
    records = {thumbprint: _at_addresses(record, seen) for thumbprint, record in records.items()}
    watches = {**ledger.watches, seen.region: Watch(seen.at, seen.interval, seen.drill)}
    return replace(ledger, keys=_frozen(records), watches=_frozen(watches)), events


def _at_addresses(record: KeyRecord, seen: SetSeen) -> KeyRecord:
    sights = dict(record.addresses)
    for address, thumbprints in seen.addresses.items():
        edge = (seen.region, address)
        before = sights.get(edge)
        if record.facts.thumbprint in thumbprints:
            sights.pop(edge, None)  # the newest come last
            sights[edge] = AddressSight(before.first if before else seen.at, seen.at)
        elif before is not None and before.gone is None:
            sights[edge] = replace(before, gone=seen.at)
    kept = dict(list(sights.items())[-ADDRESSES_KEPT:])
    return replace(record, addresses=_frozen(kept)) if seen.addresses else record


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
        if seen.at - record.use.last > _PAUSE and state_of(ledger, record) is not KeyState.ACTIVE:
            events = [Event(seen.at, EventKind.SIGNED_AGAIN, record.facts)]
        use = Use(
            first=record.use.first,
            last=max(record.use.last, seen.at),
            expires=max(record.use.expires, seen.expires),
            lifetime=max(record.use.lifetime, lifetime),
            drill=record.use.drill,
        )
    keys = {**ledger.keys, seen.key.thumbprint: replace(record, use=use)}
    return replace(ledger, keys=_frozen(keys)), events


def _with_unknown_kid(ledger: Ledger, seen: UnknownKidSeen) -> Ledger:
    kid = _shown(seen.kid)
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


def _watching(ledger: Ledger) -> frozenset[str]:
    """The regions that still look: one that has left the configuration keeps no key alive."""
    newest = max((watch.last for watch in ledger.watches.values()), default=None)
    return frozenset(
        region
        for region, watch in ledger.watches.items()
        if newest is not None and (newest - watch.last).total_seconds() <= _QUIET * watch.interval
    )


def _newest(keys: Mapping[str, KeyRecord]) -> Mapping[str, KeyRecord]:
    if len(keys) <= KEPT:
        return keys
    by_age = sorted(keys.items(), key=lambda entry: entry[1].last_seen or entry[1].exposed or _LONG_AGO)
    return _frozen(dict(by_age[-KEPT:]))


def _frozen(values: Mapping[K, V]) -> Mapping[K, V]:
    return MappingProxyType(dict(values))


def _shown(name: str) -> str:
    clean = name if name.isprintable() else name.encode("unicode_escape").decode()
    return clean[:_LONGEST]
