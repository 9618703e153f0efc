"""ACC checks: a good access token is silent, each wrong claim has its finding, and no claims make one raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.checks.access_token import CLAIMS, AccessToken
from probes.checks.base import run_checks
from probes.jose import Jws
from probes.model import Reason, Severity

if TYPE_CHECKING:
    from tests.probes.checks.conftest import Build

F, W = Severity.FAILURE, Severity.WARNING
R = Reason
GONE = object()
"""In place of a claim: it is left out."""
HERE = "https://login.acme.example"
TIMES = frozenset({"iat", "exp", "nbf"})

CASES: tuple[tuple[str, Severity, Reason, dict[str, Any], dict[str, Any]], ...] = (
    *(("ACC-01", F, R.ISSUER_MISMATCH, {"iss": value}, {}) for value in (GONE, f"{HERE}/", None, 1, [HERE])),
    *(("ACC-02", F, R.AUDIENCE_MISMATCH, {"aud": v}, {}) for v in (GONE, "other", [], ["other"], 1, {"orders": 1})),
    ("ACC-03", F, R.TOKEN_EXPIRED, {"exp": 0}, {}),
    *(("ACC-03", F, R.TOKEN_EXPIRED, {"exp": value}, {}) for value in (GONE, "soon", None, 10**200)),
    ("ACC-04", F, R.TOKEN_NOT_YET_VALID, {"iat": 10}, {}),
    ("ACC-04", F, R.TOKEN_NOT_YET_VALID, {"nbf": 10}, {}),
    *(("ACC-05", W, R.CLAIM_INVALID, {}, {"typ": value}) for value in ("JWT", "", None, 1)),
)


def subject(build: Build, claims: dict[str, Any], header: dict[str, Any]) -> AccessToken:
    """The good token with these claims (times relative to now) and header members."""
    now = build.now.timestamp()
    good = {"iss": HERE, "aud": ["orders", "billing"], "sub": "machine", "iat": 0, "exp": 300}
    changed = {
        name: now + value if name in TIMES and type(value) is int else value
        for name, value in {**good, **claims}.items()
        if value is not GONE
    }
    jws = Jws({"alg": "RS256", "typ": "at+jwt", **header}, changed, b"", b"")
    return AccessToken(jws, build.issuer(), build.client(audience="orders"), build.now)


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
@pytest.mark.parametrize("claims", [{}, {"aud": "orders"}, {"iat": GONE}, {"iat": 2, "nbf": 1}])
def test_a_good_token_leads_to_no_finding(build: Build, claims: dict[str, Any], typ: str) -> None:
    assert run_checks(CLAIMS, subject(build, claims, {"typ": typ})) == []


@pytest.mark.parametrize(("id", "severity", "reason", "claims", "header"), CASES)
def test_a_wrong_claim_leads_to_its_finding_and_no_other(
    build: Build, id: str, severity: Severity, reason: Reason, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    (finding,) = run_checks(CLAIMS, subject(build, claims, header))

    assert (finding.check_id, finding.severity, finding.reason) == (id, severity, reason)


def test_every_check_of_the_table_is_provoked() -> None:
    assert {case[0] for case in CASES} == {check.id for check in CLAIMS}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["iss", "aud", "exp", "iat", "nbf"]), JSON), JSON)
def test_no_claims_and_no_typ_make_a_check_raise(build: Build, claims: dict[str, Any], typ: object) -> None:
    findings = run_checks(CLAIMS, subject(build, claims, {"typ": typ}))

    assert all(0 < len(finding.message) <= 500 for finding in findings)
