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
from probes.model import Finding, Severity
from probes.network import Phases
from probes.subjects import Issuer

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def certificate(issuer: str = "Authority A", key: Any = KEY, days: float = 90, organisation: str = "") -> bytes:
    """DER; valid for so many days from now on."""

    def name(text: str, organisation: str = "") -> x509.Name:
        common = [x509.NameAttribute(NameOID.COMMON_NAME, text)]
        return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] * bool(organisation) + common)

    made = (
        x509.CertificateBuilder()
        .subject_name(name("login.acme.example"))
        .issuer_name(name(issuer, organisation))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=days))
        .sign(OTHER, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def said(shown: bytes, before: Sequence[bytes] = (), *, days: float = 0, left: float | None = None) -> list[Finding]:
    """ROT-18 when the host shows this one after those, days later; `left` is what the connection says, in days."""
    known = tuple(each for each in map(identity_of, before) if each)
    now = NOW + timedelta(days=days)
    expiry = None if left is None else now.timestamp() + left * 86_400
    phases = replace(Phases(), certificate=shown, certificate_expiry=expiry)
    url = "https://login.acme.example/jwks"
    response = Response("GET", url, 200, httpx.Headers(), b"", phases, NOW, NOW)
    answer = JwksAnswer(
        Issuer("acme", "https://login.acme.example"), response, KeySet(()), 0.1, now, certificates=known
    )
    return [finding for finding in run_checks(KEYS, answer) if finding.check_id == "ROT-18"]


def told(shown: bytes, before: Sequence[bytes]) -> list[str]:
    """In which words."""
    return [finding.message for finding in said(shown, before)]


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


@pytest.mark.parametrize(
    "shown", [certificate("E7", OTHER, organisation="Let's Encrypt"), certificate("E8", organisation="Let's Encrypt")]
)
def test_a_renewal_by_the_same_organisation_is_a_note(shown: bytes) -> None:
    (finding,) = said(shown, [certificate("E7", organisation="Let's Encrypt")])

    assert finding.severity is Severity.INFO


def test_an_organisation_that_was_seen_before_is_no_move() -> None:
    before = [certificate("WR1", organisation="Google Trust Services"), certificate("E7", organisation="Let's Encrypt")]

    (finding,) = said(certificate("WR1", OTHER, organisation="Google Trust Services"), before)

    assert finding.severity is Severity.INFO


@pytest.mark.parametrize("before", [certificate("E7", organisation="Let's Encrypt"), certificate("E7")])
def test_a_move_to_another_organisation_is_a_warning(before: bytes) -> None:
    (finding,) = said(certificate("WR1", OTHER, organisation="Google Trust Services"), [before])

    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("validity", "warned"), [(6, [1]), (30, list(range(1, 8))), (90, list(range(1, 15))), (398, list(range(1, 15)))]
)
def test_the_last_days_of_a_certificate_are_told_as_its_validity_goes(validity: int, warned: list[int]) -> None:
    shown = certificate(days=validity)

    days = [left for left in range(1, validity + 1) if said(shown, days=validity - left, left=left)]

    assert days == warned


def test_a_certificate_that_cannot_be_read_is_told_of_as_if_it_were_a_long_one() -> None:
    assert (bool(said(b"0", left=14)), bool(said(b"0", left=16))) == (True, False)
