"""Checks of the UserInfo answer: USR-01 to USR-03 (OIDC Core §5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from probes.checks.base import Problem, ProtocolCheck
from probes.documents import JsonObject, json_object, problem_of_answer, text
from probes.http import Response
from probes.jose import ASYMMETRIC, parse_jws, verify
from probes.keys import KeySet
from probes.model import Reason, Severity


@dataclass(frozen=True, slots=True)
class UserInfo:
    """One answer of the UserInfo endpoint, and the `sub` of the ID token that came with the access token."""

    response: Response
    document: JsonObject
    sub: str


_REFUSALS = {401: Reason.RESOURCE_REJECTED, 403: Reason.RESOURCE_FORBIDDEN}
TYPES = frozenset({"application/json", "application/jwt"})


def claims_of(response: Response, keys: KeySet) -> JsonObject:
    """The claims of an answer that has passed `ANSWER`; those of a JWT only when one of the provider's keys signed it.

    Raises ProbeFailure: bad_response, and those of `probes.jose.verify`.
    """
    if response.media_type != "application/jwt":
        return json_object(response.body)
    jws = parse_jws(response.body.decode("ascii", "replace"))
    if not jws.alg.startswith("HS"):  # signed with the client's secret, when that was registered (OIDC Core §10.1)
        verify(jws, keys, ASYMMETRIC)
    return jws.claims


def _answer(subject: UserInfo) -> Iterator[Problem]:
    problem = problem_of_answer(subject.response, TYPES)
    if problem:
        reason, message = problem
        yield Problem(message, _REFUSALS.get(subject.response.status, reason))


def _challenge(subject: UserInfo) -> Iterator[str]:
    if subject.response.status == 401 and "www-authenticate" not in subject.response.headers:
        yield "401 without WWW-Authenticate"


def _sub(subject: UserInfo) -> Iterator[str]:
    if text(subject.document, "sub") != subject.sub:
        yield "sub is not that of the ID token: the answer must not be used"


_F, _W = Severity.FAILURE, Severity.WARNING

ANSWER: tuple[ProtocolCheck[UserInfo], ...] = (
    ProtocolCheck("USR-03", _W, Reason.BAD_RESPONSE, "a refusal says why", "RFC 6750 §3", _challenge),
    ProtocolCheck("USR-01", _F, Reason.BAD_RESPONSE, "answers 200 with JSON or a JWT", "OIDC Core §5.3.2", _answer),
)
CLAIMS: tuple[ProtocolCheck[UserInfo], ...] = (
    ProtocolCheck("USR-02", _F, Reason.CLAIM_INVALID, "sub is the ID token's", "OIDC Core §5.3.2", _sub),
)
