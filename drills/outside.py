"""What anybody sees of a provider from outside: its key set, and tokens that it issues now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import jwt

from drills.prediction import Observed
from probes.cache_control import cache_control
from probes.checks.token import Grant
from probes.client_credentials import grant_parameters
from probes.documents import problem_of_answer
from probes.http import Http
from probes.keys import KeySet
from probes.metadata import Metadata, require_endpoint
from probes.model import Check, ProbeFailure
from probes.probe import Steps
from probes.provider import discover, sample_keys, seconds_of
from probes.secrets import Secrets
from probes.subjects import Client, Issuer
from probes.token_endpoint import TokenEndpoint
from sandbox.loopthread import LoopThread, loop_thread

_SECONDS = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outside:
    """Synchronous, for any thread. Methods raise what probes raise: see `probes.classify`; TimeoutError after half a minute."""

    issuer: Issuer
    client: Client
    http: Http
    secrets: Secrets
    metadata: Metadata
    _loop: LoopThread

    @property
    def jwks_uri(self) -> str:
        """Where verifiers fetch the key set."""
        return require_endpoint(self.metadata.jwks_uri, "jwks_uri")

    def mint(self) -> str:
        """A new access token by client credentials (RFC 6749 §4.4)."""
        return self._loop.run(_soon(self._mint()))

    def keys(self) -> KeySet:
        """The key set as it is served now."""
        return self._loop.run(_soon(sample_keys(self.http, self.metadata, Steps(), {})))

    def kids(self) -> list[str]:
        """Of the signature keys that are published now."""
        return [key.kid for key in self.keys().keys if key.signs]

    def observe(self) -> Observed:
        """How long the key set may be cached now, and what a fetch of it takes."""
        return self._loop.run(_soon(_observe(self.http, self.jwks_uri)))

    async def _mint(self) -> str:
        check = Check(self.issuer, "client_credentials", self.client)
        endpoint = TokenEndpoint(self.http, self.secrets, self.metadata, check, self.client)
        tokens = await endpoint.request(Grant.CLIENT_CREDENTIALS, grant_parameters(self.client), Steps())
        return tokens.access_token


@contextlib.contextmanager
def look_from_outside(issuer: Issuer, client: Client, http: Http, secrets: Secrets) -> Iterator[Outside]:
    """Discovers the provider once. Raises what probes raise when it does not answer."""
    with loop_thread("outside") as loop:
        metadata = loop.run(discover(http, Check(issuer, "jwks"), Steps()))
        yield Outside(issuer, client, http, secrets, metadata, loop)


async def _soon(work: Coroutine[Any, Any, T]) -> T:
    """A provider under a drill may hang."""
    async with asyncio.timeout(_SECONDS):
        return await work


async def observe_key_set(issuer: Issuer, http: Http) -> Observed:
    """One fetch of discovery and key set. Raises ProbeFailure, TimeoutError and httpx's errors when there is no answer."""

    async def look() -> Observed:
        metadata = await discover(http, Check(issuer, "jwks"), Steps())
        return await _observe(http, metadata.jwks_uri)

    return await _soon(look())


async def _observe(http: Http, jwks_uri: str) -> Observed:
    response = await http("GET", jwks_uri)
    problem = problem_of_answer(response)
    if problem:
        raise ProbeFailure(*problem)
    caching = cache_control(response.headers)
    # To a verifier that reads headers, must-not-cache is the same as stale at once.
    max_age = 0 if caching.no_cache or caching.no_store else caching.max_age
    return Observed(max_age=max_age, fetch_seconds=seconds_of(response))


def kid_of(token: str) -> str:
    """Of the header (RFC 7515 §4.1.4); empty when there is none. Raises jwt.DecodeError for what is no JWS."""
    kid = jwt.get_unverified_header(token).get("kid", "")
    return kid if isinstance(kid, str) else ""


def expiry_of(token: str) -> float:
    """`exp` as POSIX time (RFC 7519 §4.1.4), unverified; infinity without one. Raises jwt.DecodeError."""
    claims = jwt.decode(token, options={"verify_signature": False})
    expiry = claims.get("exp")
    return float(expiry) if isinstance(expiry, int | float) else float("inf")


def signs_with_published_key(outside: Outside, wanted: str = "") -> tuple[bool, str]:
    """Whether a token that is issued now names a key that is published now, and a sentence about it.

    `wanted` is the kid that it must name; empty: any.
    """
    kid = kid_of(outside.mint())
    if wanted and kid != wanted:
        return False, f"new tokens are signed with {kid[:60]!r}, not with {wanted[:60]!r}"
    published = outside.kids()
    if not kid:
        return len(published) == 1, f"tokens name no key; {len(published)} are published"
    if kid in published:
        return True, f"new tokens are signed with {kid[:60]!r}, which is published"
    return False, f"new tokens are signed with {kid[:60]!r}, which is not published"
