"""Whatever an endpoint answers, a run ends with a reason that is the provider's, at a stage that the reason allows."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model import ProbeResult, Reason
from probes.reasons import REASONS
from probes.registry import PROBES

if TYPE_CHECKING:
    from tests.probes.conftest import Lab

    Labs = Callable[[], Lab]

DOCUMENT, OAUTH, KEYS, TOKEN = (
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/jwks",
    "/token",
)
ENDPOINTS = pytest.mark.parametrize(
    ("path", "kind"),
    [
        (DOCUMENT, "discovery"),
        (OAUTH, "discovery"),
        (DOCUMENT, "client_credentials"),
        (KEYS, "jwks"),
        (KEYS, "client_credentials"),
        (TOKEN, "client_credentials"),
    ],
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.integers(10**15, 10**40) | st.floats()
    | st.text(max_size=20) | st.text(st.characters(codec=None), max_size=5)
    | st.sampled_from(["RS256", "none", "RSA", "EC", "AQAB", "Bearer", "https://", "https://login.acme.example:99999/"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
HEADER_NAMES = st.sampled_from(
    [b"content-type", b"cache-control", b"age", b"date", b"location", b"content-encoding", b"retry-after",
     b"x-ratelimit-limit", b"x-ratelimit-remaining", b"www-authenticate", b"content-length", b"set-cookie"]
)  # fmt: skip
HEADER_VALUES = st.binary(max_size=20).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b"")) | st.sampled_from(
    [b"application/json", b"max-age=60", b"\xb2", b"9" * 400, b"gzip", b"Sun, 01 Mar 2026 12:00:00 GMT", b"no-store"]
)
HEADERS = st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=4)
STATUSES = st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503, 999])
TYPE = (b"content-type", b"application/json")


def attacked(
    make_lab: Labs, path: str, kind: str, *replies: tuple[int, bytes, list[tuple[bytes, bytes]]]
) -> ProbeResult:
    """The last of two runs: the first with a good provider fills the memory, then the endpoint is replaced."""
    lab = make_lab()
    lab.redact.learn(["canary-client-secret"])
    assert asyncio.run(lab.run(kind)).ok
    lab.memory.metadata.clear()
    lab.memory.oauth_checked.clear()
    lab.provider.on(path, *(lab.reply(*reply) for reply in replies))
    return asyncio.run(lab.run(kind))


def assert_sound(result: ProbeResult, kind: str) -> None:
    """No fault of ours, a declared reason at a stage that it allows, and text that can be shown."""
    json.dumps([finding.message for finding in result.findings]).encode()
    for finding in result.findings:
        assert finding.message.isprintable()
        finding.message.encode()
    if result.failure is None:
        return
    assert result.failure.reason is not Reason.PROBE_ERROR, result.failure
    assert result.failure.stage in REASONS[result.failure.reason].stages, result.failure
    assert result.failure.reason in PROBES[kind].reasons, result.failure
    assert result.failure.detail.isprintable()
    assert len(result.failure.detail) <= 700


@ENDPOINTS
@given(data=st.binary(max_size=200), status=STATUSES, headers=HEADERS)
def test_any_bytes_with_any_status_and_headers(
    make_lab: Labs, path: str, kind: str, data: bytes, status: int, headers: list[tuple[bytes, bytes]]
) -> None:
    assert_sound(attacked(make_lab, path, kind, (status, data, headers)), kind)


@ENDPOINTS
@given(document=JSON, status=STATUSES)
def test_any_json(make_lab: Labs, path: str, kind: str, document: object, status: int) -> None:
    assert_sound(attacked(make_lab, path, kind, (status, json.dumps(document).encode(), [TYPE])), kind)


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of a document, at any depth."""
    if isinstance(document, dict):
        return [(document, key) for key in document] + [p for value in document.values() for p in places(value)]
    if isinstance(document, list):
        return [(document, at) for at in range(len(document))] + [p for value in document for p in places(value)]
    return []


@ENDPOINTS
@given(data=st.data())
def test_any_value_in_any_place_of_a_good_document(make_lab: Labs, path: str, kind: str, data: st.DataObject) -> None:
    lab = make_lab()
    document = json.loads(lab.provider.body(path) or b'{"issuer":"https://login.acme.example"}')
    for _ in range(data.draw(st.integers(1, 3))):
        where, key = data.draw(st.sampled_from(places(document)))
        where[key] = data.draw(JSON | st.just(copy.deepcopy(where[key])))
    headers = [TYPE, (b"cache-control", b"no-store"), *data.draw(HEADERS)]

    assert_sound(attacked(make_lab, path, kind, (200, json.dumps(document).encode(), headers)), kind)


@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64"]), JSON, max_size=4), claims=JSON
)
def test_any_header_and_claims_of_an_access_token(make_lab: Labs, header: dict[str, Any], claims: object) -> None:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "kid": "key-1", **header}, claims)]
    token = ".".join([*(base64url(part) for part in parts), "AAAA"])
    body = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 300}).encode()

    result = attacked(make_lab, TOKEN, "client_credentials", (200, body, [TYPE, (b"cache-control", b"no-store")]))

    assert_sound(result, "client_credentials")
    assert token not in repr(result)


@given(
    claims=st.dictionaries(st.sampled_from(["iss", "aud", "exp", "iat", "nbf", "sub", "client_id"]), JSON, min_size=1)
)
def test_any_claims_under_a_good_signature(make_lab: Labs, claims: dict[str, Any]) -> None:
    lab = make_lab()
    header = base64url(b'{"alg":"RS256","kid":"key-1"}')
    signing_input = f"{header}.{base64url(json.dumps(claims).encode())}"
    token = f"{signing_input}.{base64url(lab.signer.sign_bytes(signing_input.encode()))}"
    body = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 300}).encode()

    result = attacked(make_lab, TOKEN, "client_credentials", (200, body, [TYPE, (b"cache-control", b"no-store")]))

    assert_sound(result, "client_credentials")
    assert result.failure is None or result.failure.reason is not Reason.SIGNATURE_INVALID


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
