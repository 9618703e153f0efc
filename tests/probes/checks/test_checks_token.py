"""TOK checks: a good token response is silent, each mistake has its finding, and no response makes one raise."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.checks.base import run_checks
from probes.checks.token import ERRORS, SUCCESS, Grant, TokenAnswer
from probes.model import Reason, Severity
from probes.subjects import AuthMethod

if TYPE_CHECKING:
    from tests.probes.checks.conftest import Build
    from tests.probes.conftest import Signer

F, W, I = Severity.FAILURE, Severity.WARNING, Severity.INFO
R = Reason
GONE = object()
"""In place of a member: it is left out."""
NOT_STORED = {"cache-control": "no-store", "pragma": "no-cache"}
GOOD = {"access_token": "opaque-token", "token_type": "Bearer", "expires_in": 300, "id_token": "a.b.c"}
REFUSED = {"error": "invalid_client"}


@dataclass(frozen=True, slots=True)
class Case:
    """What is wrong in a response, and the one finding that it must lead to."""

    id: str
    severity: Severity
    reason: Reason
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    grant: Grant = Grant.AUTHORIZATION_CODE


def refused(id: str, status: int, document: dict[str, Any], reason: Reason = R.BAD_RESPONSE, **headers: str) -> Case:
    """A refusal: the good members are not there."""
    gone = dict.fromkeys(GOOD, GONE)
    return Case(id, W, reason, {**gone, **document}, {n.replace("_", "-"): v for n, v in headers.items()}, status)


CASES = (
    *(
        Case("TOK-01", F, R.BAD_RESPONSE, {member: value})
        for member in ("access_token", "token_type", "id_token")
        for value in (GONE, "", None, 1, ["a"], {"a": 1})
    ),
    Case("TOK-01", F, R.BAD_RESPONSE, {"token_type": "mac"}),
    Case("TOK-01", F, R.BAD_RESPONSE, {"access_token": "a\r\nX-Injected: 1"}),
    Case("TOK-01", F, R.BAD_RESPONSE, {"access_token": "caf\u00e9"}),
    Case("TOK-01", F, R.BAD_RESPONSE, {"access_token": "a\x7f"}),
    Case("TOK-01", F, R.BAD_RESPONSE, {"refresh_token": "a\0b"}),
    Case("TOK-02", F, R.BAD_RESPONSE, headers={"cache-control": ""}),
    Case("TOK-02", F, R.BAD_RESPONSE, headers={"cache-control": "private, max-age=60"}),
    Case("TOK-02", I, R.BAD_RESPONSE, headers={"pragma": ""}),
    *(
        Case("TOK-03", W, R.BAD_RESPONSE, {"expires_in": value})
        for value in (GONE, "300", None, True, 0, -1, 10**300, [300])
    ),
    Case("TOK-04", W, R.BAD_RESPONSE, {"expires_in": 90_000}),
    Case("TOK-04", W, R.BAD_RESPONSE, {"refresh_token": "opaque"}, grant=Grant.CLIENT_CREDENTIALS),
    refused("TOK-05", 400, {}),
    refused("TOK-05", 400, {"error": "of_their_own"}),
    refused("TOK-05", 400, {"error": 5}),
    refused("TOK-05", 404, REFUSED),
    refused("TOK-05", 302, {}),
    refused("TOK-05", 401, REFUSED),
    refused("TOK-12", 429, {}, R.RATE_LIMITED),
    refused("TOK-12", 400, REFUSED, R.RATE_LIMITED, x_ratelimit_limit="100", x_ratelimit_remaining="9"),
    Case("TOK-12", W, R.RATE_LIMITED, headers={"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0"}),
)


def subject(build: Build, case: Case, **client: Any) -> TokenAnswer:
    """The good answer, changed as the case says."""
    document = {name: value for name, value in {**GOOD, **case.members}.items() if value is not GONE}
    response = build.answer(document, status=case.status, headers={**NOT_STORED, **case.headers})
    return TokenAnswer(build.issuer(), build.client(**client), case.grant, response, document)


def findings_of(answer: TokenAnswer) -> set[tuple[str, Severity, Reason]]:
    table = SUCCESS if answer.response.status == 200 else ERRORS
    return {(finding.check_id, finding.severity, finding.reason) for finding in run_checks(table, answer)}


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "DPoP"])
def test_a_good_response_leads_to_no_finding(build: Build, kind: str) -> None:
    assert findings_of(subject(build, Case("", F, R.BAD_RESPONSE, {"token_type": kind}))) == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_mistake_leads_to_its_finding_and_no_other(build: Build, case: Case) -> None:
    assert (case.id, case.severity, case.reason) in findings_of(subject(build, case))
    assert {id for id, _, _ in findings_of(subject(build, case))} <= {case.id, "TOK-03", "TOK-12"}


def test_every_check_of_the_tables_is_provoked() -> None:
    assert {case.id for case in CASES} == {check.id for check in SUCCESS + ERRORS}


@pytest.mark.parametrize(
    ("status", "headers", "method"),
    [
        (400, {}, AuthMethod.BASIC),
        (401, {"www-authenticate": "Basic"}, AuthMethod.BASIC),
        (401, {}, AuthMethod.POST),
    ],
)
def test_a_refusal_as_the_specification_wants_it_leads_to_no_finding(
    build: Build, status: int, headers: dict[str, str], method: AuthMethod
) -> None:
    case = replace(refused("", status, REFUSED), headers=headers)

    assert findings_of(subject(build, case, auth_method=method)) == set()


def test_a_client_that_does_not_ask_for_openid_needs_no_id_token(build: Build) -> None:
    case = Case("", F, R.BAD_RESPONSE, {"id_token": GONE})

    assert findings_of(subject(build, case, scopes=("orders",))) == set()


@pytest.mark.parametrize(("lives", "ids"), [(300, set()), (304, set()), (600, {"TOK-03"})])
def test_expires_in_is_compared_with_the_token_itself(build: Build, signer: Signer, lives: int, ids: set[str]) -> None:
    token = signer.sign({"iat": 1_000, "exp": 1_000 + lives})
    case = Case("", F, R.BAD_RESPONSE, {"access_token": token})

    assert {id for id, _, _ in findings_of(subject(build, case))} == ids


def test_expires_in_counts_from_the_answer_whatever_iat_says(build: Build, signer: Signer) -> None:
    now = int(build.now.timestamp())
    token = signer.sign({"iat": now - 300, "exp": now + 300})

    assert findings_of(subject(build, Case("", F, R.BAD_RESPONSE, {"access_token": token}))) == set()


@pytest.mark.parametrize("token", ["eyJ.a.b", "eyJhbGciOiJub25lIn0.W10.", "eyJhbGciOiJub25lIn0.!.a"])
def test_an_access_token_that_only_looks_like_a_jws_is_left_alone(build: Build, token: str) -> None:
    assert findings_of(subject(build, Case("", F, R.BAD_RESPONSE, {"access_token": token}))) == set()


@pytest.mark.parametrize("value", ["\u00b2", "\u00b2\u00b3", "-1", "1.5", "9" * 500, "lots"])
def test_rate_limit_headers_that_are_no_numbers_are_ignored(build: Build, value: str) -> None:
    headers = {"x-ratelimit-limit": value, "x-ratelimit-remaining": "0"}
    swapped = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": value}

    for given_headers in (headers, swapped):
        assert findings_of(subject(build, Case("", F, R.BAD_RESPONSE, headers=given_headers))) == set()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from([*GOOD, "refresh_token", "error", "error_description", "scope"])


@given(st.dictionaries(MEMBERS, JSON, max_size=4), st.sampled_from([200, 204, 302, 400, 401, 429, 500]))
def test_no_value_of_any_member_makes_a_check_raise(build: Build, members: dict[str, Any], status: int) -> None:
    answer = subject(build, Case("", F, R.BAD_RESPONSE, members, status=status))

    findings = run_checks(SUCCESS + ERRORS, answer)

    assert all(0 < len(finding.message) <= 500 for finding in findings)
