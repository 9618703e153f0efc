"""Checks of the authorization response: AUTH-01 to AUTH-04 (RFC 6749 §4.1.2, RFC 9207)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from probes.checks.base import ProtocolCheck
from probes.model import Reason, Severity
from probes.subjects import Issuer


@dataclass(frozen=True, slots=True)
class Callback:
    """The parameters that came back to the redirect URI."""

    issuer: Issuer
    parameters: Mapping[str, str] = field(repr=False)
    state: str = field(repr=False)
    iss_supported: bool
    plain_hops: tuple[str, ...] = ()
    """Hosts that the browser was led through over http."""


# RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6.
REGISTERED_ERRORS = frozenset(
    {
        *("invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope"),
        *("server_error", "temporarily_unavailable", "interaction_required", "login_required"),
        *("account_selection_required", "consent_required", "invalid_request_uri", "invalid_request_object"),
        *("request_not_supported", "request_uri_not_supported", "registration_not_supported", "invalid_target"),
        "unmet_authentication_requirements",
    }
)


def _parameters(subject: Callback) -> Iterator[str]:
    if not subject.parameters.get("code") and not subject.parameters.get("error"):
        yield f"the callback has neither code nor error, only {sorted(subject.parameters)[:8]}"


def _hops(subject: Callback) -> Iterator[str]:
    if subject.plain_hops and not subject.issuer.policy.allow_http:
        yield f"the way to the callback leads over http, through {', '.join(subject.plain_hops[:4])}"


def _arrival(subject: Callback) -> Iterator[str]:
    yield from _parameters(subject)
    yield from _hops(subject)


def _state(subject: Callback) -> Iterator[str]:
    found = subject.parameters.get("state")
    if found is None:
        yield "state is missing"
    elif found != subject.state:
        yield "state is not the one that was sent"


def _iss(subject: Callback) -> Iterator[str]:
    found = subject.parameters.get("iss")
    if found is None and subject.iss_supported:
        yield "iss is missing, and the metadata promises it"
    elif found is not None and found != subject.issuer.url:
        yield f"iss is {found[:200]!r}, expected {subject.issuer.url!r}"


def _error(subject: Callback) -> Iterator[str]:
    error = subject.parameters.get("error", "")
    if error and error not in REGISTERED_ERRORS:
        yield f"error {error[:40]!r} is not registered"


_F, _W = Severity.FAILURE, Severity.WARNING

CALLBACK: tuple[ProtocolCheck[Callback], ...] = (
    ProtocolCheck(
        "AUTH-01",
        _F,
        Reason.BAD_RESPONSE,
        "code or error arrives, by https all the way",
        "RFC 6749 §3.1, §4.1.2",
        _arrival,
    ),
    ProtocolCheck("AUTH-02", _F, Reason.STATE_MISMATCH, "state comes back as sent", "RFC 6749 §4.1.2, §10.12", _state),
    ProtocolCheck("AUTH-03", _F, Reason.ISSUER_MISMATCH, "iss is the issuer", "RFC 9207 §2.4", _iss),
    ProtocolCheck(
        "AUTH-04",
        _W,
        Reason.BAD_RESPONSE,
        "errors are registered ones",
        "RFC 6749 §4.1.2.1; OIDC Core §3.1.2.6",
        _error,
    ),
)
