"""Compact JWS, taken apart and verified against a key set fetched for the purpose, with algorithms that we chose.

Built on PyJWT's algorithm objects. Its key client is of no use to a monitor: it fetches again by itself on an unknown
kid, and so hides what a rotation does to others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import InvalidKeyError
from jwt.utils import base64url_decode

from probes.documents import JsonObject, json_object, text
from probes.keys import Key, KeySet
from probes.model import ProbeFailure, Reason

ASYMMETRIC = frozenset(
    {
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "Ed25519",
        "Ed448",
    }
)
_MAX_TOKEN = 64 * 1024
_BASE64URL = re.compile(r"[A-Za-z0-9_.-]+")  # and the dots between the parts


@dataclass(frozen=True, slots=True)
class Jws:
    """A compact JWS, not verified yet. Only header names and claims may be shown, never the token."""

    header: JsonObject
    claims: JsonObject
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def alg(self) -> str:
        """The header's alg; empty when absent."""
        return text(self.header, "alg")

    @property
    def kid(self) -> str:
        """The header's kid; empty when absent."""
        return text(self.header, "kid")


def parse_jws(token: str) -> Jws:
    """Takes a compact JWS apart (RFC 7515 §7.1) without trusting anything in it.

    Raises ProbeFailure(bad_response) when it is none.
    """
    parts = token.split(".")
    if len(token) > _MAX_TOKEN or len(parts) != 3:
        kind = "an encrypted token" if len(parts) == 5 else f"{len(parts)} parts"
        raise ProbeFailure(Reason.BAD_RESPONSE, f"not a compact JWS of three parts: {kind}, {len(token)} characters")
    try:
        if not _BASE64URL.fullmatch(token):  # PyJWT's decoder skips what is not of the alphabet
            raise ValueError("outside the base64url alphabet")
        header, payload, signature = (base64url_decode(part) for part in parts)
        signing_input = token.rpartition(".")[0].encode("ascii")
    except ValueError as error:
        raise ProbeFailure(Reason.BAD_RESPONSE, "the JWS is not base64url") from error
    return Jws(json_object(header), json_object(payload), signing_input, signature)


def looks_like_jws(token: str) -> bool:
    """Whether an access token, which is opaque to clients, happens to be a JWS."""
    return token.startswith("eyJ") and token.count(".") == 2


def verify(jws: Jws, keys: KeySet, allowed: frozenset[str]) -> Key:
    """The key that the token is signed with.

    Raises ProbeFailure: alg_not_allowed, bad_response (unknown `crit`, RFC 7515 §4.1.11), kid_unknown,
    signature_invalid.
    """
    if jws.alg not in allowed or jws.alg not in ASYMMETRIC:
        raise ProbeFailure(Reason.ALG_NOT_ALLOWED, f"alg {jws.alg[:20]!r}, allowed {sorted(allowed)}")
    if "crit" in jws.header:
        raise ProbeFailure(
            Reason.BAD_RESPONSE, "the header has crit, and we understand no extension (RFC 7515 §4.1.11)"
        )
    candidates = [key for key in candidates_for(jws, keys) if jws.alg in key.algorithms and key.public is not None]
    if not candidates:
        known = ", ".join(key.kid[:40] for key in keys.keys[:10])
        raise ProbeFailure(Reason.KID_UNKNOWN, f"kid {jws.kid[:60]!r} with alg {jws.alg} is not among [{known}]")
    algorithm = _algorithms()[jws.alg]
    for key in candidates:
        if _verifies(algorithm, jws, key):
            return key
    raise ProbeFailure(Reason.SIGNATURE_INVALID, f"does not verify with key {jws.kid[:60]!r} ({jws.alg})")


def candidates_for(jws: Jws, keys: KeySet) -> tuple[Key, ...]:
    """Keys that the header points at; without kid only a set with one signature key is unambiguous (Core §10.1)."""
    if jws.kid:
        return keys.find(jws.kid)
    signing = tuple(key for key in keys.keys if key.signs)
    return signing if len(signing) == 1 else ()


def _verifies(algorithm: Algorithm, jws: Jws, key: Key) -> bool:
    try:
        return bool(algorithm.verify(jws.signing_input, key.public, jws.signature))
    except (InvalidKeyError, ValueError, TypeError):
        return False


@cache
def _algorithms() -> dict[str, Algorithm]:
    algorithms = get_default_algorithms()
    # RFC 9864 gives the same signatures names of their own.
    return {**algorithms, "Ed25519": algorithms["EdDSA"], "Ed448": algorithms["EdDSA"]}
