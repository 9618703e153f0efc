"""Every OAuth error code and status means one reason, at the token endpoint and at the redirect URI."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from probes.checks.callback import REGISTERED_ERRORS as CALLBACK_ERRORS
from probes.checks.token import REGISTERED_ERRORS, Grant, TokenAnswer
from probes.http import Response
from probes.model import Reason
from probes.network import Phases
from probes.oauth_errors import OUTCOMES, outcome_of, refusal_of_authorization, refusal_of_token_endpoint
from probes.subjects import Client, Issuer

_R = Reason
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CODE, MACHINE, REFRESH = Grant.AUTHORIZATION_CODE, Grant.CLIENT_CREDENTIALS, Grant.REFRESH_TOKEN
Answer = Callable[..., TokenAnswer]

TOKEN_ENDPOINT = [
    # grant, status, error, reason, outcome
    (CODE, 400, "invalid_grant", _R.GRANT_REJECTED, "invalid_grant"),
    (REFRESH, 400, "invalid_grant", _R.REFRESH_REJECTED, "invalid_grant"),
    (CODE, 401, "invalid_client", _R.CLIENT_AUTH_FAILED, "invalid_client"),
    (CODE, 400, "invalid_client", _R.CLIENT_AUTH_FAILED, "invalid_client"),
    (CODE, 400, "invalid_request", _R.REQUEST_REJECTED, "invalid_request"),
    (MACHINE, 400, "invalid_scope", _R.REQUEST_REJECTED, "invalid_scope"),
    (MACHINE, 400, "invalid_target", _R.REQUEST_REJECTED, "invalid_target"),
    (MACHINE, 400, "unauthorized_client", _R.REQUEST_REJECTED, "unauthorized_client"),
    (MACHINE, 400, "unsupported_grant_type", _R.REQUEST_REJECTED, "unsupported_grant_type"),
    (MACHINE, 403, "access_denied", _R.REQUEST_REJECTED, "access_denied"),
    (MACHINE, 400, "slow_down", _R.RATE_LIMITED, "slow_down"),
    (MACHINE, 400, "temporarily_unavailable", _R.RATE_LIMITED, "temporarily_unavailable"),
    (MACHINE, 400, "server_error", _R.SERVER_ERROR, "server_error"),
    (MACHINE, 400, "something_of_their_own", _R.REQUEST_REJECTED, "http_4xx"),
    (MACHINE, 400, "", _R.BAD_RESPONSE, "http_4xx"),
    (MACHINE, 401, "", _R.CLIENT_AUTH_FAILED, "http_4xx"),
    (MACHINE, 302, "", _R.BAD_RESPONSE, "http_4xx"),
    (MACHINE, 429, "", _R.RATE_LIMITED, "http_4xx"),
    (MACHINE, 429, "invalid_client", _R.RATE_LIMITED, "invalid_client"),
    (MACHINE, 500, "", _R.SERVER_ERROR, "http_5xx"),
    (MACHINE, 502, "invalid_grant", _R.SERVER_ERROR, "http_5xx"),
    (MACHINE, 503, "temporarily_unavailable", _R.SERVER_ERROR, "http_5xx"),
]


@pytest.fixture
def answer() -> Answer:
    """Makes answers of a token endpoint."""

    def make(grant: Grant, status: int, error: str, description: str = "", location: str = "") -> TokenAnswer:
        document = {"error": error, "error_description": description} if error else {}
        headers = httpx.Headers({"location": location} if location else {})
        body = json.dumps(document).encode()
        response = Response("POST", "https://a.example/token", status, headers, body, Phases(), NOW, NOW)
        return TokenAnswer(Issuer("acme", "https://a.example"), Client("c", "c"), grant, response, document)

    return make


@pytest.mark.parametrize(("grant", "status", "error", "reason", "outcome"), TOKEN_ENDPOINT)
def test_a_refusal_of_the_token_endpoint_has_a_reason_and_an_outcome(
    answer: Answer, grant: Grant, status: int, error: str, reason: Reason, outcome: str
) -> None:
    refused = answer(grant, status, error)

    assert refusal_of_token_endpoint(refused).reason is reason
    assert outcome_of(refused) == outcome
    assert outcome in OUTCOMES


def test_every_registered_error_of_the_token_endpoint_is_an_outcome_and_no_probe_error(answer: Answer) -> None:
    for error in REGISTERED_ERRORS:
        refused = answer(MACHINE, 400, error)

        assert outcome_of(refused) == error
        assert refusal_of_token_endpoint(refused).reason is not Reason.PROBE_ERROR


def test_an_unregistered_error_is_told_in_the_detail_and_is_no_label(answer: Answer) -> None:
    failure = refusal_of_token_endpoint(answer(MACHINE, 400, "x" * 5000, "y" * 5000))

    assert failure.oauth_error == "other"
    assert len(failure.detail) < 400


def test_a_redirect_says_where_to_without_its_query(answer: Answer) -> None:
    failure = refusal_of_token_endpoint(answer(MACHINE, 302, "", location="https://sso.example/login?code=canary"))

    assert failure.detail == "HTTP status 302 to https://sso.example/login"


@pytest.mark.parametrize(
    ("error", "reason", "label"),
    [
        ("access_denied", _R.ACCESS_DENIED, "access_denied"),
        ("login_required", _R.INTERACTION_REQUIRED, "login_required"),
        ("interaction_required", _R.INTERACTION_REQUIRED, "interaction_required"),
        ("consent_required", _R.INTERACTION_REQUIRED, "consent_required"),
        ("account_selection_required", _R.INTERACTION_REQUIRED, "account_selection_required"),
        ("temporarily_unavailable", _R.RATE_LIMITED, "temporarily_unavailable"),
        ("server_error", _R.SERVER_ERROR, "server_error"),
        ("invalid_scope", _R.REQUEST_REJECTED, "invalid_scope"),
        ("unsupported_response_type", _R.REQUEST_REJECTED, "unsupported_response_type"),
        ("unheard_of", _R.REQUEST_REJECTED, "other"),
    ],
)
def test_an_error_at_the_redirect_uri_has_a_reason(error: str, reason: Reason, label: str) -> None:
    failure = refusal_of_authorization({"error": error, "error_description": "why"})

    assert (failure.reason, failure.oauth_error) == (reason, label)
    assert failure.detail == f"the provider answered: {error} (why)"


def test_every_registered_error_of_the_authorization_endpoint_has_a_reason_of_the_provider() -> None:
    reasons = {refusal_of_authorization({"error": error}).reason for error in CALLBACK_ERRORS}

    assert Reason.PROBE_ERROR not in reasons
