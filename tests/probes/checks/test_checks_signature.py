"""Form and signature checks: a good token is silent, and each forgery has its finding."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.checks.base import run_checks
from probes.checks.signature import ACCESS_TOKEN, ID_TOKEN, SignedToken
from probes.jose import ASYMMETRIC
from probes.keys import KeySet, parse_keys
from probes.model import Reason, Severity

if TYPE_CHECKING:
    from tests.probes.conftest import Signer

F = Severity.FAILURE
R = Reason
RS256 = frozenset({"RS256"})
CLAIMS = {"sub": "alice"}


def b64(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def flipped(token: str) -> str:
    """With one bit of the signature changed, and not a bit of the padding."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


@dataclass(frozen=True, slots=True)
class Signers:
    """Who published a key, and who did not."""

    known: Signer
    stranger: Signer
    curve: Signer

    @property
    def keys(self) -> KeySet:
        return parse_keys(json.dumps({"keys": [self.known.jwk(), self.curve.jwk()]}).encode())


Forge = Callable[[Signers], str]
CASES: tuple[tuple[str, Reason, Forge], ...] = (
    ("IDT-01", R.BAD_RESPONSE, lambda s: "opaque"),
    ("IDT-01", R.BAD_RESPONSE, lambda s: "a.b.c.d.e"),
    ("IDT-01", R.CLAIM_INVALID, lambda s: s.known.sign(CLAIMS, typ="at+jwt")),
    ("IDT-01", R.CLAIM_INVALID, lambda s: s.known.sign(CLAIMS, typ="logout+jwt")),
    ("IDT-06", R.ALG_NOT_ALLOWED, lambda s: f"{b64({'alg': 'none'})}.{b64(CLAIMS)}."),
    ("IDT-06", R.ALG_NOT_ALLOWED, lambda s: f"{b64({'alg': 'HS256', 'kid': 'key-1'})}.{b64(CLAIMS)}.AAAA"),
    ("IDT-06", R.ALG_NOT_ALLOWED, lambda s: s.curve.sign(CLAIMS)),
    ("IDT-05", R.KID_UNKNOWN, lambda s: s.stranger.sign(CLAIMS)),
    ("IDT-05", R.SIGNATURE_INVALID, lambda s: s.stranger.sign(CLAIMS, kid=s.known.kid)),
    ("IDT-05", R.SIGNATURE_INVALID, lambda s: flipped(s.known.sign(CLAIMS))),
    ("IDT-05", R.KID_UNKNOWN, lambda s: s.known.sign(CLAIMS, kid=s.curve.kid)),
    ("IDT-05", R.BAD_RESPONSE, lambda s: s.known.sign(CLAIMS, crit=["urn:x"])),
)
ACCESS_CASES: tuple[tuple[str, Reason, Forge], ...] = (
    ("ACC-06", R.ALG_NOT_ALLOWED, lambda s: f"{b64({'alg': 'none'})}.{b64(CLAIMS)}."),
    ("ACC-07", R.KID_UNKNOWN, lambda s: s.stranger.sign(CLAIMS)),
    ("ACC-07", R.SIGNATURE_INVALID, lambda s: flipped(s.known.sign(CLAIMS))),
)


@pytest.fixture(scope="session")
def signers(signer: Signer, other_signer: Signer, ec_signer: Signer) -> Signers:
    return Signers(signer, other_signer, ec_signer)


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "application/jwt"])
def test_a_good_id_token_leads_to_no_finding(signers: Signers, typ: str | None) -> None:
    token = signers.known.sign(CLAIMS, typ=typ)

    assert run_checks(ID_TOKEN, SignedToken.of(token, signers.keys, RS256)) == []


@pytest.mark.parametrize("typ", [None, "at+jwt", "anything"])
def test_a_good_access_token_leads_to_no_finding(signers: Signers, typ: str | None) -> None:
    for signer in (signers.known, signers.curve):
        assert run_checks(ACCESS_TOKEN, SignedToken.of(signer.sign(CLAIMS, typ=typ), signers.keys, ASYMMETRIC)) == []


@pytest.mark.parametrize(("id", "reason", "forge"), CASES)
def test_a_forged_id_token_leads_to_its_finding_and_no_other(
    signers: Signers, id: str, reason: Reason, forge: Forge
) -> None:
    token = forge(signers)

    (finding,) = run_checks(ID_TOKEN, SignedToken.of(token, signers.keys, RS256))

    assert (finding.check_id, finding.severity, finding.reason) == (id, F, reason)
    assert token not in finding.message


@pytest.mark.parametrize(("id", "reason", "forge"), ACCESS_CASES)
def test_a_forged_access_token_leads_to_its_finding_and_no_other(
    signers: Signers, id: str, reason: Reason, forge: Forge
) -> None:
    (finding,) = run_checks(ACCESS_TOKEN, SignedToken.of(forge(signers), signers.keys, ASYMMETRIC))

    assert (finding.check_id, finding.severity, finding.reason) == (id, F, reason)


def test_every_check_of_the_tables_is_provoked() -> None:
    assert {case[0] for case in CASES} == {check.id for check in ID_TOKEN}
    assert {case[0] for case in ACCESS_CASES} == {check.id for check in ACCESS_TOKEN}


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=2)
HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "jku", "b64"]), JSON, max_size=4)


@given(HEADERS, JSON | st.dictionaries(st.text(max_size=5), JSON, max_size=3), st.text("AQ-_.", max_size=8))
def test_no_header_and_no_payload_make_a_check_raise(
    signers: Signers, header: dict[str, Any], claims: object, signature: str
) -> None:
    token = f"{b64({'alg': 'RS256', 'kid': 'key-1', **header})}.{b64(claims)}.{signature}"

    findings = run_checks(ID_TOKEN, SignedToken.of(token, signers.keys, RS256))

    assert findings
    assert all(0 < len(finding.message) <= 500 for finding in findings)
