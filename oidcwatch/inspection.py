"""Looks at one issuer from outside and collects everything that its public documents show."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from oidcwatch.config_verifiers import facts_of
from probes.checks import discovery, jwks
from probes.checks.base import has_failure, run_checks
from probes.checks.discovery import DiscoveryAnswer
from probes.checks.jwks_answer import JwksAnswer
from probes.classify import classify
from probes.documents import JsonObject, json_object
from probes.http import Http, make_http
from probes.keys import KeySet, parse_keys
from probes.metadata import Metadata, discovery_url
from probes.model import Finding, ProbeFailure, Reason, Severity
from probes.probe import utc_now
from probes.provider import oauth_metadata, seconds_of
from probes.redact import Redactor
from probes.run import within
from probes.subjects import Issuer, Policy

_SECONDS = 30.0
_SAMPLES = 3


def issuer_from(url: str, ca_file: Path | None, allow_http: bool, verifiers: tuple[str, ...]) -> Issuer:
    """An issuer without configuration: endpoints may be on any host, since no credential is sent anywhere.

    Raises ValueError when the URL is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"ISSUER must be an absolute https URL, got {url!r}")
    policy = Policy(allow_http=allow_http or _is_loopback(parts.hostname))
    return Issuer(
        "",
        url,
        verifiers=verifiers,
        verifier_facts=facts_of(verifiers),
        ca_file=ca_file,
        allowed_hosts=frozenset({"*"}),
        policy=policy,
    )


async def inspect(issuer: Issuer, redact: Redactor) -> tuple[list[Finding], bool]:
    """All findings, and whether the inspection itself broke. Raises OSError when `ca_file` cannot be read."""
    http = make_http(issuer.ca_file)
    findings: list[Finding] = []
    broken = False
    try:
        await within(_SECONDS, _inspect(http, issuer, findings))
    except Exception as error:  # noqa: BLE001 - whatever a server provokes is a finding about it
        failure = classify(error)
        broken = failure.reason is Reason.PROBE_ERROR
        findings.append(Finding(str(failure.reason), Severity.FAILURE, redact(failure.detail), "", failure.reason))
    return findings, broken


async def _inspect(http: Http, issuer: Issuer, findings: list[Finding]) -> None:
    response = await http("GET", discovery_url(issuer.url))
    answer = DiscoveryAnswer(issuer, response, {}, seconds_of(response))
    findings += run_checks(discovery.ANSWER, answer)
    if has_failure(findings):
        return
    document = json_object(response.body)
    oauth = await oauth_metadata(http, issuer.url)
    findings += run_checks(
        discovery.DOCUMENT, DiscoveryAnswer(issuer, response, document, seconds_of(response), oauth=oauth)
    )
    if Metadata.of(document).jwks_uri:
        await _inspect_keys(http, issuer, document, findings)


async def _inspect_keys(http: Http, issuer: Issuer, document: JsonObject, findings: list[Finding]) -> None:
    metadata = Metadata.of(document)
    response = await http("GET", metadata.jwks_uri)
    found = run_checks(jwks.ANSWER, JwksAnswer(issuer, response, KeySet(()), seconds_of(response), utc_now()))
    findings += found
    if has_failure(found):
        return
    keys = parse_keys(response.body)
    samples = [keys.thumbprints]
    for _ in range(_SAMPLES - 1):
        try:
            samples.append(parse_keys((await http("GET", metadata.jwks_uri)).body).thumbprints)
        except ProbeFailure:
            samples.append(frozenset())
    answer = JwksAnswer(
        issuer=issuer,
        response=response,
        keys=keys,
        seconds=seconds_of(response),
        now=utc_now(),
        advertised=metadata.id_token_algs,
        samples=tuple(samples),
    )
    findings += run_checks(jwks.KEYS, answer)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
