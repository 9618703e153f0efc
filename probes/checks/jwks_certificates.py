"""Certificates of a key set: those that come with the keys (x5c), and the one of the TLS connection."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from jwt.utils import base64url_encode

from probes.certificate import identity_of
from probes.checks.base import Problem
from probes.checks.jwks_answer import JwksAnswer, name_of
from probes.keys import Key
from probes.metadata import host_of
from probes.model import Severity

_DAY = 86_400
_CERTIFICATE_DAYS = 30
_LAST_PART = 1 / 4  # of a certificate's validity, which may be six days; ACME clients renew when a third is left


def of_keys(subject: JwksAnswer) -> Iterator[str | Problem]:
    """The first certificate of each x5c contains the key, and is valid for a while (RFC 7517 §4.7 to §4.9)."""
    for key in subject.keys.keys:
        if key.x5c:
            yield from _certificate(key, subject.now)


def _certificate(key: Key, now: datetime) -> Iterator[str | Problem]:
    try:
        der = base64.b64decode(key.x5c[0], validate=True)
        certificate = x509.load_der_x509_certificate(der)
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        same = key.public is None or certificate.public_key().public_bytes(*form) == key.public.public_bytes(*form)
    except (binascii.Error, ValueError, TypeError, x509.InvalidVersion) as error:
        yield f"{name_of(key)}: x5c holds no certificate: {str(error)[:80]}"
        return
    except UnsupportedAlgorithm as error:  # sound, but exotic
        yield Problem(f"{name_of(key)}: x5c cannot be read: {str(error)[:80]}", severity=Severity.WARNING)
        return
    if not same:
        yield f"{name_of(key)}: the first certificate of x5c is for another key"
    yield from _thumbprint(key, "x5t#S256", key.x5t_s256, certificate.fingerprint(hashes.SHA256()))
    yield from _thumbprint(key, "x5t", key.x5t, certificate.fingerprint(hashes.SHA1()))  # noqa: S303 - RFC 7517 §4.8
    left = (certificate.not_valid_after_utc - now).total_seconds() / _DAY
    if left < 0:
        yield f"{name_of(key)}: the certificate of x5c expired {-left:.0f} days ago"
    elif left < _CERTIFICATE_DAYS:
        yield Problem(f"{name_of(key)}: the certificate of x5c expires in {left:.0f} days", severity=Severity.WARNING)


def _thumbprint(key: Key, member: str, given: str, digest: bytes) -> Iterator[Problem]:
    """Few verifiers look at it. Auth0 and WSO2 have encoded the hexadecimal digits of the digest instead of the digest."""
    if not given or given == base64url_encode(digest).decode():
        return
    if given in {base64url_encode(digits.encode()).decode() for digits in (digest.hex(), digest.hex().upper())}:
        yield Problem(f"{name_of(key)}: {member} encodes the digest's hexadecimal digits", severity=Severity.INFO)
    else:
        yield Problem(f"{name_of(key)}: {member} is not the certificate's", severity=Severity.WARNING)


def of_connection(subject: JwksAnswer) -> Iterator[str | Problem]:
    """The host's certificate has time left, and is one that was seen before: somebody may have pinned it.

    Renewals change the key, and may change the intermediate (Let's Encrypt takes them in turn): that is routine. Another
    organisation is a move that somebody has planned, or nobody has. Each new certificate is told once.
    """
    phases, host = subject.response.phases, host_of(subject.response.url)
    if phases.certificate_expiry is not None:
        days = (phases.certificate_expiry - subject.now.timestamp()) / _DAY
        if days < min(_CERTIFICATE_DAYS / 2, _validity(phases.certificate) * _LAST_PART):
            yield f"the TLS certificate of {host} expires in {days:.0f} days"
    shown = identity_of(phases.certificate) if phases.certificate else None
    if shown is None or not subject.certificates or shown in subject.certificates:
        return
    before = subject.certificates[-1]
    known = {_organisation(each.issuer) for each in subject.certificates}
    severity = Severity.INFO if _organisation(shown.issuer) in known else Severity.WARNING
    if shown.issuer == before.issuer:
        message = f"the TLS certificate of {host} now has another key: consumers that pin it refuse it"
    else:
        message = (
            f"the TLS certificate of {host} now comes from {shown.issuer[:120]!r}, before from {before.issuer[:120]!r}: "
            "consumers that pin the chain refuse it"
        )
    yield Problem(message, severity=severity)


def _validity(der: bytes) -> float:
    """Of a certificate in DER, from its first to its last day, in days; without end when it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
    except (ValueError, TypeError, x509.InvalidVersion):
        return math.inf
    return (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() / _DAY


def _organisation(issuer: str) -> str:
    """Who runs the authority with this distinguished name (RFC 4514); the name itself where it has no O."""
    try:
        named = x509.Name.from_rfc4514_string(issuer).get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    except ValueError:
        return issuer
    return next((str(each.value) for each in named if each.value), issuer)
