"""Access tokens (RFC 9068) and ID Tokens (OIDC Core §2), signed with the keys of the realm."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sandbox.accounts import Client, User
from sandbox.points import ACCESS_TOKEN, ID_TOKEN
from sandbox.realm import Realm
from sandbox.reply import Draft, base64url
from sandbox.store import Authentication

ACR_VALUES = ("pwd", "mfa")

# The hash of a JWS algorithm, for at_hash (OIDC Core §3.1.3.6); for Ed25519 it is SHA-512 (RFC 8032 §5.1).
_HASHES: Mapping[str, Callable[[bytes], Any]] = MappingProxyType(
    {"RS256": hashlib.sha256, "ES256": hashlib.sha256, "EdDSA": hashlib.sha512}
)


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """What an access token will allow, and whom."""

    subject: str
    scope: str
    audience: tuple[str, ...]
    expires_at: int
    """UNIX seconds."""
    grant_type: str
    actor: str = ""
    """The client that acts for the subject after a token exchange (RFC 8693 §4.1)."""


def acr_of(methods: tuple[str, ...]) -> str:
    """The authentication context class of these methods."""
    return "mfa" if "otp" in methods else "pwd"


def at_hash(access_token: str, alg: str) -> str:
    """The left half of the token's hash (OIDC Core §3.1.3.6)."""
    digest: bytes = _HASHES[alg](access_token.encode()).digest()
    return base64url(digest[: len(digest) // 2])


def access_token(realm: Realm, client: Client, grant: AccessGrant) -> str:
    """A signed JWT access token (RFC 9068 §2)."""
    key = realm.keys.active(realm.settings.access_token_alg)
    claims: dict[str, Any] = {
        "iss": realm.issuer,
        "sub": grant.subject,
        "client_id": client.client_id,
        "aud": grant.audience[0] if len(grant.audience) == 1 else list(grant.audience),
        "iat": int(realm.clock.now()),
        "exp": grant.expires_at,
        "jti": secrets.token_urlsafe(16),
        "scope": grant.scope,
    }
    if grant.actor:
        claims["act"] = {"sub": grant.actor}
    draft = Draft({"alg": key.alg, "typ": "at+jwt", "kid": key.kid}, claims, key.sign)
    situation = realm.situation(client_id=client.client_id, grant_type=grant.grant_type)
    return realm.faults.apply(ACCESS_TOKEN, draft, situation).serialize()


def id_token(
    realm: Realm, client: Client, user: User, event: Authentication, grant: AccessGrant, bound_token: str
) -> str:
    """A signed ID Token bound to that access token; `nonce` only where the event still carries one."""
    key = realm.keys.active(client.id_token_alg)
    now = int(realm.clock.now())
    claims: dict[str, Any] = {
        "iss": realm.issuer,
        "aud": client.client_id,
        "azp": client.client_id,
        "iat": now,
        "exp": now + realm.settings.id_token_lifetime,
        "auth_time": event.auth_time,
        "acr": acr_of(event.methods),
        "amr": list(event.methods),
        "sid": event.sid,
        "at_hash": at_hash(bound_token, client.id_token_alg),
        **user.claims(grant.scope.split()),
    }
    if event.nonce:
        claims["nonce"] = event.nonce
    draft = Draft({"alg": key.alg, "typ": "JWT", "kid": key.kid}, claims, key.sign)
    situation = realm.situation(client_id=client.client_id, grant_type=grant.grant_type)
    return realm.faults.apply(ID_TOKEN, draft, situation).serialize()
