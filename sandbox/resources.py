"""Resource servers that verify JWT access tokens, one for each way in which real ones cache the issuer's keys."""

from __future__ import annotations

import base64
import binascii
import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from flask import Flask, Response, jsonify, request
from joserfc import jwk, jwt
from joserfc.errors import JoseError

AUDIENCE = "orders"
_ALGORITHMS = ("RS256", "ES256", "EdDSA")
_LEEWAY_SECONDS = 5
_FETCH_SECONDS = 5.0
_MAX_JWKS_BYTES = 1024 * 1024
_METHOD_SCOPES = {"GET": "orders.read", "POST": "orders.write"}


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """When a verifier fetches the JWK Set again. Durations in seconds."""

    summary: str
    refetches_unknown: bool = False
    """An unknown key id makes it fetch."""
    cooldown: float = 0.0
    """An unknown key id does so only that long after the last fetch."""
    period: float = 0.0
    """Age at which it fetches anyway; 0 for never."""
    honours_max_age: bool = False
    """The period is the answer's Cache-Control max-age (RFC 9111 §5.2.2.1), or `period` without one."""


POLICIES: Mapping[str, CachePolicy] = MappingProxyType(
    {
        "a": CachePolicy("refetches on every unknown key id, never by age", refetches_unknown=True),
        "b": CachePolicy("refetches on an unknown key id, with a cooldown", True, cooldown=30.0, period=600.0),
        "c": CachePolicy("refetches periodically only", period=600.0),
        "d": CachePolicy("keeps the set for its max-age", period=300.0, honours_max_age=True),
        "e": CachePolicy("loads the set once"),
    }
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JWK Set as it was received; `max_age` is None without a Cache-Control that has one."""

    keys: Mapping[str, Mapping[str, Any]]
    max_age: float | None


Fetch = Callable[[], Fetched]
"""Raises OSError or ValueError when the set cannot be had; the verifier then keeps what it has."""


class KeyCache:
    """The keys that one verifier holds. Thread-safe; one fetch at a time."""

    def __init__(self, policy: CachePolicy, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._held: Fetched | None = None
        self._fetched_at = 0.0
        self._fetches = 0

    def change(self, **policy: Any) -> None:
        """Other durations from now on. Raises TypeError for an unknown name."""
        with self._lock:
            self._policy = replace(self._policy, **policy)

    def restart(self) -> None:
        """Forget everything, as a process does that starts again."""
        with self._lock:
            self._held = None

    def describe(self) -> dict[str, Any]:
        """Policy, key ids held, and how often it fetched."""
        with self._lock:
            return {
                **asdict(self._policy),
                "kids": sorted(self._held.keys if self._held else ()),
                "fetches": self._fetches,
            }

    def find(self, kid: str) -> Mapping[str, Any] | None:
        """The key of that id, by the rules of the policy."""
        with self._lock:
            if self._held is None or self._is_old():
                self._load()
            found = self._held.keys.get(kid) if self._held else None
            if found is None and self._policy.refetches_unknown and self._age() >= self._policy.cooldown:
                self._load()
                found = self._held.keys.get(kid) if self._held else None
            return found

    def _age(self) -> float:
        return self._now() - self._fetched_at

    def _is_old(self) -> bool:
        period = self._policy.period
        if self._policy.honours_max_age and self._held is not None and self._held.max_age is not None:
            period = self._held.max_age
            return self._age() >= period
        return period > 0 and self._age() >= period

    def _load(self) -> None:
        self._fetches += 1
        self._fetched_at = self._now()
        try:
            self._held = self._fetch()
        except (OSError, ValueError):
            return  # keeps what it has, as most verifiers do


def fetch_over_http(jwks_uri: str, tls: ssl.SSLContext | None) -> Fetched:
    """Fetch the set. Raises OSError or ValueError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
    with opener.open(jwks_uri, timeout=_FETCH_SECONDS) as answer:
        document = json.loads(answer.read(_MAX_JWKS_BYTES))
        directives = answer.headers.get("Cache-Control", "").replace(" ", "").split(",")
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a JWK Set")  # noqa: TRY004 - a bad value from outside, not a wrong call
    ages = [part.removeprefix("max-age=") for part in directives if part.startswith("max-age=")]
    keys = {str(key["kid"]): key for key in document["keys"] if isinstance(key, dict) and "kid" in key}
    return Fetched(MappingProxyType(keys), float(ages[0]) if ages and ages[0].isdigit() else None)


class TokenRefusedError(Exception):
    """The access token is not valid; the message says why, without any part of the token."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Validates access tokens as RFC 9068 §4 says."""

    issuer: str
    cache: KeyCache
    now: Callable[[], float] = time.time

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a valid token. Raises TokenRefusedError."""
        header = _unverified_header(token)
        alg, kid = header.get("alg"), header.get("kid")
        if str(header.get("typ", "")).lower() not in ("at+jwt", "application/at+jwt"):
            raise TokenRefusedError("typ is not at+jwt")
        if alg not in _ALGORITHMS:
            raise TokenRefusedError("algorithm not allowed")
        key = self.cache.find(str(kid))
        if key is None:
            raise TokenRefusedError("unknown key id")
        if key.get("alg", alg) != alg or key.get("use", "sig") != "sig":
            raise TokenRefusedError("the key is not for this algorithm")
        try:
            claims = jwt.decode(token, jwk.import_key(dict(key)), algorithms=[str(alg)]).claims
        except (JoseError, ValueError) as error:
            raise TokenRefusedError("the signature does not verify") from error
        self._check(claims)
        return claims

    def _check(self, claims: Mapping[str, Any]) -> None:
        audience = claims.get("aud")
        now = self.now()
        if claims.get("iss") != self.issuer:
            raise TokenRefusedError("wrong issuer")
        if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefusedError("wrong audience")
        times = {name: claims.get(name, default) for name, default in (("exp", None), ("iat", None), ("nbf", 0))}
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in times.values()):
            raise TokenRefusedError("exp, iat or nbf is missing or no number")
        if times["exp"] + _LEEWAY_SECONDS <= now:
            raise TokenRefusedError("expired")
        if max(times["iat"], times["nbf"]) - _LEEWAY_SECONDS > now:
            raise TokenRefusedError("not valid yet")


def _unverified_header(token: str) -> dict[str, Any]:
    segment = token.split(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (binascii.Error, ValueError) as error:
        raise TokenRefusedError("not a JWT") from error
    if not isinstance(header, dict):
        raise TokenRefusedError("not a JWT")
    return header


def create_resources(verifiers: Mapping[str, Verifier]) -> Flask:
    """One resource under the path of each name: GET wants `orders.read`, POST `orders.write`."""
    app = Flask("sandbox.resources", static_folder=None, template_folder=None)

    @app.route("/<name>", methods=list(_METHOD_SCOPES))
    def resource(name: str) -> tuple[Response, int] | Response:
        verifier = verifiers.get(name)
        if verifier is None:
            return jsonify(error="not_found"), 404
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return _challenge(401)  # no error code for a request without a token (RFC 6750 §3.1)
        try:
            claims = verifier.claims(token.strip())
        except TokenRefusedError as error:
            return _challenge(401, error="invalid_token", error_description=str(error))
        wanted = _METHOD_SCOPES.get(request.method, "orders.read")
        if wanted not in str(claims.get("scope", "")).split():
            return _challenge(403, error="insufficient_scope", scope=wanted)
        return jsonify(resource=name, sub=claims.get("sub"), client_id=claims.get("client_id"))

    return app


def _challenge(status: int, **attributes: str) -> Response:
    """RFC 6750 §3."""
    parts = ", ".join(f'{name}="{value}"' for name, value in {"realm": AUDIENCE, **attributes}.items())
    response = jsonify(attributes)
    response.status_code = status
    response.headers["WWW-Authenticate"] = f"Bearer {parts}"
    return response
