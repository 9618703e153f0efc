"""What earlier runs saw, for checks that compare: the one piece of state that probes share, bounded by the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from probes.certificate import Identity
from probes.documents import JsonObject
from probes.keys import KeySet
from probes.ledger import Event, ExposureSeen, Ledger, Observation, observe
from probes.metadata import Metadata
from probes.subjects import Issuer

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class SeenKeys:
    """The last good key set from one region."""

    keys: KeySet
    fetched: datetime
    changed: datetime
    host: str = ""
    """That served it."""
    disagreeing_since: datetime | None = None
    etag: str = ""
    drill: bool = False
    """A drill ran at that fetch."""


@dataclass(frozen=True, slots=True)
class Session:
    """A live session of the refresh probe."""

    refresh_token: str = field(repr=False)
    sub: str
    nonce: str = field(repr=False)
    auth_time: float | None = None


@dataclass(slots=True)
class Memory:
    """Keyed by names of the configuration, so it never outgrows it.

    Lost at a restart, which costs one comparison; but for the ledgers, which `keep` is given and an agent puts back.
    """

    documents: dict[tuple[str, str], JsonObject] = field(default_factory=dict)
    """Accepted discovery documents by (issuer, region)."""
    metadata: dict[tuple[str, str], tuple[Metadata, datetime]] = field(default_factory=dict)
    """The newest sound metadata by (issuer, region), and when it was fetched."""
    oauth_checked: dict[tuple[str, str], datetime] = field(default_factory=dict)
    keys: dict[tuple[str, str], SeenKeys] = field(default_factory=dict)
    """By (issuer, region)."""
    signing_kids: dict[str, str] = field(default_factory=dict)
    """The kid of the newest token of each issuer."""
    subs: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By (issuer, client id, user name)."""
    sessions: dict[tuple[str, str, str], Session] = field(default_factory=dict)
    """By (issuer, client, region)."""
    ledgers: dict[tuple[str, str], Ledger] = field(default_factory=dict)
    """By the issuer's name and URL: under another URL it has other keys."""
    keep: Callable[[Issuer, Ledger, tuple[Event, ...]], None] = lambda issuer, ledger, events: None
    """Told each new state of a ledger, and what has happened. Must neither block nor raise."""
    drills: Callable[[], Collection[str]] = lambda: ()
    """Names of the issuers that a drill runs on now. What it does is no part of how they rotate their keys."""
    certificates: dict[tuple[str, str], tuple[Identity, ...]] = field(default_factory=dict)
    """TLS certificates that the key set's host has shown, by (issuer, region), the newest last."""
    addresses_asked: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When each address of the key set's host was last asked, by (issuer, region)."""
    _turns: dict[tuple[str, str], asyncio.Lock] = field(default_factory=dict)
    _kept: frozenset[tuple[str, str]] = frozenset()
    """Names and URLs of the issuers that `keep_only` named last."""
    _lent: dict[tuple[str, str], Memory] = field(default_factory=dict, repr=False, compare=False)
    """By the issuer's name and URL."""

    def of(self, issuer: Issuer) -> Memory:
        """What probes of this issuer are given: all of this memory, until `keep_only` forgets the issuer.

        A run of it that is under way then goes on with a copy, and leaves nothing behind in this one.
        """
        return self._lent.setdefault((issuer.name, issuer.url), replace(self))

    def turn_of(self, issuer: str, username: str) -> asyncio.Lock:
        """Held while that user signs in: providers refuse a second login of one user at the same moment.

        Keycloak does so since it closed a way around its brute-force protection.
        """
        return self._turns.setdefault((issuer, username), asyncio.Lock())

    def observe(self, issuer: Issuer, seen: Observation) -> Ledger:
        """Notes in the issuer's ledger what a probe saw; gives the ledger as it is then."""
        place = (issuer.name, issuer.url)
        if not isinstance(seen, ExposureSeen):
            seen = replace(seen, drill=self.under_drill(issuer))
        ledger, events = observe(self.ledgers.get(place, Ledger()), seen)
        self.ledgers[place] = ledger
        self.keep(issuer, ledger, events)
        return ledger

    def ledger_of(self, issuer: Issuer) -> Ledger:
        """The issuer's ledger as it is now."""
        return self.ledgers.get((issuer.name, issuer.url), Ledger())

    def under_drill(self, issuer: Issuer) -> bool:
        """Whether a drill runs on it now."""
        return issuer.name in self.drills()

    def keep_only(self, issuers: Iterable[Issuer]) -> None:
        """Forgets every other issuer, and what one of these had under another URL: that was another provider."""
        places = frozenset((issuer.name, issuer.url) for issuer in issuers)
        for place in self._lent.keys() - places:
            self._lent.pop(place)._part()
        names = {name for name, _ in places & self._kept}
        self._kept = places
        by_places = (self.documents, self.metadata, self.oauth_checked, self.keys)
        for by_place in (*by_places, self.certificates, self.addresses_asked):
            _keep(by_place, lambda place: place[0] in names)
        for by_user in (self.subs, self.sessions):
            _keep(by_user, lambda place: place[0] in names)
        _keep(self.signing_kids, lambda issuer: issuer in names)
        _keep(self.ledgers, lambda place: place in places)

    def _part(self) -> None:
        """From now on what is noted here is known here only."""
        self.documents, self.metadata, self.keys = dict(self.documents), dict(self.metadata), dict(self.keys)
        self.subs, self.sessions, self.signing_kids = dict(self.subs), dict(self.sessions), dict(self.signing_kids)
        self.oauth_checked, self.ledgers = dict(self.oauth_checked), dict(self.ledgers)
        self.certificates, self.addresses_asked = dict(self.certificates), dict(self.addresses_asked)

    def keys_of_others(self, issuer: str) -> Mapping[str, str]:
        """Thumbprints that other issuers publish, with the issuer's name."""
        return {
            thumbprint: name
            for (name, _), seen in self.keys.items()
            if name != issuer
            for thumbprint in seen.keys.thumbprints
        }

    def moduli_of_others(self, issuer: str) -> Mapping[int, str]:
        """RSA moduli that other issuers publish, with the issuer's name."""
        return {
            key.modulus: name
            for (name, _), seen in self.keys.items()
            if name != issuer
            for key in seen.keys.keys
            if key.modulus
        }

    def issuers_at(self, host: str) -> frozenset[str]:
        """Issuers whose key set this host serves: tenants of one provider, when there are several."""
        return frozenset(name for (name, _), seen in self.keys.items() if seen.host == host)

    def keys_of_regions(self, issuer: str) -> Mapping[str, SeenKeys]:
        """The last good key set of an issuer by region."""
        return {region: seen for (name, region), seen in self.keys.items() if name == issuer}


def _keep(entries: dict[K, Any], wanted: Callable[[K], bool]) -> None:
    for key in [key for key in entries if not wanted(key)]:
        del entries[key]
