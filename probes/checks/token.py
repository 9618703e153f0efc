"""Checks of token endpoint answers: TOK-01 to TOK-05 and TOK-12 (RFC 6749 §5, OIDC Core §3.1.3.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from probes.checks.base import Problem, ProtocolCheck
from probes.documents import JsonObject, number, text
from probes.http import Response
from probes.jose import looks_like_jws, parse_jws
from probes.model import ProbeFailure, Reason, Severity
from probes.subjects import AuthMethod, Client, Issuer


class Grant(StrEnum):
    """Grants that probes ask for; values of the label `grant`."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"


# RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 8707 §2, RFC 8628 §3.5, RFC 9449 §5.
REGISTERED_ERRORS = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"),
        *("invalid_scope", "invalid_target", "authorization_pending", "slow_down", "access_denied", "expired_token"),
        *("invalid_dpop_proof", "use_dpop_nonce", "temporarily_unavailable", "server_error"),
    }
)


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """One answer of the token endpoint. `document` is empty until the answer is known to be a JSON object."""

    issuer: Issuer
    client: Client
    grant: Grant
    response: Response
    document: JsonObject = field(repr=False)

    @property
    def error(self) -> str:
        """The OAuth error code; empty when there is none."""
        return text(self.document, "error")


_VSCHARS = re.compile(r"[\x20-\x7e]*")
"""What a token may be made of: in a request header anything else would be another header, or none at all."""


def _members(subject: TokenAnswer) -> Iterator[str]:
    for member in ("access_token", "token_type"):
        if not text(subject.document, member):
            yield f"{member} is missing or no string"
    for member in ("access_token", "refresh_token"):
        if not _VSCHARS.fullmatch(text(subject.document, member)):
            yield f"{member} has a character outside %x20-7E (RFC 6749 appendix A.12, A.17)"
    kind = text(subject.document, "token_type")
    if kind and kind.lower() not in ("bearer", "dpop"):
        yield f"token_type is {kind[:40]!r}, expected Bearer or DPoP"
    wants_id_token = subject.grant is Grant.AUTHORIZATION_CODE and "openid" in subject.client.scopes
    if wants_id_token and not text(subject.document, "id_token"):
        yield "id_token is missing, and scope openid was asked for"


def _not_stored(subject: TokenAnswer) -> Iterator[str | Problem]:
    headers = subject.response.headers
    if "no-store" not in headers.get("cache-control", "").lower():
        yield "Cache-Control: no-store is missing: a cache on the way may keep the tokens"
    elif "no-cache" not in headers.get("pragma", "").lower():
        # OAuth 2.1 has dropped it; HTTP/1.0 caches are gone.
        yield Problem("Pragma: no-cache is missing", severity=Severity.INFO)


def _lifetime(subject: TokenAnswer) -> Iterator[str]:
    document = subject.document
    if "expires_in" not in document:
        yield "expires_in is missing"
        return
    expires_in = number(document, "expires_in")
    if expires_in is None or expires_in <= 0:
        yield f"expires_in is {str(document['expires_in'])[:20]!r}, expected a positive number"
        return
    token = text(document, "access_token")
    if looks_like_jws(token):
        try:
            claims = parse_jws(token).claims
        except ProbeFailure:
            return  # an access token may look like anything (RFC 6749 §1.4)
        exp, iat = number(claims, "exp"), number(claims, "iat")
        if exp is None or iat is None:
            return
        # From the answer on (RFC 6749 §5.1). Entra ID dates iat back, and a token out of a cache has lived already; iat
        # is as good where the clocks disagree.
        lives = (exp - subject.response.finished.timestamp(), exp - iat)
        if all(abs(each - expires_in) > 5 for each in lives):
            yield f"expires_in is {expires_in:.0f} s, the token itself lives {lives[0]:.0f} s"


def _generosity(subject: TokenAnswer) -> Iterator[str]:
    expires_in = number(subject.document, "expires_in")
    longest = subject.issuer.policy.max_token_lifetime
    if expires_in is not None and expires_in > longest:
        yield f"the access token lives {expires_in:.0f} s, policy allows {longest:g} s"
    if text(subject.document, "refresh_token") and subject.grant is Grant.CLIENT_CREDENTIALS:
        yield "client_credentials gave a refresh token (RFC 6749 §4.4.3 says it should not)"


def _error_form(subject: TokenAnswer) -> Iterator[str]:
    status = subject.response.status
    if status == 200 or status == 429 or status >= 500:
        return
    if not subject.error:
        yield f"HTTP status {status} without an OAuth error"
    elif subject.error not in REGISTERED_ERRORS:
        yield f"error {subject.error[:40]!r} is not registered"
    if status not in (400, 401, 403):
        yield f"HTTP status {status} for an OAuth error, expected 400 or 401"
    sent_basic = subject.client.auth_method is AuthMethod.BASIC
    if status == 401 and sent_basic and "www-authenticate" not in subject.response.headers:
        yield "401 to client_secret_basic without WWW-Authenticate"


def _rate_limit(subject: TokenAnswer) -> Iterator[str]:
    headers = subject.response.headers
    if subject.response.status == 429 and "retry-after" not in headers:
        yield "429 without Retry-After"
    remaining = _whole(headers.get("x-rate-limit-remaining") or headers.get("x-ratelimit-remaining"))
    limit = _whole(headers.get("x-rate-limit-limit") or headers.get("x-ratelimit-limit"))
    if remaining is not None and limit and remaining * 10 < limit:
        yield f"only {remaining} of {limit} requests are left in the rate limit"


def _whole(value: str | None) -> int | None:
    """A whole number of at most 12 ASCII digits; None for anything else (`isdigit` alone is true for `²`)."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 12 else None


_F, _W = Severity.FAILURE, Severity.WARNING
_BAD = Reason.BAD_RESPONSE

ERRORS: tuple[ProtocolCheck[TokenAnswer], ...] = (
    ProtocolCheck("TOK-05", _W, _BAD, "errors have the form of the specification", "RFC 6749 §5.2", _error_form),
    ProtocolCheck("TOK-12", _W, Reason.RATE_LIMITED, "the rate limit has room", "RFC 6585 §4", _rate_limit),
)

SUCCESS: tuple[ProtocolCheck[TokenAnswer], ...] = (
    ProtocolCheck(
        "TOK-01", _F, _BAD, "answers 200 with the tokens asked for", "RFC 6749 §5.1; OIDC Core §3.1.3.3", _members
    ),
    ProtocolCheck("TOK-02", _F, _BAD, "no cache may keep the answer", "RFC 6749 §5.1; OIDC Core §3.1.3.3", _not_stored),
    ProtocolCheck("TOK-03", _W, _BAD, "expires_in is given and true", "RFC 6749 §5.1", _lifetime),
    ProtocolCheck(
        "TOK-04", _W, _BAD, "tokens live no longer than needed", "RFC 9700 §2.2; RFC 6749 §4.4.3", _generosity
    ),
    ERRORS[1],
)
