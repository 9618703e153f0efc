"""Checks of the ID token's claims, after its signature was verified: IDT-02 to IDT-04, IDT-07 to IDT-15 (OIDC Core §3.1.3.7)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from jwt.utils import base64url_encode

from probes.checks.base import Problem, ProtocolCheck
from probes.documents import number, text
from probes.jose import Jws
from probes.model import Reason, Severity
from probes.subjects import Client, Issuer

_INVALID = Reason.CLAIM_INVALID
_OLD = 360.0  # seconds: a token of this moment was not issued longer ago; Entra ID dates every token back by 300
_LATE_LOGIN = 10.0  # seconds of grace for auth_time against max_age
_LONGEST_SUB = 255


@dataclass(frozen=True, slots=True)
class IdToken:
    """A verified ID token and what was asked for."""

    jws: Jws
    issuer: Issuer
    client: Client
    now: datetime
    nonce: str = field(repr=False)
    access_token: str = field(default="", repr=False)
    previous_sub: str = ""
    """`sub` of the same synthetic user in an earlier run; empty when there was none."""
    previous_auth_time: float | None = None
    """`auth_time` of the login that a refresh goes back to; None when its ID token had none."""
    refreshed: bool = False
    """Issued at a refresh: no nonce is expected (Core §12.2)."""

    @property
    def age(self) -> float | None:
        """Seconds since `iat`; negative when it lies in the future."""
        iat = number(self.jws.claims, "iat")
        return None if iat is None else self.now.timestamp() - iat


def _audiences(subject: IdToken) -> tuple[str, ...]:
    value = subject.jws.claims.get("aud")
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _iss(subject: IdToken) -> Iterator[str]:
    found = text(subject.jws.claims, "iss")
    if found != subject.issuer.url:
        yield f"iss is {found[:200]!r}, expected {subject.issuer.url!r}"


def _aud(subject: IdToken) -> Iterator[str]:
    client, audiences = subject.client, _audiences(subject)
    others = [entry for entry in audiences if entry not in (client.client_id, client.audience)]
    if client.client_id not in audiences:
        yield f"aud is {list(audiences)[:5]}, expected {client.client_id!r}"
    elif others:
        yield f"aud has further audiences {others[:5]}: the client trusts itself and its configured audience only"


def _azp(subject: IdToken) -> Iterator[str]:
    azp = subject.jws.claims.get("azp")
    if azp is None and len(_audiences(subject)) > 1:
        yield "several audiences and no azp"
    elif azp is not None and azp != subject.client.client_id:
        yield f"azp is {str(azp)[:80]!r}, expected {subject.client.client_id!r}"


def _expiry(subject: IdToken) -> Iterator[str | Problem]:
    exp, iat = number(subject.jws.claims, "exp"), number(subject.jws.claims, "iat")
    if exp is None:
        yield Problem("exp is missing or no number", Reason.CLAIM_INVALID)
        return
    late = subject.now.timestamp() - exp
    if late >= 0:
        yield f"expired {late:.0f} s ago"
    longest = subject.issuer.policy.max_token_lifetime
    if iat is not None and exp - iat > longest:
        yield Problem(f"lives {exp - iat:.0f} s, policy allows {longest:g} s", severity=Severity.WARNING)


def _issued(subject: IdToken) -> Iterator[str | Problem]:
    age = subject.age
    if age is None:
        yield Problem("iat is missing or no number", Reason.CLAIM_INVALID)
        return
    leeway = subject.issuer.policy.max_clock_offset
    if age < -leeway:
        yield f"iat lies {-age:.0f} s in the future"
    elif age > _OLD:
        yield Problem(f"iat is {age:.0f} s old: a clock that is behind, or a token that was kept", Reason.CLOCK_SKEW)
    nbf = number(subject.jws.claims, "nbf")
    if nbf is not None and nbf > subject.now.timestamp() + leeway:
        yield f"nbf lies {nbf - subject.now.timestamp():.0f} s in the future"


def _nonce(subject: IdToken) -> Iterator[str]:
    found = subject.jws.claims.get("nonce")
    if found is None and not subject.refreshed:
        yield "nonce is missing, and one was sent"
    elif found is not None and found != subject.nonce:
        yield "nonce is not the one that was sent"


def _acr(subject: IdToken) -> Iterator[str]:
    wanted, found = subject.client.acr_values, text(subject.jws.claims, "acr")
    if wanted and found not in wanted:
        yield f"acr is {found[:60]!r}, asked for {list(wanted)}"


def _auth_time(subject: IdToken) -> Iterator[str]:
    auth_time = number(subject.jws.claims, "auth_time")
    if auth_time is None:
        if subject.client.max_age is not None:
            yield "auth_time is missing, and max_age was sent"
        return
    if subject.refreshed:
        if subject.previous_auth_time not in (None, auth_time):
            yield "auth_time is not that of the login which is refreshed (Core §12.2)"
        return
    if subject.client.max_age is None:
        return
    ago = subject.now.timestamp() - auth_time
    allowed = subject.client.max_age + _LATE_LOGIN + subject.issuer.policy.max_clock_offset
    if ago > allowed:
        yield f"auth_time is {ago:.0f} s ago, max_age is {subject.client.max_age} s"


_ED448_SIGNATURE = 114  # bytes, and as many of SHAKE256 are hashed to (RFC 8032 §5.2)
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


def _digest(jws: Jws, data: bytes) -> bytes:
    """By the hash that goes with the alg's number, or that EdDSA uses itself (RFC 8032 §5); empty when there is none."""
    if jws.alg.startswith("Ed"):
        ed448 = len(jws.signature) == _ED448_SIGNATURE  # the name EdDSA does not say which curve
        return hashlib.shake_256(data).digest(_ED448_SIGNATURE) if ed448 else hashlib.sha512(data).digest()
    algorithm = _HASHES.get(jws.alg[-3:])
    return algorithm(data).digest() if algorithm else b""


def _at_hash(subject: IdToken) -> Iterator[str]:
    found = text(subject.jws.claims, "at_hash")
    digest = _digest(subject.jws, subject.access_token.encode("ascii", "replace"))
    if not found or not subject.access_token or not digest:
        return
    if found != base64url_encode(digest[: len(digest) // 2]).decode():
        yield "at_hash does not belong to the access token"


def _sub(subject: IdToken) -> Iterator[str]:
    sub = subject.jws.claims.get("sub")
    if not isinstance(sub, str) or not sub:
        yield "sub is missing or no string"
    elif len(sub) > _LONGEST_SUB or not sub.isascii():
        yield f"sub has {len(sub)} characters, or others than ASCII; at most {_LONGEST_SUB} are allowed"
    elif subject.previous_sub and sub != subject.previous_sub:
        yield "sub of the same user changed since an earlier run: accounts linked to it are lost"


def _required_claims(subject: IdToken) -> Iterator[str | Problem]:
    for name in subject.client.required_claims:
        if subject.jws.claims.get(name) in (None, "", [], {}):
            yield Problem(f"claim {name} is missing or empty", severity=Severity.FAILURE)
    verified = subject.jws.claims.get("email_verified")
    if verified is not None and not isinstance(verified, bool):
        yield f"email_verified is of type {type(verified).__name__}, must be a boolean (Core §5.1)"


_PERSONAL = frozenset({"address", "phone_number", "birthdate", "gender"})


def _personal_data(subject: IdToken) -> Iterator[str]:
    asked = {"address": "address", "phone_number": "phone"}
    for name in sorted(_PERSONAL & set(subject.jws.claims)):
        if asked.get(name, "profile") not in subject.client.scopes and name not in subject.client.required_claims:
            yield f"claim {name} was not asked for: personal data in every token"


_F, _W = Severity.FAILURE, Severity.WARNING
_RULES = "OIDC Core §3.1.3.7"

CLAIMS: tuple[ProtocolCheck[IdToken], ...] = (
    ProtocolCheck("IDT-02", _F, Reason.ISSUER_MISMATCH, "iss is the issuer", f"{_RULES} rule 2", _iss),
    ProtocolCheck("IDT-03", _F, Reason.AUDIENCE_MISMATCH, "aud holds the client", f"{_RULES} rule 3", _aud),
    ProtocolCheck("IDT-04", _F, _INVALID, "azp is the client", f"{_RULES} rules 4 and 5", _azp),
    ProtocolCheck("IDT-07", _F, Reason.TOKEN_EXPIRED, "has not expired", f"{_RULES} rule 9", _expiry),
    ProtocolCheck("IDT-09", _F, Reason.NONCE_MISMATCH, "nonce is the one sent", f"{_RULES} rule 11", _nonce),
    ProtocolCheck("IDT-10", _F, _INVALID, "acr is one asked for", f"{_RULES} rule 12", _acr),
    ProtocolCheck(
        "IDT-11", _F, _INVALID, "auth_time fits max_age, and stays at a refresh", f"{_RULES} rule 13; §12.2", _auth_time
    ),
    ProtocolCheck("IDT-12", _F, _INVALID, "at_hash fits the access token", "OIDC Core §3.1.3.6", _at_hash),
    ProtocolCheck("IDT-13", _F, _INVALID, "sub is sound and stable", "OIDC Core §2, §8", _sub),
    ProtocolCheck("IDT-14", _W, _INVALID, "required claims are there", "OIDC Core §5.1", _required_claims),
    ProtocolCheck("IDT-15", _W, _INVALID, "no personal data beyond what was asked", "OIDC Core §17.1", _personal_data),
    # Last: few verifiers refuse a token for its age alone, and an old one with another nonce is a replay before all.
    ProtocolCheck("IDT-08", _F, Reason.TOKEN_NOT_YET_VALID, "was issued just now", f"{_RULES} rule 10", _issued),
)
