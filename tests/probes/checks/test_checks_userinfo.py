"""USR checks: a good UserInfo answer is silent, and each mistake has its finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probes.checks.base import run_checks
from probes.checks.userinfo import ANSWER, CLAIMS, UserInfo
from probes.model import Reason, Severity

if TYPE_CHECKING:
    from tests.probes.checks.conftest import Build

F, W = Severity.FAILURE, Severity.WARNING
R = Reason
CHALLENGE = {"www-authenticate": 'Bearer error="invalid_token"'}

CASES: tuple[tuple[str, Severity, Reason, object, dict[str, Any]], ...] = (
    ("USR-01", F, R.RESOURCE_REJECTED, "alice", {"status": 401, "headers": CHALLENGE}),
    ("USR-01", F, R.RESOURCE_FORBIDDEN, "alice", {"status": 403}),
    ("USR-01", F, R.RATE_LIMITED, "alice", {"status": 429}),
    ("USR-01", F, R.SERVER_ERROR, "alice", {"status": 502}),
    ("USR-01", F, R.BAD_RESPONSE, "alice", {"status": 204}),
    ("USR-01", F, R.BAD_RESPONSE, "alice", {"headers": {"content-type": "text/html"}}),
    ("USR-02", F, R.CLAIM_INVALID, "bob", {}),
    ("USR-02", F, R.CLAIM_INVALID, "", {}),
    ("USR-02", F, R.CLAIM_INVALID, ["alice"], {}),
    ("USR-02", F, R.CLAIM_INVALID, None, {}),
    ("USR-03", W, R.BAD_RESPONSE, "alice", {"status": 401}),
)


def subject(build: Build, sub: object, **answer: Any) -> UserInfo:
    document = {"sub": sub}
    return UserInfo(build.answer(document, **answer), document, "alice")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/jwt"])
def test_a_good_answer_leads_to_no_finding(build: Build, kind: str) -> None:
    assert run_checks(ANSWER + CLAIMS, subject(build, "alice", headers={"content-type": kind})) == []


@pytest.mark.parametrize(("id", "severity", "reason", "sub", "answer"), CASES)
def test_a_mistake_leads_to_its_finding(
    build: Build, id: str, severity: Severity, reason: Reason, sub: object, answer: dict[str, Any]
) -> None:
    findings = run_checks(ANSWER + CLAIMS, subject(build, sub, **answer))

    assert (id, severity, reason) in {(f.check_id, f.severity, f.reason) for f in findings}
    assert not any("bob" in finding.message for finding in findings)


def test_every_check_of_the_tables_is_provoked() -> None:
    assert {case[0] for case in CASES} == {check.id for check in ANSWER + CLAIMS}
