"""What each kind of check asks, from one place: documents, a refusal, a name, a certificate, a clock, copies."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from probes.checks.token import Grant, TokenAnswer
from probes.clock_offset import clock_offset
from probes.documents import JsonObject, json_object, problem_of_answer, text
from probes.http import Http, Response
from probes.keys import require_keys
from probes.metadata import Metadata, discovery_url, host_allowed, host_of, require_endpoint
from probes.model import ProbeFailure, Reason, Stage
from probes.oauth_errors import refusal_of_token_endpoint
from probes.probe import Clock
from probes.subjects import Client, Issuer
from runbooks import checks as c

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a host. Raises OSError (socket.gaierror) when there are none."""

_NOBODY = Client("", "")
_REFUSED = frozenset({Reason.GRANT_REJECTED, Reason.CLIENT_AUTH_FAILED, Reason.REQUEST_REJECTED})
"""What a token endpoint that is alive says to a code that nobody issued, from a client that it does not know."""


@dataclass(frozen=True, slots=True)
class Place:
    """One issuer from one region."""

    issuer: Issuer
    region: str
    http: Http
    resolve: Resolve
    clock: Clock


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check saw. `reason` is what a run would have failed with; None where the answer proves no failure.

    `measured`: a value is beyond its limit, and nothing has failed because of it yet.
    """

    ok: bool
    seen: str
    reason: Reason | None = None
    stage: Stage | None = None
    measured: bool = False


async def resolve(host: str) -> Sequence[str]:
    """By the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return sorted({str(address[4][0]) for address in found})


def stage_of(what: c.What) -> Stage:
    """The protocol step that the check stands for."""
    if isinstance(what, c.HttpGet | c.Diff):
        return Stage.JWKS if what.document == "jwks" else Stage.DISCOVERY
    return Stage.TOKEN if isinstance(what, c.HttpRefusal) else Stage.DISCOVERY


async def _discovery(place: Place) -> tuple[Response, JsonObject]:
    """Raises ProbeFailure at discovery when there is no usable document."""
    response = await place.http("GET", discovery_url(place.issuer.url))
    return response, _sound(response, Stage.DISCOVERY)


def _sound(response: Response, stage: Stage) -> JsonObject:
    problem = problem_of_answer(response)
    if problem:
        reason, detail = problem
        raise ProbeFailure(reason, detail, stage=stage)
    try:
        return json_object(response.body)
    except ProbeFailure as failure:
        raise ProbeFailure(failure.reason, failure.detail, stage=stage) from failure


async def _endpoint(place: Place, member: str) -> str:
    """The endpoint's URL. A host that the configuration does not name is asked nothing, as by the probes."""
    _, document = await _discovery(place)
    metadata = Metadata.of(document)
    url = require_endpoint(getattr(metadata, member), member)
    if not host_allowed(place.issuer, url):
        detail = f"{member} is on {host_of(url)[:100]!r}, which is none of the issuer's hosts"
        raise ProbeFailure(Reason.DISCOVERY_INVALID, detail, stage=Stage.DISCOVERY)
    return url


async def _get(what: c.HttpGet, place: Place) -> Answer:
    if what.document == "discovery":
        _, document = await _discovery(place)
        said = text(document, "issuer")
        if said != place.issuer.url:
            seen = f"issuer is {said[:200]!r}, configured is {place.issuer.url!r}"
            return Answer(False, seen, Reason.ISSUER_MISMATCH, Stage.DISCOVERY)
        return Answer(True, "status 200, issuer as configured")
    response = await place.http("GET", await _endpoint(place, "jwks_uri"))
    _sound(response, Stage.JWKS)
    keys = require_keys(response.body)
    usable = sum(1 for key in keys.keys if key.signs and key.public is not None)
    seen = f"status 200, {usable} keys that verify signatures"
    return Answer(True, seen) if usable else Answer(False, seen, Reason.JWKS_INVALID, Stage.JWKS)


async def _refusal(_: c.HttpRefusal, place: Place) -> Answer:
    url = await _endpoint(place, "token_endpoint")
    form = {"grant_type": "authorization_code", "code": "nobody-issued-this", "redirect_uri": "https://invalid.example"}
    response = await place.http("POST", url, form=form)
    if response.status == 200:
        return Answer(False, "status 200: it accepted a code that nobody issued")
    try:
        document: JsonObject = json_object(response.body)
    except ProbeFailure:
        document = {}
    failure = refusal_of_token_endpoint(
        TokenAnswer(place.issuer, _NOBODY, Grant.AUTHORIZATION_CODE, response, document)
    )
    if failure.reason in _REFUSED:
        return Answer(bool(document), failure.detail)
    return Answer(False, failure.detail, failure.reason, Stage.TOKEN)


async def _dns(_: c.Dns, place: Place) -> Answer:
    addresses = await place.resolve(host_of(place.issuer.url))
    return Answer(True, ", ".join(addresses[:4]))


async def _tls(what: c.Tls, place: Place) -> Answer:
    if urlsplit(place.issuer.url).scheme != "https":
        return Answer(True, "the issuer is on plain http: it has no certificate")
    response = await place.http("GET", discovery_url(place.issuer.url))
    expiry = response.phases.certificate_expiry
    if expiry is None:
        return Answer(True, "trusted")
    end = datetime.fromtimestamp(expiry, UTC)
    days = (end - place.clock()).total_seconds() / 86_400
    seen = f"trusted, valid until {end:%Y-%m-%d %H:%M} UTC ({days:.1f} days)"
    if days > what.days:
        return Answer(True, seen)
    return Answer(False, seen, Reason.TLS_INVALID, Stage.DISCOVERY, measured=True)


async def _clock(_: c.Clock, place: Place) -> Answer:
    offset = clock_offset(await place.http("GET", discovery_url(place.issuer.url)))
    if offset is None:
        return Answer(True, "the provider sends no Date header")
    seen = f"the provider is {abs(offset):.1f} s {'ahead' if offset > 0 else 'behind'}" if offset else "no difference"
    if abs(offset) <= place.issuer.policy.max_clock_offset:
        return Answer(True, seen)
    return Answer(False, seen, Reason.CLOCK_SKEW, Stage.DISCOVERY, measured=True)


ASK: Mapping[type, Callable[[Any, Place], Awaitable[Answer]]] = MappingProxyType(
    {c.HttpGet: _get, c.HttpRefusal: _refusal, c.Dns: _dns, c.Tls: _tls, c.Clock: _clock}
)
"""How each kind is asked that gives one answer a place. What servers do is raised as it comes, to be classified."""


async def versions(what: c.Diff, place: Place) -> list[str]:
    """A short name for the content of each of several copies, fetched one after the other."""
    url = discovery_url(place.issuer.url) if what.document == "discovery" else await _endpoint(place, "jwks_uri")
    found = []
    for _ in range(what.times):
        response = await place.http("GET", url)
        document = _sound(response, stage_of(what))
        told = sorted(require_keys(response.body).thumbprints) if what.document == "jwks" else document
        found.append(hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12])
    return found


def compared(what: c.Diff, copies: Mapping[str, Sequence[str]]) -> dict[str, Answer]:
    """By region, whether its copies are the one version that all regions should see.

    Different key sets break verification at once; different discovery documents may be meant (regional endpoints).
    """
    counts = Counter(version for found in copies.values() for version in found)
    answers = {}
    for region, found in copies.items():
        seen = ", ".join(f"{count} x {version}" for version, count in sorted(Counter(found).items()))
        if len(counts) == 1:
            answers[region] = Answer(True, seen)
        elif what.document == "jwks":
            answers[region] = Answer(False, f"{seen}; {len(counts)} versions", Reason.JWKS_INCONSISTENT, Stage.JWKS)
        else:
            reason, stage = Reason.DISCOVERY_DRIFT, Stage.DISCOVERY
            answers[region] = Answer(False, f"{seen}; {len(counts)} versions", reason, stage, measured=True)
    return answers
