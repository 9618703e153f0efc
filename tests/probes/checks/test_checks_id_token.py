"""IDT checks: a good ID token is silent, each wrong claim has its finding, and no claims make one raise."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.checks.base import run_checks
from probes.checks.id_token import CLAIMS, IdToken
from probes.jose import Jws
from probes.model import Reason, Severity

if TYPE_CHECKING:
    from tests.probes.checks.conftest import Build

F, W = Severity.FAILURE, Severity.WARNING
R = Reason
GONE = object()
"""In place of a claim: it is left out."""
NONCE, ACCESS_TOKEN = "nonce-of-this-run", "access-token-of-this-run"
HERE = "https://login.acme.example"
NOT_TEXT = (None, 1, ["a"], {"a": 1}, True)


@dataclass(frozen=True, slots=True)
class Case:
    """What is wrong in a token, and the one finding that it must lead to. `claims` named in TIMES are relative."""

    id: str
    severity: Severity
    reason: Reason
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    client: dict[str, Any] = field(default_factory=dict)
    around: dict[str, Any] = field(default_factory=dict)


TIMES = frozenset({"iat", "exp", "nbf", "auth_time"})

CASES = (
    *(Case("IDT-02", F, R.ISSUER_MISMATCH, {"iss": value}) for value in (GONE, f"{HERE}/", "", *NOT_TEXT)),
    *(Case("IDT-03", F, R.AUDIENCE_MISMATCH, {"aud": v}) for v in (GONE, "other", [], ["other"], *NOT_TEXT)),
    Case("IDT-03", F, R.AUDIENCE_MISMATCH, {"aud": ["portal", "other"], "azp": "portal"}),
    Case("IDT-04", F, R.CLAIM_INVALID, {"aud": ["portal", "other"]}),
    *(Case("IDT-04", F, R.CLAIM_INVALID, {"azp": value}) for value in ("other", "", 1, ["portal"])),
    Case("IDT-07", F, R.TOKEN_EXPIRED, {"exp": 0}),
    Case("IDT-07", F, R.TOKEN_EXPIRED, {"exp": -3600}),
    *(Case("IDT-07", F, R.CLAIM_INVALID, {"exp": value}) for value in (GONE, "soon", None, True, [], 10**200)),
    Case("IDT-07", W, R.TOKEN_EXPIRED, {"exp": 100_000}),
    Case("IDT-08", F, R.TOKEN_NOT_YET_VALID, {"iat": 10}),
    Case("IDT-08", F, R.TOKEN_NOT_YET_VALID, {"nbf": 10}),
    Case("IDT-08", F, R.CLOCK_SKEW, {"iat": -400}),
    *(Case("IDT-08", F, R.CLAIM_INVALID, {"iat": value}) for value in (GONE, "now", None, False, {})),
    Case("IDT-09", F, R.NONCE_MISMATCH, {"nonce": GONE}),
    *(Case("IDT-09", F, R.NONCE_MISMATCH, {"nonce": value}) for value in ("other", "", 1, [NONCE])),
    Case("IDT-09", F, R.NONCE_MISMATCH, {"nonce": "other"}, around={"refreshed": True}),
    Case("IDT-10", F, R.CLAIM_INVALID, client={"acr_values": ("mfa",)}),
    Case("IDT-10", F, R.CLAIM_INVALID, {"acr": "pwd"}, client={"acr_values": ("mfa",)}),
    Case("IDT-10", F, R.CLAIM_INVALID, {"acr": ["mfa"]}, client={"acr_values": ("mfa",)}),
    Case("IDT-11", F, R.CLAIM_INVALID, client={"max_age": 60}),
    Case("IDT-11", F, R.CLAIM_INVALID, {"auth_time": -80}, client={"max_age": 60}),
    Case("IDT-11", F, R.CLAIM_INVALID, {"auth_time": "now"}, client={"max_age": 60}),
    Case("IDT-11", F, R.CLAIM_INVALID, client={"max_age": 60}, around={"refreshed": True}),
    Case("IDT-11", F, R.CLAIM_INVALID, {"auth_time": 0}, around={"refreshed": True, "previous_auth_time": 1.0}),
    Case("IDT-12", F, R.CLAIM_INVALID, {"at_hash": "A" * 22}),
    Case("IDT-13", F, R.CLAIM_INVALID, {"sub": GONE}),
    *(Case("IDT-13", F, R.CLAIM_INVALID, {"sub": value}) for value in ("", "a" * 256, "caf\u00e9", *NOT_TEXT)),
    Case("IDT-13", F, R.CLAIM_INVALID, {"sub": "bob"}, around={"previous_sub": "alice"}),
    *(
        Case("IDT-14", F, R.CLAIM_INVALID, {"groups": value}, client={"required_claims": ("groups",)})
        for value in (GONE, None, "", [], {})
    ),
    Case("IDT-14", W, R.CLAIM_INVALID, {"email_verified": "true"}),
    Case("IDT-15", W, R.CLAIM_INVALID, {"address": {"country": "IE"}}),
    Case("IDT-15", W, R.CLAIM_INVALID, {"birthdate": "2000-01-01"}, client={"scopes": ("openid",)}),
)


def subject(build: Build, case: Case) -> IdToken:
    """The good token, changed as the case says."""
    now = build.now.timestamp()
    good = {"iss": HERE, "aud": "portal", "sub": "alice", "nonce": NONCE, "iat": 0, "exp": 300}
    claims = {
        name: now + value if name in TIMES and type(value) is int else value
        for name, value in {**good, **case.claims}.items()
        if value is not GONE
    }
    return IdToken(
        jws=Jws({"alg": "RS256", "kid": "key-1", **case.header}, claims, b"", b""),
        issuer=build.issuer(),
        client=build.client(**case.client),
        now=build.now,
        **{"nonce": NONCE, "access_token": ACCESS_TOKEN, **case.around},
    )


def findings_of(token: IdToken) -> set[tuple[str, Severity, Reason]]:
    return {(finding.check_id, finding.severity, finding.reason) for finding in run_checks(CLAIMS, token)}


def good(**case: Any) -> Case:
    return Case("", F, R.CLAIM_INVALID, **case)


@pytest.mark.parametrize(
    "case",
    [
        good(),
        good(claims={"aud": ["portal", "orders"], "azp": "portal"}, client={"audience": "orders"}),
        good(claims={"aud": ["portal"], "azp": "portal"}),
        good(claims={"iat": 2, "nbf": 2}),
        good(claims={"iat": -301, "nbf": -301, "exp": 3600}),  # Entra ID
        good(claims={"nonce": GONE}, around={"refreshed": True}),
        good(claims={"acr": "mfa"}, client={"acr_values": ("mfa", "hwk")}),
        good(claims={"auth_time": -71}, client={"max_age": 60}),
        good(claims={"auth_time": -7200}, client={"max_age": 60}, around={"refreshed": True}),
        good(around={"refreshed": True, "previous_auth_time": 1.0}),
        good(claims={"auth_time": 1.0}, around={"refreshed": True, "previous_auth_time": 1.0}),
        good(around={"previous_sub": "alice"}),
        good(claims={"groups": ["a"], "email_verified": True}, client={"required_claims": ("groups",)}),
        good(claims={"birthdate": "2000-01-01"}, client={"scopes": ("openid", "profile")}),
        good(claims={"address": {}}, client={"scopes": ("openid", "address")}),
    ],
)
def test_a_good_token_leads_to_no_finding(build: Build, case: Case) -> None:
    assert findings_of(subject(build, case)) == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_wrong_claim_leads_to_its_finding(build: Build, case: Case) -> None:
    assert (case.id, case.severity, case.reason) in findings_of(subject(build, case))


def test_every_check_of_the_table_is_provoked() -> None:
    assert {case.id for case in CASES} == {check.id for check in CLAIMS}


@pytest.mark.parametrize(
    ("alg", "digest"),
    [
        ("RS256", hashlib.sha256),
        ("PS384", hashlib.sha384),
        ("ES512", hashlib.sha512),
        ("EdDSA", hashlib.sha512),
        ("Ed25519", hashlib.sha512),
    ],
)
def test_at_hash_is_the_left_half_of_the_hash_that_belongs_to_the_algorithm(
    build: Build, alg: str, digest: Any
) -> None:
    whole = digest(ACCESS_TOKEN.encode()).digest()
    right = base64.urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode()
    left = base64.urlsafe_b64encode(whole[len(whole) // 2 :]).rstrip(b"=").decode()

    assert findings_of(subject(build, good(claims={"at_hash": right}, header={"alg": alg}))) == set()
    assert "IDT-12" in {
        id for id, _, _ in findings_of(subject(build, good(claims={"at_hash": left}, header={"alg": alg})))
    }


def test_at_hash_of_ed448_is_half_of_what_that_curve_hashes_to(build: Build) -> None:
    half = hashlib.shake_256(ACCESS_TOKEN.encode()).digest(114)[:57]
    claims = {"at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode()}
    token = subject(build, good(claims=claims, header={"alg": "EdDSA"}))

    assert findings_of(replace(token, jws=replace(token.jws, signature=bytes(114)))) == set()
    assert findings_of(replace(token, jws=replace(token.jws, signature=bytes(64)))) != set()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        "iss",
        "aud",
        "sub",
        "nonce",
        "iat",
        "exp",
        "nbf",
        "azp",
        "acr",
        "auth_time",
        "at_hash",
        "email_verified",
        "groups",
    ]
)


@given(st.dictionaries(NAMES, JSON, max_size=5), st.dictionaries(st.sampled_from(["typ", "alg", "kid"]), JSON))
def test_no_claims_and_no_header_make_a_check_raise(
    build: Build, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    client = {"acr_values": ("mfa",), "max_age": 60, "required_claims": ("groups",)}

    findings = run_checks(CLAIMS, subject(build, Case("", F, R.CLAIM_INVALID, claims, header, client)))

    assert all(0 < len(finding.message) <= 500 for finding in findings)
