"""What an OAuth error code means for a run: one table for the token endpoint, one for the authorization response."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from probes.checks import callback
from probes.checks.token import REGISTERED_ERRORS, Grant, TokenAnswer
from probes.documents import host_and_path, reason_of_status, text
from probes.model import ProbeFailure, Reason

_TOKEN: Mapping[str, Reason] = MappingProxyType(
    {
        "invalid_client": Reason.CLIENT_AUTH_FAILED,
        "invalid_grant": Reason.GRANT_REJECTED,
        "invalid_request": Reason.REQUEST_REJECTED,
        "invalid_scope": Reason.REQUEST_REJECTED,
        "invalid_target": Reason.REQUEST_REJECTED,
        "unauthorized_client": Reason.REQUEST_REJECTED,
        "unsupported_grant_type": Reason.REQUEST_REJECTED,
        "access_denied": Reason.REQUEST_REJECTED,
        "slow_down": Reason.RATE_LIMITED,
        "temporarily_unavailable": Reason.RATE_LIMITED,
        "server_error": Reason.SERVER_ERROR,
    }
)

_AUTHORIZATION: Mapping[str, Reason] = MappingProxyType(
    {
        "access_denied": Reason.ACCESS_DENIED,
        "login_required": Reason.INTERACTION_REQUIRED,
        "interaction_required": Reason.INTERACTION_REQUIRED,
        "consent_required": Reason.INTERACTION_REQUIRED,
        "account_selection_required": Reason.INTERACTION_REQUIRED,
        "temporarily_unavailable": Reason.RATE_LIMITED,
        "server_error": Reason.SERVER_ERROR,
    }
)
_REFUSALS = frozenset({400, 401, 403})  # RFC 6749 §5.2 has the first two; 403 is what some say of a client's grant
_MAX_TEXT = 200


def refusal_of_token_endpoint(answer: TokenAnswer) -> ProbeFailure:
    """The failure behind a token endpoint's answer other than 200 (RFC 6749 §5.2).

    The status decides first: a gateway's 502 is no OAuth error, whatever its body says, nor is a 404 with an `error` of
    its own (Keycloak's says "HTTP 404 Not Found"). Without an OAuth error, 401 means that the client was refused.
    """
    status, error = answer.response.status, answer.error
    if status == 429 or status >= 500:
        reason = reason_of_status(status)
    elif error in REGISTERED_ERRORS or (error and status in _REFUSALS):
        reason = _TOKEN.get(error, Reason.REQUEST_REJECTED)
        if reason is Reason.GRANT_REJECTED and answer.grant is Grant.REFRESH_TOKEN:
            reason = Reason.REFRESH_REJECTED
    else:
        reason = Reason.CLIENT_AUTH_FAILED if status == 401 else Reason.BAD_RESPONSE
    where = f" to {host_and_path(answer.response.headers['location'])}" if "location" in answer.response.headers else ""
    return ProbeFailure(
        reason,
        f"HTTP status {status}{where}{_described(error, text(answer.document, 'error_description'))}",
        oauth_error=_registered_or_other(error, REGISTERED_ERRORS),
    )


def refusal_of_authorization(parameters: Mapping[str, str]) -> ProbeFailure:
    """The failure behind an `error` at the redirect URI (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6)."""
    error = parameters["error"]
    return ProbeFailure(
        _AUTHORIZATION.get(error, Reason.REQUEST_REJECTED),
        f"the provider answered{_described(error, parameters.get('error_description', ''))}",
        oauth_error=_registered_or_other(error, callback.REGISTERED_ERRORS),
    )


def outcome_of(answer: TokenAnswer) -> str:
    """The value of the label `outcome`: ok, a registered OAuth error, http_4xx or http_5xx."""
    status = answer.response.status
    if status == 200:
        return "ok"
    if status < 500 and answer.error in REGISTERED_ERRORS:
        return answer.error
    return "http_5xx" if status >= 500 else "http_4xx"


OUTCOMES = ("ok", *sorted(REGISTERED_ERRORS), "http_4xx", "http_5xx", "network")
"""Every value that the label `outcome` can take."""


def _registered_or_other(error: str, registered: frozenset[str]) -> str:
    """A code fit for a label: itself when that endpoint may say it, "other" for anything else, empty for none."""
    return error if not error or error in registered else "other"


def _described(error: str, description: str) -> str:
    shown = f": {error[:60]}" if error else ""
    return shown + (f" ({description[:_MAX_TEXT]})" if description else "")
