"""DISC checks: a good document is silent, each mistake has its finding, and no document makes one raise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.checks.base import run_checks
from probes.checks.discovery import ANSWER, DOCUMENT, DiscoveryAnswer, oauth_metadata_url
from probes.model import Reason, Severity

if TYPE_CHECKING:
    from tests.probes.checks.conftest import Build

Document = Callable[[], dict[str, Any]]
F, W, I = Severity.FAILURE, Severity.WARNING, Severity.INFO
R = Reason
GONE = object()
"""In place of a member: it is left out."""
HERE = "https://login.acme.example"


@dataclass(frozen=True, slots=True)
class Case:
    """What is wrong, and the one finding that it must lead to (its severity and reason)."""

    id: str
    severity: Severity
    reason: Reason
    members: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    issuer: dict[str, Any] = field(default_factory=dict)
    around: dict[str, Any] = field(default_factory=dict)


def changed(**members: Any) -> dict[str, Any]:
    """As `previous` or `oauth`: the good document with these members."""
    return members


CASES = (
    Case("DISC-01", F, R.BAD_RESPONSE, answer={"status": 302, "headers": {"location": "https://sso.example/?a=b"}}),
    Case("DISC-01", F, R.BAD_RESPONSE, answer={"status": 404}),
    Case("DISC-01", F, R.RATE_LIMITED, answer={"status": 429}),
    Case("DISC-01", F, R.SERVER_ERROR, answer={"status": 503}),
    Case("DISC-01", F, R.BAD_RESPONSE, answer={"headers": {"content-type": "text/html; charset=utf-8"}}),
    Case("DISC-01", F, R.BAD_RESPONSE, answer={"headers": {"content-type": ""}}),
    Case("DISC-02", F, R.ISSUER_MISMATCH, {"issuer": f"{HERE}/"}),
    Case("DISC-02", F, R.ISSUER_MISMATCH, {"issuer": "https://LOGIN.acme.example"}),
    Case("DISC-02", F, R.ISSUER_MISMATCH, {"issuer": f"{HERE}:443"}),
    Case("DISC-03", F, R.DISCOVERY_INVALID, {"issuer": "http://login.acme.example"}),
    Case("DISC-03", F, R.DISCOVERY_INVALID, {"issuer": f"{HERE}?tenant=a"}),
    Case("DISC-03", F, R.DISCOVERY_INVALID, {"issuer": f"{HERE}#a"}),
    Case("DISC-03", W, R.DISCOVERY_INVALID, {"issuer": "http://a.example"}, issuer={"policy": {"allow_http": True}}),
    *(
        Case("DISC-04", F, R.DISCOVERY_INVALID, {member: value})
        for member in ("issuer", "authorization_endpoint", "jwks_uri", "token_endpoint")
        for value in (GONE, "", None, 1, ["a"])
    ),
    *(
        Case("DISC-04", F, R.DISCOVERY_INVALID, {member: value})
        for member in ("subject_types_supported", "response_types_supported", "id_token_signing_alg_values_supported")
        for value in (GONE, [], "code", {})
    ),
    Case("DISC-05", F, R.DISCOVERY_INVALID, {"id_token_signing_alg_values_supported": ["ES256"]}),
    Case("DISC-05", F, R.DISCOVERY_INVALID, {"id_token_signing_alg_values_supported": ["RS256", "none"]}),
    Case(
        "DISC-05", W, R.DISCOVERY_INVALID, {"id_token_signing_alg_values_supported": ["RS256", "none"]},
        issuer={"policy": {"allow_alg_none": True}},
    ),
    Case("DISC-06", F, R.DISCOVERY_INVALID, {"jwks_uri": "http://login.acme.example/jwks"}),
    Case("DISC-06", F, R.DISCOVERY_INVALID, {"token_endpoint": "https://evil.example/token"}),
    Case("DISC-06", F, R.DISCOVERY_INVALID, {"revocation_endpoint": "https://[half/token"}),
    Case("DISC-06", F, R.DISCOVERY_INVALID, {"registration_endpoint": "/relative"}),
    Case(
        "DISC-06", W, R.DISCOVERY_INVALID, {"jwks_uri": "http://login.acme.example/"},
        issuer={"policy": {"allow_http": True}},
    ),
    Case(
        "DISC-06", I, R.DISCOVERY_INVALID, {"jwks_uri": "https://keys.example/"},
        issuer={"allowed_hosts": frozenset({"*"})},
    ),
    Case("DISC-07", W, R.DISCOVERY_INVALID, {"code_challenge_methods_supported": GONE}),
    Case("DISC-07", W, R.DISCOVERY_INVALID, {"code_challenge_methods_supported": ["S256", "plain"]}),
    Case("DISC-08", W, R.DISCOVERY_INVALID, {"response_types_supported": ["id_token"]}),
    Case("DISC-08", I, R.DISCOVERY_INVALID, {"response_types_supported": ["code", "id_token token"]}),
    Case("DISC-09", W, R.DISCOVERY_INVALID, {"scopes_supported": ["profile"]}),
    Case("DISC-09", W, R.DISCOVERY_INVALID, {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}),
    Case("DISC-10", W, R.DISCOVERY_INVALID, {"authorization_response_iss_parameter_supported": GONE}),
    Case("DISC-10", W, R.DISCOVERY_INVALID, {"authorization_response_iss_parameter_supported": "true"}),
    Case("DISC-11", W, R.DISCOVERY_INVALID, issuer={"policy": {"expect": ("backchannel_logout_supported",)}}),
    Case("DISC-12", W, R.DISCOVERY_INVALID, around={"oauth": changed(token_endpoint=f"{HERE}/oauth/token")}),
    Case("DISC-12", W, R.DISCOVERY_INVALID, around={"oauth": changed(issuer=f"{HERE}/")}),
    Case("DISC-13", F, R.DISCOVERY_DRIFT, around={"previous": changed(token_endpoint=f"{HERE}/old")}),
    Case("DISC-13", F, R.DISCOVERY_DRIFT, around={"previous": changed(revocation_endpoint=f"{HERE}/gone")}),
    Case(
        "DISC-13", F, R.DISCOVERY_DRIFT,
        around={"previous": changed(id_token_signing_alg_values_supported=["RS256", "ES256"])},
    ),
    Case("DISC-13", I, R.DISCOVERY_DRIFT, around={"previous": changed(token_endpoint_auth_methods_supported=[])}),
    Case("DISC-14", W, R.DISCOVERY_INVALID, answer={"headers": {"cache-control": "max-age=100000"}}),
    Case("DISC-14", W, R.DISCOVERY_INVALID, answer={"body": b" " * 70_000}),
    Case("DISC-14", W, R.DISCOVERY_INVALID, around={"seconds": 6.0}),
    Case("DISC-15", I, R.DISCOVERY_INVALID, {"request_uri_parameter_supported": GONE}),
    Case("DISC-16", W, R.CLOCK_SKEW, answer={"headers": {"date": "Sun, 01 Mar 2026 12:00:10 GMT"}}),
    Case("DISC-16", W, R.CLOCK_SKEW, answer={"headers": {"date": "Sun, 01 Mar 2026 11:59:00 GMT"}}),
)  # fmt: skip


def subject(build: Build, good: Document, case: Case | None = None) -> DiscoveryAnswer:
    """A good answer, changed as the case says."""
    document = good()
    if case is None:
        return DiscoveryAnswer(build.issuer(clients=(build.client(),)), build.answer(document), document, 0.1)
    document = {name: value for name, value in {**document, **case.members}.items() if value is not GONE}
    around: dict[str, Any] = {
        name: {**good(), **value} if name in ("previous", "oauth") else value for name, value in case.around.items()
    }
    return DiscoveryAnswer(
        issuer=build.issuer(clients=(build.client(),), **case.issuer),
        response=build.answer(document, **case.answer),
        document=document,
        **{"seconds": 0.1, **around},
    )


def test_a_good_document_leads_to_no_finding(build: Build, discovery_document: Document) -> None:
    good = subject(build, discovery_document)

    assert run_checks(ANSWER + DOCUMENT, good) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_mistake_leads_to_its_finding(build: Build, discovery_document: Document, case: Case) -> None:
    findings = run_checks(ANSWER + DOCUMENT, subject(build, discovery_document, case))

    assert (case.id, case.severity, case.reason) in {(f.check_id, f.severity, f.reason) for f in findings}
    assert all(finding.citation and 0 < len(finding.message) <= 500 for finding in findings)


def test_every_check_of_the_tables_is_provoked() -> None:
    assert {case.id for case in CASES} == {check.id for check in ANSWER + DOCUMENT}


def test_only_the_implicit_flow_needs_no_token_endpoint(build: Build, discovery_document: Document) -> None:
    document = {**discovery_document(), "response_types_supported": ["id_token"]}
    del document["token_endpoint"]
    implicit = DiscoveryAnswer(build.issuer(), build.answer(document), document, 0.1)

    assert "DISC-04" not in {finding.check_id for finding in run_checks(DOCUMENT, implicit)}


def test_an_endpoint_on_an_allowed_host_is_no_finding(build: Build, discovery_document: Document) -> None:
    document = {**discovery_document(), "jwks_uri": "https://KEYS.example/jwks"}
    issuer = build.issuer(allowed_hosts=frozenset({"keys.example"}))

    assert run_checks(DOCUMENT, DiscoveryAnswer(issuer, build.answer(document), document, 0.1)) == []


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://a.example", "https://a.example/.well-known/oauth-authorization-server"),
        ("https://a.example/", "https://a.example/.well-known/oauth-authorization-server"),
        ("https://a.example:8443/realms/b", "https://a.example:8443/.well-known/oauth-authorization-server/realms/b"),
    ],
)
def test_the_oauth_metadata_is_between_host_and_path(issuer: str, url: str) -> None:
    assert oauth_metadata_url(issuer) == url


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
URLS = st.sampled_from(
    ["https://", "https://[", "https://a:b/", "//a", "https://\u00df", "http://[::1]:x", "a:", "https://@/"]
)


@given(st.data())
def test_no_value_of_any_member_makes_a_check_raise(
    build: Build, discovery_document: Document, data: st.DataObject
) -> None:
    document = discovery_document()
    members = st.dictionaries(st.sampled_from([*document, "revocation_endpoint"]), JSON | URLS, min_size=1, max_size=4)
    hostile = {**document, **data.draw(members)}
    issuer = build.issuer(clients=(build.client(),), policy={"expect": ("issuer",)})

    findings = run_checks(DOCUMENT, DiscoveryAnswer(issuer, build.answer({}), hostile, 0.1, document, hostile))
    findings += run_checks(DOCUMENT, DiscoveryAnswer(issuer, build.answer({}), document, 0.1, hostile, hostile))

    assert all(len(finding.message) <= 500 for finding in findings)


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=4))
def test_no_document_makes_a_check_raise(build: Build, document: dict[str, Any]) -> None:
    findings = run_checks(DOCUMENT, DiscoveryAnswer(build.issuer(), build.answer({}), document, 0.1))

    assert "DISC-04" in {finding.check_id for finding in findings}
