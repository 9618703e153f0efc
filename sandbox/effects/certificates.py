"""Effects on a key set that are about certificates and algorithms of its keys (RFC 7517 §4.4, §4.7)."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc.jwk import JWKRegistry

from sandbox.points import Situation

_YEAR = dt.timedelta(days=365)


def with_certificates(keys: list[dict[str, Any]], at: Situation) -> list[dict[str, Any]]:
    """Each key in a certificate that is valid for `days` more; with `other_key` the certificate is for another one."""
    return [{**key, "x5c": [_certificate(key, at.params["days"], at.params["other_key"])]} for key in keys]


def other_algorithm(keys: list[dict[str, Any]], _at: Situation) -> list[dict[str, Any]]:
    """The last key says that it is for an algorithm of another key type."""
    return [*keys[:-1], {**keys[-1], "alg": "ES256" if keys[-1]["kty"] != "EC" else "RS256"}]


def _certificate(key: dict[str, Any], days: float, other_key: bool) -> str:
    """Base64 of the DER, as x5c has it (RFC 7517 §4.7)."""
    authority = ec.generate_private_key(ec.SECP256R1())
    public: Any = JWKRegistry.import_key(key).get_op_key("verify")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox signing key")])
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(authority.public_key() if other_key else public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - _YEAR)
        .not_valid_after(end)
        .sign(authority, hashes.SHA256())
    )
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
