"""A verifier that cannot be run, played by us: it fetches the real key set by its row's rules and checks real tokens."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any

import httpx

from drills.canaries.client import Verdict
from drills.canaries.protocol import without_token
from drills.emulated_cache import EmulatedCache, Served
from drills.prediction import Outage, longest_fetch
from drills.subject import Kind
from drills.verifiers import Verifier, Word
from probes.cache_control import cache_control
from probes.documents import number, text
from probes.http import Http, Response
from probes.jose import ASYMMETRIC, Jws, parse_jws, verify
from probes.keys import Key, KeySet, parse_keys
from probes.model import ProbeFailure

Keys = tuple[Key, ...]
FetchKeys = Callable[[float], Served[Keys] | Outage]
"""The key set as it is served now, fetched within so many seconds."""


class _Refused(Exception):
    """What is wrong with a token; no part of it is in the message."""


@dataclass(slots=True)
class Emulated:
    """A subject of a drill (`drills.subject.Subject`). Clocks give POSIX seconds."""

    row: Verifier
    fetch: FetchKeys = field(repr=False)
    issuer: str
    audience: str
    clock: Callable[[], float] = field(default=time.time, repr=False)
    _cache: EmulatedCache[Keys] = field(init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._cache = EmulatedCache(self.row)

    @property
    def kind(self) -> Kind:
        return Kind.EMULATED

    @property
    def language(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return self.row.version

    def check(self, token: str) -> Verdict:
        """What the row would say of it. Raises nothing: whatever is wrong with a token or a key set is a refusal."""
        with self._lock:
            started = time.monotonic()
            try:
                self._check(token)
                said = ""
            except (ProbeFailure, _Refused) as refused:
                said = without_token(str(refused), token)
            return Verdict(not said, said, time.monotonic() - started)

    def fetched(self, kid: str) -> float | None:
        """POSIX time of the fetch of what it holds for this kid; None when nothing came yet."""
        return self._cache.fetched(kid)

    def _check(self, token: str) -> None:
        jws = parse_jws(token)
        now = self.clock()
        found = self._cache.find(jws.kid, now, lambda _: self.fetch(longest_fetch(self.row)))
        if found.key is None:
            raise _Refused(f"no key: {found.why}")
        verify(jws, KeySet(found.key), ASYMMETRIC)
        for problem in (_names(jws, self.issuer, self.audience), _times(jws, self.row, now)):
            if problem:
                raise _Refused(problem)


def key_set(http: Http, url: str, run: Callable[[Coroutine[Any, Any, Response]], Response]) -> FetchKeys:
    """Fetches from this URL, bounded in size; `run` waits for a coroutine."""

    async def get(seconds: float) -> Response:
        async with asyncio.timeout(seconds):
            return await http("GET", url)

    def fetch(seconds: float) -> Served[Keys] | Outage:
        try:
            response = run(get(seconds))
        # Cancelled: the fleet has ended in the midst of the fetch, and nobody hears the answer any more.
        except (ProbeFailure, httpx.HTTPError, httpx.InvalidURL, TimeoutError, CancelledError):
            return Outage.DEAD
        return _served(response)

    return fetch


def _served(response: Response) -> Served[Keys] | Outage:
    """The media type does not count; whether the status does is for the row to say."""
    try:
        keys = parse_keys(response.body)
    except ProbeFailure:
        return Outage.DEAD
    if response.status != httpx.codes.OK:
        return Outage.ERROR_STATUS
    if keys.problem:
        return Outage.ERROR_BODY
    signing = [key for key in keys.keys if key.signs]
    # A token without a kid may be of any key (OIDC Core §10.1).
    by_kid = {"": tuple(signing)} | {key.kid: keys.find(key.kid) for key in signing if key.kid}
    caching = cache_control(response.headers)
    return Served(by_kid if signing else {}, 0 if caching.no_cache or caching.no_store else caching.max_age)


def _names(jws: Jws, issuer: str, audience: str) -> str:
    named = jws.claims.get("aud")
    audiences = named if isinstance(named, list) else [named]
    if jws.claims.get("iss") != issuer:
        return f"iss is {text(jws.claims, 'iss')[:120]!r}, expected {issuer!r}"
    return "" if audience in audiences else f"aud is {str(audiences)[:120]}, expected {audience!r}"


def _times(jws: Jws, row: Verifier, now: float) -> str:
    """Both leeways count as 0 where nobody says what they are."""
    after = 0.0 if isinstance(row.leeway, Word) else row.leeway
    before = 0.0 if isinstance(row.leeway_future, Word) else row.leeway_future
    expiry = number(jws.claims, "exp")
    if expiry is None:
        return "exp is missing or no number"
    if now >= expiry + after:
        return f"it expired {now - expiry:.0f} s ago, leeway {after:g} s"
    for claim in ("nbf", "iat"):
        moment = number(jws.claims, claim)
        if moment is not None and moment > now + before:
            return f"{claim} is {moment - now:.0f} s ahead, leeway {before:g} s"
    return ""
