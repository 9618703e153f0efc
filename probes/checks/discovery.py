"""Checks of the discovery document: DISC-01 to DISC-16."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from probes.cache_control import cache_control
from probes.checks.base import Problem, ProtocolCheck
from probes.clock_offset import clock_offset
from probes.documents import JsonObject, problem_of_answer, strings, text
from probes.http import Response
from probes.metadata import ENDPOINTS, host_allowed, host_of, response_types, scheme_of
from probes.model import Reason, Severity
from probes.subjects import AuthMethod, Issuer

_INVALID = Reason.DISCOVERY_INVALID
_SMALL = 64 * 1024
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class DiscoveryAnswer:
    """One answer of the well-known location. `document` is empty until the answer is known to be a JSON object."""

    issuer: Issuer
    response: Response
    document: JsonObject
    seconds: float
    previous: JsonObject | None = None
    """The document accepted before, as this agent saw it from this region."""
    oauth: JsonObject | None = None
    """The RFC 8414 document of the same issuer, where it was fetched and served."""


def _answer(subject: DiscoveryAnswer) -> Iterator[Problem]:
    problem = problem_of_answer(subject.response, frozenset({"application/json"}))
    if problem:
        reason, message = problem
        yield Problem(message, reason)


def _issuer_identical(subject: DiscoveryAnswer) -> Iterator[str]:
    found = text(subject.document, "issuer")
    if found and found != subject.issuer.url:
        yield f"issuer is {found[:200]!r}, configured is {subject.issuer.url!r}"


def _insecure(issuer: Issuer, what: str) -> Problem:
    return Problem(f"not https: {what}", severity=Severity.WARNING if issuer.policy.allow_http else Severity.FAILURE)


def _issuer_form(subject: DiscoveryAnswer) -> Iterator[str | Problem]:
    found = text(subject.document, "issuer")
    if not found:
        return
    if scheme_of(found) != "https":
        yield _insecure(subject.issuer, repr(found[:200]))
    if "?" in found or "#" in found:
        yield f"issuer has a query or a fragment: {found[:200]!r}"


_REQUIRED: tuple[tuple[str, type], ...] = (
    ("issuer", str),
    ("authorization_endpoint", str),
    ("jwks_uri", str),
    ("response_types_supported", list),
    ("subject_types_supported", list),
    ("id_token_signing_alg_values_supported", list),
)


def _required_members(subject: DiscoveryAnswer) -> Iterator[str]:
    required = list(_REQUIRED)
    if response_types(subject.document) != {frozenset({"id_token"})}:
        required.append(("token_endpoint", str))  # required unless only the implicit flow is used
    for member, kind in required:
        value = subject.document.get(member)
        if value is None:
            yield f"{member} is missing"
        elif not isinstance(value, kind) or not value:
            yield f"{member} must be a non-empty {'string' if kind is str else 'array'}"


def _algorithms(subject: DiscoveryAnswer) -> Iterator[str | Problem]:
    algorithms = strings(subject.document, "id_token_signing_alg_values_supported")
    if algorithms and "RS256" not in algorithms:
        yield f"RS256 must be among id_token_signing_alg_values_supported, found {list(algorithms)[:12]}"
    if "none" in algorithms:
        severity = Severity.WARNING if subject.issuer.policy.allow_alg_none else Severity.FAILURE
        yield Problem("id_token_signing_alg_values_supported offers none", severity=severity)


def _endpoints(subject: DiscoveryAnswer) -> Iterator[str | Problem]:
    given = {member: text(subject.document, member) for member in ENDPOINTS if text(subject.document, member)}
    plain = [member for member, url in given.items() if scheme_of(url) != "https"]
    if plain:
        yield _insecure(subject.issuer, ", ".join(plain))
    for member, url in given.items():
        if not host_of(url):
            yield f"{member} is no absolute URL: {url[:200]!r}"
        elif not host_allowed(subject.issuer, url):
            yield f"{member} is on {host_of(url)}, which is neither the issuer's host nor among allowed_hosts"
        elif "*" in subject.issuer.allowed_hosts and host_of(url) != host_of(subject.issuer.url):
            yield Problem(f"{member} is on another host: {host_of(url)}", severity=Severity.INFO)


def _pkce(subject: DiscoveryAnswer) -> Iterator[str]:
    methods = strings(subject.document, "code_challenge_methods_supported")
    if "S256" not in methods:
        yield "S256 is not among code_challenge_methods_supported"
    if "plain" in methods:
        yield "code_challenge_methods_supported offers plain"


def _response_types(subject: DiscoveryAnswer) -> Iterator[str | Problem]:
    types = response_types(subject.document)
    if types and frozenset({"code"}) not in types:
        yield "code is not among response_types_supported"
    implicit = sorted(" ".join(sorted(entry)) for entry in types if entry & {"token", "id_token"})
    if implicit:
        yield Problem(f"implicit or hybrid response types are offered: {implicit[:8]}", severity=Severity.INFO)


def _capabilities(subject: DiscoveryAnswer) -> Iterator[str]:
    document = subject.document
    scopes = strings(document, "scopes_supported")
    if scopes and "openid" not in scopes:
        yield "openid is not among scopes_supported"
    # Absent means client_secret_basic alone (Discovery §3).
    methods = strings(document, "token_endpoint_auth_methods_supported") or (AuthMethod.BASIC,)
    for client in subject.issuer.clients:
        if client.auth_method is not AuthMethod.NONE and client.auth_method not in methods:
            yield f"client {client.name} uses {client.auth_method}, offered is {list(methods)[:8]}"


def _iss_parameter(subject: DiscoveryAnswer) -> Iterator[str]:
    if subject.document.get("authorization_response_iss_parameter_supported") is not True:
        yield "authorization_response_iss_parameter_supported is not true: mix-up attacks are not defended against"


def _expected(subject: DiscoveryAnswer) -> Iterator[str]:
    for member in subject.issuer.policy.expect:
        if not subject.document.get(member):
            yield f"{member} is missing, and policy.expect names it"


def _oauth_metadata(subject: DiscoveryAnswer) -> Iterator[str]:
    for member in (*ENDPOINTS, "issuer"):
        ours, theirs = subject.document.get(member), (subject.oauth or {}).get(member)
        if theirs is not None and ours is not None and ours != theirs:
            yield f"{member} differs between the OpenID and the OAuth metadata"


_WATCHED = (*ENDPOINTS, "issuer")
_WATCHED_LISTS = ("id_token_signing_alg_values_supported", "token_endpoint_auth_methods_supported")


def _drift(subject: DiscoveryAnswer) -> Iterator[str | Problem]:
    before, now = subject.previous, subject.document
    if before is None:
        return
    for member in _WATCHED:
        if before.get(member) and before.get(member) != now.get(member):
            yield f"{member} changed from {_shown(before.get(member))} to {_shown(now.get(member))}"
    for member in _WATCHED_LISTS:
        gone = sorted(set(strings(before, member)) - set(strings(now, member)))
        new = sorted(set(strings(now, member)) - set(strings(before, member)))
        if gone:
            yield f"{member} no longer offers {gone[:8]}"
        elif new:
            yield Problem(f"{member} now offers {new[:8]}", severity=Severity.INFO)


def _shown(value: object) -> str:
    return repr(value)[:120]


def _delivery(subject: DiscoveryAnswer) -> Iterator[str]:
    response, policy = subject.response, subject.issuer.policy
    caching = cache_control(response.headers)
    if caching.max_age is not None and caching.max_age > _DAY:
        yield f"max-age={caching.max_age}: consumers keep a changed document away for over a day"
    if len(response.body) > _SMALL:
        yield f"the document has {len(response.body)} bytes, some consumers stop at {_SMALL}"
    if subject.seconds > policy.max_response_seconds:
        yield f"took {subject.seconds:.1f} s, some consumers give up after {policy.max_response_seconds:g} s"


def _clock(subject: DiscoveryAnswer) -> Iterator[str]:
    offset = clock_offset(subject.response)
    # A slow answer may be dated at its beginning or at its end.
    if offset is not None and abs(offset) > subject.issuer.policy.max_clock_offset + subject.seconds / 2:
        way = "ahead of" if offset > 0 else "behind"
        yield f"the provider's clock is {abs(offset):.0f} s {way} ours by its Date header"


def _request_uri(subject: DiscoveryAnswer) -> Iterator[str]:
    document = subject.document
    # request_uri_parameter_supported defaults to true (Discovery §3): without registration it is a way to make the
    # provider fetch any URL.
    if document.get("request_uri_parameter_supported", True) and not document.get("require_request_uri_registration"):
        yield "request_uri is accepted without registration (server-side request forgery surface)"


_F, _W, _I = Severity.FAILURE, Severity.WARNING, Severity.INFO
_DISC3, _DISC4 = "OpenID Connect Discovery 1.0 §3", "OpenID Connect Discovery 1.0 §4"

ANSWER: tuple[ProtocolCheck[DiscoveryAnswer], ...] = (
    ProtocolCheck(
        "DISC-01", _F, Reason.BAD_RESPONSE, "answers 200 with a JSON object, no redirect", f"{_DISC4}.2", _answer
    ),
)

DOCUMENT: tuple[ProtocolCheck[DiscoveryAnswer], ...] = (
    ProtocolCheck(
        "DISC-02", _F, Reason.ISSUER_MISMATCH, "issuer is identical to the configured one",
        f"{_DISC4}.3; RFC 8414 §3.3", _issuer_identical,
    ),
    ProtocolCheck("DISC-03", _F, _INVALID, "issuer is https without query and fragment", _DISC3, _issuer_form),
    ProtocolCheck("DISC-04", _F, _INVALID, "required members are there", _DISC3, _required_members),
    ProtocolCheck(
        "DISC-05", _F, _INVALID, "RS256 is offered, none is not", f"{_DISC3}; RFC 8725 §3.1", _algorithms
    ),
    ProtocolCheck(
        "DISC-06", _F, _INVALID, "endpoints are https and on allowed hosts", f"{_DISC3}; RFC 8414 §2", _endpoints
    ),
    ProtocolCheck(
        "DISC-07", _W, _INVALID, "PKCE with S256 and without plain", "RFC 7636 §4.2; RFC 9700 §2.1.1", _pkce
    ),
    ProtocolCheck(
        "DISC-08", _W, _INVALID, "code is offered; implicit and hybrid are noted", "RFC 9700 §2.1.2", _response_types
    ),
    ProtocolCheck("DISC-09", _W, _INVALID, "scopes and client authentication fit", _DISC3, _capabilities),
    ProtocolCheck("DISC-10", _W, _INVALID, "the iss parameter is supported", "RFC 9207 §3", _iss_parameter),
    ProtocolCheck("DISC-11", _W, _INVALID, "members that the policy expects are there", _DISC3, _expected),
    ProtocolCheck("DISC-12", _W, _INVALID, "OAuth and OpenID metadata agree", "RFC 8414 §3, §5", _oauth_metadata),
    ProtocolCheck(
        "DISC-13", _F, Reason.DISCOVERY_DRIFT, "nothing changed since the last accepted document", f"{_DISC4}.3", _drift
    ),
    ProtocolCheck(
        "DISC-14", _W, _INVALID, "cacheable, small and quick enough for consumers", "RFC 9111 §5.2", _delivery
    ),
    ProtocolCheck("DISC-15", _I, _INVALID, "request_uri needs registration", "OIDC Core §6.2", _request_uri),
    ProtocolCheck("DISC-16", _W, Reason.CLOCK_SKEW, "the clock agrees with ours", "RFC 9110 §6.6.1", _clock),
)  # fmt: skip


def oauth_metadata_url(issuer: str) -> str:
    """RFC 8414 §3.1: the well-known path goes between host and the issuer's path."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.removesuffix('/')}"
