"""The steps `discovery` and `jwks` as other probes take them: fresh metadata, a fresh key set."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx

from probes.checks import discovery
from probes.checks.base import run_checks
from probes.checks.discovery import DiscoveryAnswer, oauth_metadata_url
from probes.clock_offset import clock_offset
from probes.documents import JsonObject, json_object, problem_of_answer
from probes.http import Http, Response
from probes.keys import KeySet, require_keys
from probes.metadata import Metadata, discovery_url
from probes.model import Attribute, Check, ProbeFailure, Quantity, Stage
from probes.probe import Steps

_OPTIONAL_SECONDS = 3.0  # a document that need not be there must not cost the run


def record(steps: Steps, note: dict[str, Attribute], response: Response, endpoint: str) -> Response:
    """Notes status, size and phases of an exchange; measures the clock's offset and the end of the certificate."""
    note["http.status"] = response.status
    note["http.bytes"] = len(response.body)
    note.update(response.phases.attributes())
    offset = clock_offset(response)
    if offset is not None:
        steps.measure(Quantity.CLOCK_OFFSET, offset)
    if response.phases.certificate_expiry is not None:
        steps.measure(Quantity.TLS_EXPIRY, response.phases.certificate_expiry, endpoint=endpoint)
    return response


def seconds_of(response: Response) -> float:
    """Wall seconds from the request to the last byte of the answer."""
    return (response.finished - response.started).total_seconds()


async def discover(http: Http, check: Check, steps: Steps) -> Metadata:
    """Step `discovery`: fetches the document and gives the metadata, if nothing in it is a failure.

    Lesser findings are the discovery probe's to report: in every probe's results they would be noise.
    """
    with steps(Stage.DISCOVERY) as note:
        answer = await fetch_document(http, check, steps, note)
        findings = run_checks(discovery.DOCUMENT, answer)
        steps.judge(finding for finding in findings if finding.fatal)
        return Metadata.of(answer.document)


async def fetch_document(http: Http, check: Check, steps: Steps, note: dict[str, Attribute]) -> DiscoveryAnswer:
    """One fetch of the discovery document within a step that is open already; its content is not judged yet.

    Raises ProbeFailure when the answer is no JSON object (DISC-01).
    """
    response = record(steps, note, await http("GET", discovery_url(check.issuer.url)), "discovery")
    answer = DiscoveryAnswer(check.issuer, response, {}, seconds_of(response))
    steps.judge(run_checks(discovery.ANSWER, answer))
    return replace(answer, document=json_object(response.body))


async def fetch_keys(http: Http, metadata: Metadata, steps: Steps) -> KeySet:
    """Step `jwks`: a key set fetched now, past every cache of ours."""
    with steps(Stage.JWKS) as note:
        return await sample_keys(http, metadata, steps, note)


async def sample_keys(http: Http, metadata: Metadata, steps: Steps, note: dict[str, Attribute]) -> KeySet:
    """One fetch of the key set within a step that is open already.

    Raises ProbeFailure: by the status, bad_response, jwks_invalid.
    """
    response = record(steps, note, await http("GET", metadata.jwks_uri), "jwks")
    problem = problem_of_answer(response)
    if problem:
        raise ProbeFailure(*problem)
    return require_keys(response.body)


async def oauth_metadata(http: Http, issuer: str) -> JsonObject | None:
    """The issuer's RFC 8414 document; None when there is none, which is allowed, or when it cannot be read."""
    try:
        async with asyncio.timeout(_OPTIONAL_SECONDS):
            response = await http("GET", oauth_metadata_url(issuer))
        return json_object(response.body) if response.status == 200 else None
    except (ProbeFailure, httpx.HTTPError, httpx.InvalidURL, TimeoutError):
        return None
