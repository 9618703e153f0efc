"""How a row of the table keeps keys, played in any time: what it holds, when it fetches, and what a failed fetch does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from drills.prediction import TAKEN_FOR_EMPTY, Observed, Outage, freshness
from drills.verifiers import Anchor, OnFetchError, Seconds, UnknownKid, Verifier, VerifierClass, Word

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Served(Generic[K]):
    """A key set that came: keys by kid."""

    keys: Mapping[str, K]
    max_age: float | None = None
    """Seconds, of Cache-Control; 0 when it forbids caching, None when there is none."""


Fetch = Callable[[float], Served[K] | Outage]
"""What the endpoint answers at this moment. A row that refreshes by a timer asks for the moment when that went off."""


@dataclass(frozen=True, slots=True)
class Lookup(Generic[K]):
    """What was found for a kid: the key, or why there is none."""

    key: K | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[K]):
    key: K
    fetched: float
    gone: float | None = None
    """When a fetched set no longer held it; only for rows that retain such keys."""


@dataclass(slots=True)
class EmulatedCache(Generic[K]):
    """One cache of one verifier. Moments are seconds on any clock that does not go back.

    What the table says is unknown is assumed: see `assumptions`.
    """

    row: Verifier
    _entries: dict[str, _Entry[K]] = field(default_factory=dict, repr=False)
    _max_age: float | None = None
    _success: float | None = None
    _attempt: float | None = None
    _forced: float | None = None
    _missed: float | None = None
    """The last fetch for an unknown kid that did not bring it."""

    def find(self, kid: str, now: float, fetch: Fetch[K]) -> Lookup[K]:
        """The key for a token, with the fetches that it causes."""
        due = self._due(kid, now)
        if due is not None:
            self._fetch(kid, due, fetch)
        held = self._held(kid, now)
        if held is not None:
            return Lookup(held)
        if due is not None:
            return Lookup(None, self._not_fetched(now))
        if not self._looks_up(now):
            return Lookup(None, self._waits(now))
        self._forced = now
        self._fetch(kid, now, fetch)
        if self.row.unknown_kid is UnknownKid.BACKGROUND:
            return Lookup(None, "the kid is unknown: it fetches meanwhile")
        held = self._held(kid, now)
        return Lookup(held, "" if held is not None else self._not_fetched(now))

    def fetched(self, kid: str) -> float | None:
        """When it fetched what it holds for this kid; of an unknown one, when it fetched at all."""
        entry = self._entries.get(kid)
        return entry.fetched if entry and self.row.caches == "kid" else self._success

    def _due(self, kid: str, now: float) -> float | None:
        """The moment of a fetch that is due, whether or not the kid is known."""
        since = self.fetched(kid)
        if since is None:
            return now
        if self.row.caches == "kid" and kid not in self._entries:
            return None
        ttl = self._ttl()
        if now - since < ttl:
            return None
        if self.row.on_fetch_error is not OnFetchError.KEEP or not ttl:
            return now
        # Keys that outlive a failed fetch are refreshed beside the requests, by a timer.
        tick = since + math.floor((now - since) / ttl) * ttl
        return tick if self._attempt is None or tick > self._attempt else None

    def _ttl(self) -> float:
        if self.row.ttl == "max-age":
            return self._freshness()
        return _seconds(self.row.ttl, unknown=math.inf)

    def _freshness(self) -> float:
        if self.row.headers is None:
            return math.inf
        return _seconds(freshness(self.row.headers, Observed(max_age=self._max_age)), unknown=math.inf)

    def _fetch(self, kid: str, now: float, fetch: Fetch[K]) -> None:
        answer = fetch(now)
        self._attempt = now
        if isinstance(answer, Outage) and answer in TAKEN_FOR_EMPTY[self.row.error_body]:
            answer = Served({})
        if not isinstance(answer, Outage):
            self._store(kid, now, answer)
        elif self.row.on_fetch_error is OnFetchError.CLEAR:
            self._entries, self._success = {}, None
        if isinstance(answer, Outage) or kid not in answer.keys:
            self._missed = now

    def _store(self, kid: str, now: float, served: Served[K]) -> None:
        self._success, self._max_age = now, served.max_age
        if self.row.caches == "kid":
            self._entries.pop(kid, None)
            if kid in served.keys:
                self._entries[kid] = _Entry(served.keys[kid], now)
            return
        kept = dict(self._retained(served, now)) if self.row.retains else {}
        self._entries = kept | {name: _Entry(key, now) for name, key in served.keys.items()}

    def _retained(self, served: Served[K], now: float) -> Iterator[tuple[str, _Entry[K]]]:
        for name, entry in self._entries.items():
            gone = now if entry.gone is None else entry.gone
            if name not in served.keys and now - gone < self.row.retains:
                yield name, _Entry(entry.key, entry.fetched, gone)

    def _held(self, kid: str, now: float) -> K | None:
        entry = self._entries.get(kid)
        if entry is None:
            return None
        if entry.gone is not None:
            return entry.key if now - entry.gone < self.row.retains else None
        if entry.fetched == now or now - entry.fetched < self._ttl():
            return entry.key
        keeps = self.row.on_fetch_error is OnFetchError.KEEP
        return entry.key if keeps and now - entry.fetched < _seconds(self.row.keeps_for, unknown=math.inf) else None

    def _looks_up(self, now: float) -> bool:
        """Whether an unknown kid makes it fetch now."""
        match self.row.class_:
            case VerifierClass.C | VerifierClass.E:
                return False
            case VerifierClass.D:
                return self._success is None or now - self._success >= self._freshness()
            case VerifierClass.A | VerifierClass.B:
                return self._cooled_at() <= now

    def _cooled_at(self) -> float:
        since = {
            None: None,
            Anchor.LAST_SUCCESS: self._success,
            Anchor.LAST_ATTEMPT: self._attempt,
            Anchor.LAST_FORCED: self._forced,
            Anchor.LAST_FAILED_LOOKUP: self._missed,
        }[self.row.anchor]
        return -math.inf if since is None else since + _seconds(self.row.cooldown, unknown=0.0)

    def _not_fetched(self, now: float) -> str:
        failed = self._success is None or (self._attempt is not None and self._success < self._attempt)
        return "the key set cannot be fetched" if failed else f"the kid is not in the key set, fetched {self._ago(now)}"

    def _waits(self, now: float) -> str:
        fetched = f"the kid is not in the key set that it holds, fetched {self._ago(now)}"
        if self.row.class_ in "AB":
            return f"{fetched}; its cooldown lasts {self._cooled_at() - now:.0f} s more"
        lasts = self._freshness() if self.row.class_ is VerifierClass.D else self._ttl()
        if math.isinf(lasts) or self._success is None:
            return f"{fetched}; it fetches no other"
        return f"{fetched}; it fetches again in {max(0.0, self._success + lasts - now):.0f} s"

    def _ago(self, now: float) -> str:
        return "now" if self._success is None or now <= self._success else f"{now - self._success:.0f} s ago"


def assumptions(row: Verifier) -> Iterable[str]:
    """What is taken for granted where the table says that nobody knows: one sentence each."""
    if row.ttl is Word.UNKNOWN:
        yield "nobody says how long it uses a key: for ever is assumed"
    if row.cooldown is Word.UNKNOWN:
        yield "nobody says how long its cooldown is: none is assumed"
    if row.on_fetch_error is OnFetchError.UNKNOWN:
        yield "nobody says what a failed fetch does: it is assumed to refuse once its keys are too old"
    if row.keeps_for is Word.UNKNOWN:
        yield "nobody says how long it does without a key set: for ever is assumed"
    if row.headers is not None and Word.UNKNOWN in (row.headers.max, row.headers.default):
        yield "nobody says how it limits max-age, or does without: where that matters it never fetches again"
    if Word.UNKNOWN in (row.leeway, row.leeway_future):
        yield "nobody says what leeway it gives: none is assumed"


def _seconds(span: Seconds, *, unknown: float) -> float:
    if isinstance(span, Word):
        return unknown if span is Word.UNKNOWN else math.inf
    return span
