"""What a key ledger holds and what it is told, as frozen values: keys with their sights and uses, and observations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from probes.keys import Key

Edge = tuple[str, str]
"""A region and an address that it asked."""

_LONGEST = 120  # characters of a name that the provider chose


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
    SIGNED_AGAIN = "signed again"  # after a pause, or after another key had begun to, as in a rollback
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
        kid, kty, alg, use, crv = (shown(name) for name in (key.kid, key.kty, key.alg, key.use, key.crv))
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
    """The longest time from seeing one to its `exp`, in seconds. It fades once no token lives that long any more."""
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
    earlier: tuple[str, ...] = ()
    """Other kids that it was published under, the newest last."""

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


def shown(name: str) -> str:
    """A name that the provider chose, fit to be shown and stored."""
    clean = name if name.isprintable() else name.encode("unicode_escape").decode()
    return clean[:_LONGEST]


def signature_keys(keys: Iterable[Key]) -> tuple[KeyFacts, ...]:
    """Those of a key set that a ledger follows: the ones that verify tokens and have an identity.

    A key under several kids is in it with each, and once if it is listed for several algorithms.
    """
    found: dict[tuple[str, str], KeyFacts] = {}
    for key in keys:
        if key.signs and key.thumbprint:
            found.setdefault((key.thumbprint, key.kid), KeyFacts.of(key))
    return tuple(found.values())
