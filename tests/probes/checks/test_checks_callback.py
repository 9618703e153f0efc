"""AUTH checks: a good authorization response is silent, and each mistake has its finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.checks.base import run_checks
from probes.checks.callback import CALLBACK, REGISTERED_ERRORS, Callback
from probes.model import Reason, Severity

if TYPE_CHECKING:
    from tests.probes.checks.conftest import Build

F, W = Severity.FAILURE, Severity.WARNING
R = Reason
STATE, HERE = "state-of-this-run", "https://login.acme.example"
GOOD = {"code": "c", "state": STATE, "iss": HERE}

CASES: tuple[tuple[str, Severity, Reason, dict[str, str]], ...] = (
    ("AUTH-01", F, R.BAD_RESPONSE, {"state": STATE, "iss": HERE}),
    ("AUTH-01", F, R.BAD_RESPONSE, {"code": "", "state": STATE, "iss": HERE}),
    ("AUTH-02", F, R.STATE_MISMATCH, {"code": "c", "iss": HERE}),
    ("AUTH-02", F, R.STATE_MISMATCH, {**GOOD, "state": ""}),
    ("AUTH-02", F, R.STATE_MISMATCH, {**GOOD, "state": f"{STATE} "}),
    ("AUTH-03", F, R.ISSUER_MISMATCH, {"code": "c", "state": STATE}),
    ("AUTH-03", F, R.ISSUER_MISMATCH, {**GOOD, "iss": f"{HERE}/"}),
    ("AUTH-04", W, R.BAD_RESPONSE, {"error": "of_their_own", "state": STATE, "iss": HERE}),
)


def callback(build: Build, parameters: dict[str, str], iss_supported: bool = True) -> Callback:
    return Callback(build.issuer(), parameters, STATE, iss_supported)


@pytest.mark.parametrize("parameters", [GOOD, *({**GOOD, "error": error} for error in sorted(REGISTERED_ERRORS))])
def test_a_good_response_leads_to_no_finding(build: Build, parameters: dict[str, str]) -> None:
    assert run_checks(CALLBACK, callback(build, parameters)) == []


def test_iss_may_be_missing_when_the_metadata_does_not_promise_it(build: Build) -> None:
    without = {name: value for name, value in GOOD.items() if name != "iss"}

    assert run_checks(CALLBACK, callback(build, without, iss_supported=False)) == []


def test_iss_is_compared_even_when_the_metadata_does_not_promise_it(build: Build) -> None:
    findings = run_checks(CALLBACK, callback(build, {**GOOD, "iss": "https://evil.example"}, iss_supported=False))

    assert [finding.check_id for finding in findings] == ["AUTH-03"]


@pytest.mark.parametrize(("id", "severity", "reason", "parameters"), CASES)
def test_a_mistake_leads_to_its_finding_and_no_other(
    build: Build, id: str, severity: Severity, reason: Reason, parameters: dict[str, str]
) -> None:
    (finding,) = run_checks(CALLBACK, callback(build, parameters))

    assert (finding.check_id, finding.severity, finding.reason) == (id, severity, reason)
    assert STATE not in finding.message


@pytest.mark.parametrize(("allow_http", "ids"), [(False, ["AUTH-01"]), (True, [])])
def test_a_hop_without_tls_is_a_failure_unless_the_policy_allows_it(
    build: Build, allow_http: bool, ids: list[str]
) -> None:
    issuer = build.issuer(policy={"allow_http": allow_http})

    findings = run_checks(CALLBACK, Callback(issuer, GOOD, STATE, True, plain_hops=("login.acme.example",)))

    assert [finding.check_id for finding in findings] == ids


def test_every_check_of_the_table_is_provoked() -> None:
    assert {case[0] for case in CASES} == {check.id for check in CALLBACK}


@given(st.dictionaries(st.sampled_from(["code", "state", "iss", "error"]) | st.text(max_size=8), st.text(max_size=30)))
def test_no_parameters_make_a_check_raise(build: Build, parameters: dict[str, str]) -> None:
    findings = run_checks(CALLBACK, callback(build, parameters))

    assert all(0 < len(finding.message) <= 500 for finding in findings)
