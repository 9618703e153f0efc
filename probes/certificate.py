"""Who a TLS certificate is from and for which key: what those compare who pin one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode


@dataclass(frozen=True, slots=True)
class Identity:
    """What of a certificate others hold on to. It stays the same when only the validity is renewed."""

    issuer: str
    """The distinguished name of the authority that signed it (RFC 4514)."""
    key: str
    """SHA-256 of the SubjectPublicKeyInfo, base64url (RFC 7469 §2.4 pins the same)."""


@lru_cache(maxsize=256)
def identity_of(der: bytes) -> Identity | None:
    """Of a certificate in DER; None when it cannot be read. The same one is met at every exchange."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        issuer = certificate.issuer.rfc4514_string()
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm):
        return None
    return Identity(issuer, base64url_encode(hashlib.sha256(key).digest()).decode())
