"""What of a TLS certificate others hold on to: its authority and its key, not its validity."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from probes.certificate import Identity, identity_of
from probes.checks.base import run_checks
from probes.checks.jwks import KEYS
from probes.checks.jwks_answer import JwksAnswer
from probes.http import Response
from probes.keys import KeySet
from probes.network import Phases
from probes.subjects import Issuer

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def certificate(issuer: str = "Authority A", key: Any = KEY, days: float = 90) -> bytes:
    """DER."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    made = (
        x509.CertificateBuilder()
        .subject_name(name("login.acme.example"))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=days))
        .sign(OTHER, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def told(shown: bytes, before: Sequence[bytes]) -> list[str]:
    """What ROT-18 says when the host shows this one after those."""
    known = tuple(each for each in map(identity_of, before) if each)
    phases = replace(Phases(), certificate=shown)
    url = "https://login.acme.example/jwks"
    response = Response("GET", url, 200, httpx.Headers(), b"", phases, NOW, NOW)
    answer = JwksAnswer(
        Issuer("acme", "https://login.acme.example"), response, KeySet(()), 0.1, NOW, certificates=known
    )
    return [finding.message for finding in run_checks(KEYS, answer) if finding.check_id == "ROT-18"]


def test_a_renewal_with_the_same_key_is_the_same() -> None:
    assert identity_of(certificate(days=90)) == identity_of(certificate(days=180))


@pytest.mark.parametrize("der", [b"", b"0", certificate()[:100]])
def test_what_is_no_certificate_has_no_identity(der: bytes) -> None:
    assert identity_of(der) is None


def test_the_identity_names_the_authority() -> None:
    identity = identity_of(certificate("Authority A"))

    assert isinstance(identity, Identity)
    assert identity.issuer == "CN=Authority A"


def test_the_first_certificate_that_is_seen_is_trusted() -> None:
    assert told(certificate(), []) == []


def test_another_authority_is_told_with_both_names() -> None:
    (message,) = told(certificate("Authority B"), [certificate("Authority A")])

    assert "now comes from 'CN=Authority B', before from 'CN=Authority A'" in message


def test_another_key_of_the_same_authority_is_told() -> None:
    assert told(certificate(key=OTHER), [certificate()]) == [
        "the TLS certificate of login.acme.example now has another key: consumers that pin it refuse it"
    ]


def test_one_of_several_that_were_seen_before_is_not_told() -> None:
    assert told(certificate(key=OTHER), [certificate(key=OTHER), certificate()]) == []
