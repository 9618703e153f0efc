"""Checks of the claims of an access token that is a JWT: ACC-01 to ACC-05 (RFC 9068)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from probes.checks.base import ProtocolCheck
from probes.documents import number, text
from probes.jose import Jws
from probes.model import Reason, Severity
from probes.subjects import Client, Issuer


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified access token and whom it was issued to."""

    jws: Jws
    issuer: Issuer
    client: Client
    now: datetime


def _iss(subject: AccessToken) -> Iterator[str]:
    found = text(subject.jws.claims, "iss")
    if found != subject.issuer.url:
        yield f"iss is {found[:200]!r}, expected {subject.issuer.url!r}"


def _expiry(subject: AccessToken) -> Iterator[str]:
    exp = number(subject.jws.claims, "exp")
    if exp is None:
        yield "exp is missing or no number"
    elif exp <= subject.now.timestamp():
        yield f"expired {subject.now.timestamp() - exp:.0f} s ago"


def _issued(subject: AccessToken) -> Iterator[str]:
    leeway = subject.issuer.policy.max_clock_offset
    for member in ("iat", "nbf"):
        value = number(subject.jws.claims, member)
        if value is not None and value > subject.now.timestamp() + leeway:
            yield f"{member} lies {value - subject.now.timestamp():.0f} s in the future"


def _aud(subject: AccessToken) -> Iterator[str]:
    wanted, found = subject.client.audience, subject.jws.claims.get("aud")
    audiences = found if isinstance(found, list) else [found]
    if wanted and wanted not in audiences:
        yield f"aud is {str(audiences)[:120]}, expected {wanted!r}"


def _type(subject: AccessToken) -> Iterator[str]:
    kind = text(subject.jws.header, "typ")
    if kind.lower().removeprefix("application/") != "at+jwt":
        yield f"typ is {kind[:40]!r}, not at+jwt: a verifier cannot tell it from an ID token"


_F, _W = Severity.FAILURE, Severity.WARNING

CLAIMS: tuple[ProtocolCheck[AccessToken], ...] = (
    ProtocolCheck("ACC-01", _F, Reason.ISSUER_MISMATCH, "iss is the issuer", "RFC 9068 §4", _iss),
    ProtocolCheck("ACC-02", _F, Reason.AUDIENCE_MISMATCH, "aud holds the resource", "RFC 9068 §4", _aud),
    ProtocolCheck("ACC-03", _F, Reason.TOKEN_EXPIRED, "has not expired", "RFC 9068 §4", _expiry),
    ProtocolCheck("ACC-04", _F, Reason.TOKEN_NOT_YET_VALID, "was issued just now", "RFC 7519 §4.1.5, §4.1.6", _issued),
    ProtocolCheck("ACC-05", _W, Reason.CLAIM_INVALID, "typ is at+jwt", "RFC 9068 §2.1; RFC 8725 §3.11", _type),
)
