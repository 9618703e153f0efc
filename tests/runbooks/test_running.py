"""Each kind of check against a small provider: what it calls well, what it calls a failure, and for which reason."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from probes.http import Http, HttpClient
from probes.model import Check, Failure, ProbeResult, Reason, Stage
from probes.subjects import Issuer, Region
from runbooks import checks as c
from runbooks.diagnosis import Source, diagnose
from runbooks.prometheus import Sample
from runbooks.running import Outcome, Scene, evidence_of, run_checks

ISSUER = Issuer("acme", "https://login.acme.test")
EU, US = Region("eu"), Region("us")


def _key(kid: str) -> dict[str, Any]:
    public = ECAlgorithm(ECAlgorithm.SHA256).to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig", "alg": "ES256"}


KEYS = ({"keys": [_key("one")]}, {"keys": [_key("two")]})


def _json(status: int, document: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    body = httpx.ByteStream(json.dumps(document).encode())
    return httpx.Response(status, headers={**headers, "Content-Type": "application/json"}, stream=body)


@dataclass
class Provider:
    """A provider in one function; what a test sets is what it answers."""

    discovery: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    key_sets: Sequence[dict[str, Any]] = KEYS[:1]
    token: tuple[int, dict[str, Any]] = (400, {"error": "invalid_grant"})
    ahead: timedelta = timedelta(0)
    hang: bool = False
    fetched: int = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.hang:
            await asyncio.Event().wait()
        headers = {"Date": format_datetime(datetime.now(UTC) + self.ahead, usegmt=True)}
        if request.url.path == "/token":
            return _json(self.token[0], self.token[1], headers)
        if request.url.path == "/jwks":
            self.fetched += 1
            return _json(200, self.key_sets[self.fetched % len(self.key_sets)], headers)
        document = {
            "issuer": ISSUER.url, "jwks_uri": f"{ISSUER.url}/jwks", "token_endpoint": f"{ISSUER.url}/token",
            **self.discovery,
        }  # fmt: skip
        return _json(self.status, document, headers)

    def http(self) -> Http:
        return HttpClient(httpx.MockTransport(self))


@pytest.fixture
def provider() -> Provider:
    """One that is sound."""
    return Provider()


@pytest.fixture
def scene(provider: Provider) -> Scene:
    """It, seen from two regions, without probes and without a Prometheus."""

    async def no_probes(_: tuple[str, ...]) -> Sequence[ProbeResult]:
        return ()

    async def resolve(host: str) -> Sequence[str]:
        return ("192.0.2.1",) if host == "login.acme.test" else ()

    return Scene(ISSUER, (EU, US), lambda _: provider.http(), no_probes, 5.0, resolve=resolve)


async def _run(check: c.RunbookCheck, scene: Scene) -> list[Outcome]:
    return await run_checks([check], scene)


@pytest.mark.parametrize(
    "check", [c.DNS, c.TLS, c.CLOCK, c.DISCOVERY, c.JWKS, c.SAME_DISCOVERY, c.SAME_JWKS, c.TOKEN_REFUSES],
    ids=lambda check: check.name,
)  # fmt: skip
async def test_a_sound_provider_passes_from_every_region(check: c.RunbookCheck, scene: Scene) -> None:
    outcomes = await _run(check, scene)

    assert [(outcome.region, outcome.ok, outcome.sightings) for outcome in outcomes] == [
        ("eu", True, ()),
        ("us", True, ()),
    ]


@pytest.mark.parametrize(
    ("change", "check", "reason", "stage", "source"),
    [
        ({"status": 503}, c.DISCOVERY, Reason.SERVER_ERROR, Stage.DISCOVERY, Source.CHECK),
        ({"status": 404}, c.DISCOVERY, Reason.BAD_RESPONSE, Stage.DISCOVERY, Source.CHECK),
        ({"discovery": {"issuer": "https://other"}}, c.DISCOVERY, Reason.ISSUER_MISMATCH, Stage.DISCOVERY, Source.CHECK),
        ({"discovery": {"jwks_uri": ""}}, c.JWKS, Reason.DISCOVERY_INVALID, Stage.DISCOVERY, Source.CHECK),
        ({"discovery": {"jwks_uri": "https://evil.test/"}}, c.JWKS, Reason.DISCOVERY_INVALID, Stage.DISCOVERY, Source.CHECK),
        ({"key_sets": [{"keys": []}]}, c.JWKS, Reason.JWKS_INVALID, Stage.JWKS, Source.CHECK),
        ({"key_sets": KEYS}, c.SAME_JWKS, Reason.JWKS_INCONSISTENT, Stage.JWKS, Source.CHECK),
        ({"token": (500, {})}, c.TOKEN_REFUSES, Reason.SERVER_ERROR, Stage.TOKEN, Source.CHECK),
        ({"token": (429, {})}, c.TOKEN_REFUSES, Reason.RATE_LIMITED, Stage.TOKEN, Source.CHECK),
        ({"ahead": timedelta(minutes=2)}, c.CLOCK, Reason.CLOCK_SKEW, Stage.DISCOVERY, Source.THRESHOLD),
    ],
)  # fmt: skip
async def test_what_is_wrong_fails_the_check_for_its_reason(
    provider: Provider, scene: Scene, change: dict[str, Any], check: c.RunbookCheck, reason: Reason, stage: Stage,
    source: Source,
) -> None:  # fmt: skip
    for name, value in change.items():
        setattr(provider, name, value)

    outcome = (await _run(check, scene))[0]

    assert not outcome.ok
    assert [(one.reason, one.stage, one.source) for one in outcome.sightings] == [(reason, stage, source)]


async def test_a_token_endpoint_that_takes_any_code_fails_the_check(provider: Provider, scene: Scene) -> None:
    provider.token = (200, {"access_token": "x"})

    outcome = (await _run(c.TOKEN_REFUSES, scene))[0]

    assert (outcome.ok, outcome.sightings) == (False, ())


async def test_a_name_that_does_not_resolve_is_told(scene: Scene) -> None:
    async def nowhere(host: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    outcome = (await _run(c.DNS, replace(scene, resolve=nowhere)))[0]

    assert outcome.sightings[0].reason is Reason.DNS_FAILURE


async def test_a_name_is_not_asked_for_where_a_proxy_does_it(scene: Scene) -> None:
    behind = replace(scene, regions=(Region("far", proxy="http://proxy.test:3128"),))

    assert await _run(c.DNS, behind) == []


async def test_a_provider_that_hangs_is_given_up(
    provider: Provider, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.hang = True
    monkeypatch.setattr("runbooks.running._SECONDS", {c.HttpGet: 0.05})

    outcome = (await _run(c.DISCOVERY, scene))[0]

    assert (outcome.sightings[0].reason, outcome.seen) == (Reason.TIMEOUT, "timeout: no answer in time")


async def test_without_a_prometheus_its_questions_are_left_out(scene: Scene) -> None:
    assert await run_checks([c.still_firing("OidcX"), c.failures()], scene) == []


async def test_series_of_another_issuer_or_client_are_none_of_ours(scene: Scene) -> None:
    async def query(text: str) -> Sequence[Sample]:
        assert "$issuer" not in text
        return [Sample({"issuer": "other"}, 1), Sample({"issuer": "acme", "target": "kiosk"}, 1)]

    [outcome] = await _run(c.still_firing("OidcX"), replace(scene, query=query, target="portal"))

    assert (outcome.ok, outcome.seen) == (True, "no series")


async def test_recorded_failures_are_shown_and_are_evidence(scene: Scene) -> None:
    async def query(text: str) -> Sequence[Sample]:
        place = {"issuer": "acme", "probe": "jwks", "region": "eu"}
        return [Sample({**place, "reason": "rotation_unsafe"}, 1), Sample({**place, "step": "jwks"}, 1)]

    outcomes = await _run(c.failures(), replace(scene, query=query))

    assert outcomes[0].seen == "probe=jwks region=eu reason=rotation_unsafe: 1"
    verdict = diagnose(evidence_of(outcomes))
    assert (verdict.cause, verdict.stage) == (Reason.ROTATION_UNSAFE, Stage.JWKS)


def _result(region: str, reason: Reason | None, stage: Stage = Stage.DISCOVERY) -> ProbeResult:
    failure = Failure(reason, stage, "detail") if reason else None
    started = datetime(2026, 3, 1, tzinfo=UTC)
    return ProbeResult(Check(ISSUER, "discovery"), region, "0" * 32, started, 0.1, (), failure=failure)


async def test_a_probe_run_tells_its_reason_and_step(scene: Scene) -> None:
    async def probe(kinds: tuple[str, ...]) -> Sequence[ProbeResult]:
        return [_result("eu", Reason.SERVER_ERROR), _result("us", None)]

    failed, passed = await _run(c.PROBES, replace(scene, probe=probe))

    assert (failed.subject, failed.seen, failed.ok) == ("acme//discovery", "server_error at discovery: detail", False)
    assert (passed.ok, passed.passed, passed.expected) == (True, True, "success")


async def test_what_a_region_without_a_network_of_its_own_sees_is_no_evidence(scene: Scene, provider: Provider) -> None:
    async def probe(kinds: tuple[str, ...]) -> Sequence[ProbeResult]:
        return [_result("eu", Reason.PROBE_ERROR, Stage.PROBE), _result("us", None)]

    provider.status = 503

    outcomes = await run_checks([c.DISCOVERY, c.PROBES], replace(scene, probe=probe))

    assert {one.region for one in evidence_of(outcomes).sightings if one.source is Source.CHECK} == {"us"}


async def test_outcomes_keep_the_order_of_the_page_and_are_told_as_they_come(scene: Scene) -> None:
    told: list[str] = []

    outcomes = await run_checks([c.PROBES, c.DISCOVERY, c.DNS], scene, lambda outcome: told.append(outcome.subject))

    assert [outcome.subject for outcome in outcomes] == ["discovery-answers"] * 2 + ["name-resolves"] * 2
    assert sorted(told) == sorted(outcome.subject for outcome in outcomes)
