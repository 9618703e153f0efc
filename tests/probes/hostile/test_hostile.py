"""Whatever a server sends: the run ends in time, with a reason that is not ours, in little memory."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from probes.model import Reason, Stage
from probes.reasons import REASONS

if TYPE_CHECKING:
    from tests.probes.hostile.conftest import Arena, Outcome, Run

    Send = Callable[[Arena, asyncio.StreamWriter], Awaitable[None]]

pytestmark = pytest.mark.process
BAD, TIMEOUT, INVALID = Reason.BAD_RESPONSE, Reason.TIMEOUT, Reason.JWKS_INVALID
EVERYWHERE = ("discovery", "jwks", "token")
AT_TOKEN = ("token",)
PROBE_AT = {"discovery": "discovery", "jwks": "jwks", "token": "client_credentials"}
"""The kind that reports an endpoint's findings; the others only stop at failures."""
GIB = 1 << 30
BLOCK = b"x" * 65_536
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ZIPPED = HEAD + b"Content-Encoding: gzip\r\n"
MOST_MEMORY = 300  # MiB above the base
GRACE = 5.0  # seconds for a run to clean up after its deadline, as `run_once` gives it


@dataclass(frozen=True, slots=True)
class Attack:
    """What is sent in the place of an answer, and the reason that the run fails with (None: it does not)."""

    name: str
    reason: Reason | None
    send: Send = field(repr=False)
    endpoints: tuple[str, ...] = EVERYWHERE
    slow: bool = False
    """Lasts until the deadline."""
    finding: str = ""
    then: Reason | None = None
    """What client_credentials fails with at the access token, when it has taken the key set as it is."""


def raw(data: bytes) -> Send:
    """Exactly these bytes."""

    async def send(arena: Arena, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return send


def body(data: bytes, *headers: str, status: str = "200 OK") -> Send:
    """A well-formed answer with this body."""

    async def send(arena: Arena, writer: asyncio.StreamWriter) -> None:
        writer.write(arena.http(data, *headers, status=status))

    return send


def flood(start: bytes, block: bytes, total: int = GIB) -> Send:
    """A start and then blocks, made as they are sent, until the other side has enough."""

    async def send(arena: Arena, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        for _ in range(total // len(block)):
            writer.write(block)
            await writer.drain()

    return send


def drip(start: bytes, drop: bytes) -> Send:
    """A start and then a few bytes ten times a second, for ever."""

    async def send(arena: Arena, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.1)

    return send


def token(**members: Any) -> Send:
    """A token response with these members."""
    return body(json.dumps({"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, **members}).encode())


def signed(header: Mapping[str, Any], sign: Callable[[Arena, bytes], bytes]) -> Send:
    """A token response whose access token is a JWS with this header."""

    async def send(arena: Arena, writer: asyncio.StreamWriter) -> None:
        made = arena.jws({"kid": arena.signer.kid, **header}, arena.claims("any"), lambda data: sign(arena, data))
        writer.write(arena.http(json.dumps({"access_token": made, "token_type": "Bearer", "expires_in": 300}).encode()))

    return send


def public_key_as_secret(arena: Arena, data: bytes) -> bytes:
    return hmac.digest(arena.pem(), data, hashlib.sha256)


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    return b"".join(packer.compress(b" " * (1 << 20)) for _ in range(size >> 20)) + packer.flush()


def keys(*members: object) -> Send:
    return body(json.dumps({"keys": list(members)}).encode())


def rsa_key(kid: str, modulus: str) -> dict[str, str]:
    return {"kty": "RSA", "kid": kid, "e": "AQAB", "n": modulus}


TEN_THOUSAND = [{"kty": "oct", "kid": str(number), "use": "sig"} for number in range(10_000)]
DEEP = b'{"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}"
EDGE = b'{"issuer":' + b"[" * 900 + b"]" * 900 + b"}"
STORED = b"\0\0\0\xff\xff"  # an empty block of a deflate stream (RFC 1951 §3.2.4): no output, however many there are

FLOODS = (
    Attack("body-of-1-gib", BAD, flood(HEAD + b"Content-Length: 1073741824\r\n\r\n", BLOCK)),
    Attack("body-of-1-gib-without-length", BAD, flood(HEAD + b"\r\n", BLOCK)),
    Attack("body-of-1-gib-in-chunks", BAD, flood(CHUNKED, b"10000\r\n" + BLOCK + b"\r\n")),
    Attack("gzip-bomb", BAD, body(bomb(1 << 29), "Content-Encoding: gzip")),
    Attack("gzip-within-gzip", BAD, body(gzip.compress(gzip.compress(b"{}")), "Content-Encoding: gzip, gzip")),
    Attack("gzip-with-a-tail", BAD, flood(ZIPPED + b"\r\n" + gzip.compress(b"{}"), BLOCK)),
    Attack("header-without-end", BAD, flood(HEAD + b"X-Long: ", BLOCK)),
    Attack("headers-without-end", BAD, flood(HEAD, b"X-Many: 1\r\n" * 5000)),
    Attack("100000-cookies", BAD, flood(HEAD, b"Set-Cookie: a=b\r\n" * 1000, 17_000_000)),
    Attack("status-line-without-end", BAD, flood(b"HTTP/1.1 200 ", BLOCK)),
    Attack("chunk-extension-without-end", BAD, flood(CHUNKED + b"1;", BLOCK)),
    Attack("trailers-without-end", BAD, flood(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Many: 1\r\n" * 5000)),
    Attack("garbage-without-end", BAD, flood(b"", b"\xff" * 65_536)),
)
SLOW = (
    Attack("silence", TIMEOUT, drip(b"", b""), slow=True),
    Attack("drip-in-status-line", TIMEOUT, drip(b"HTTP/1.1 200 ", b"O"), slow=True),
    Attack("drip-in-header", TIMEOUT, drip(HEAD + b"X-Slow: ", b"a"), slow=True),
    Attack("drip-of-headers", TIMEOUT, drip(HEAD, b"X-Slow: a\r\n"), slow=True),
    Attack("drip-in-body", TIMEOUT, drip(HEAD + b"Content-Length: 100000\r\n\r\n", b" "), slow=True),
    Attack("drip-of-chunks", TIMEOUT, drip(CHUNKED, b"1\r\n \r\n"), slow=True),
    Attack("drip-of-chunk-extensions", TIMEOUT, drip(CHUNKED + b"1;", b"a"), slow=True),
    Attack("hints-without-end", TIMEOUT, drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), slow=True),
    Attack("gzip-without-output", TIMEOUT, drip(ZIPPED + b"\r\n" + gzip.compress(b"")[:10], STORED * 100), slow=True),
)
HTTP = (
    Attack("redirect-to-itself", BAD, body(b"", "Location: /", status="302 Found")),
    Attack("redirect-elsewhere", BAD, body(b"", "Location: http://169.254.169.254/", status="307 Temporary Redirect")),
    Attack("closed-at-once", BAD, raw(b"")),
    Attack("http-0.9", BAD, raw(b'{"issuer":"x"}')),
    Attack("binary", BAD, raw(bytes(range(256)) * 8)),
    Attack("http-2-preface", BAD, raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    Attack("unknown-version", BAD, raw(b"HTTP/9.9 200 OK\r\n\r\n{}")),
    Attack("status-000", BAD, raw(b"HTTP/1.1 000 Nothing\r\n\r\n")),
    Attack("status-999", Reason.SERVER_ERROR, raw(b"HTTP/1.1 999 Odd\r\n\r\n")),
    Attack("switching-protocols", BAD, raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")),
    Attack("no-content", BAD, raw(b"HTTP/1.1 204 No Content\r\n\r\n")),
    Attack("length-too-long", BAD, raw(HEAD + b"Content-Length: 100\r\n\r\n{}")),
    Attack("length-too-short", BAD, raw(HEAD + b'Content-Length: 3\r\n\r\n{"issuer":"x"}')),
    Attack("length-of-5000-digits", BAD, raw(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}")),
    Attack("negative-length", BAD, raw(HEAD + b"Content-Length: -1\r\n\r\n{}")),
    Attack("two-lengths", BAD, raw(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}")),
    Attack("chunk-of-odd-size", BAD, raw(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n")),
    Attack("chunk-of-huge-size", BAD, raw(CHUNKED + b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n")),
    Attack("nul-in-header", BAD, raw(HEAD + b"X-Nul: \0\r\n\r\n{}")),
    Attack("unasked-encoding", BAD, body(b"{}", "Content-Encoding: br")),
    Attack("odd-encoding", BAD, body(b"{}", "Content-Encoding: \xff\xfe")),
    Attack("gzip-that-is-none", BAD, body(b"{}", "Content-Encoding: gzip")),
    Attack("gzip-cut-off", BAD, body(gzip.compress(b'{"issuer":"x"}' * 9)[:20], "Content-Encoding: gzip")),
    Attack("html", BAD, raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Welcome</h1>")),
    Attack("date-out-of-range", BAD, body(b"", "Date: Fri, 31 Dec 9999 23:59:59 -2359", status="404 Not Found")),
    Attack("huge-retry-after", Reason.RATE_LIMITED, body(b"", "Retry-After: " + "9" * 900, status="429 Wait")),
    Attack(
        "odd-rate-limit",
        Reason.RATE_LIMITED,
        body(
            b"{}",
            "X-RateLimit-Limit: \xb2",
            "X-RateLimit-Remaining: \xb3",
            "Age: \xb2",
            status="429 Wait",
        ),
    ),
)
JSON = (
    Attack("empty-body", BAD, body(b"")),
    Attack("invalid-utf-8", BAD, body(b'{"issuer":"\xc3\x28"}')),
    Attack("utf-16", BAD, body('{"issuer":"x"}'.encode("utf-16"))),
    Attack("byte-order-mark", BAD, body(b"\xef\xbb\xbf{}")),
    Attack("5-mb-of-nested-json", BAD, body(b'{"a":[' * 833_333)),
    Attack("deep-nesting", BAD, body(DEEP)),
    Attack("nesting-at-the-edge", BAD, body(EDGE)),
    Attack("a-million-members", BAD, body(b"{" + b'"a":1,' * 160_000 + b'"b":1}')),
    Attack("duplicate-members", BAD, body(b'{"issuer":"x","issuer":"y","keys":[],"keys":[]}')),
    Attack("integer-of-5000-digits", BAD, body(b'{"expires_in":' + b"9" * 5000 + b"}")),
    Attack("nan", BAD, body(b'{"expires_in":NaN}')),
    Attack("half-a-surrogate-pair", BAD, body(b'{"access_token":"\\ud800","issuer":"\\udfff"}')),
    Attack("array", BAD, body(b"[]")),
    Attack("null", BAD, body(b"null")),
    Attack("empty-object-as-document", Reason.DISCOVERY_INVALID, body(b"{}"), ("discovery",), finding="DISC-04"),
    Attack("empty-object-as-key-set", Reason.JWKS_INVALID, body(b"{}"), ("jwks",)),
    Attack("empty-object-as-tokens", BAD, body(b"{}"), AT_TOKEN, finding="TOK-01"),
)
KEYS = (
    Attack("10000-keys", INVALID, keys(*TEN_THOUSAND), ("jwks",), finding="JWKS-01", then=Reason.KID_UNKNOWN),
    Attack("key-of-strings", INVALID, keys("a", "b"), ("jwks",)),
    Attack(
        "modulus-of-900-kb", INVALID, keys(rsa_key("key-1", "_" * 900_000)), ("jwks",), then=Reason.SIGNATURE_INVALID
    ),
    Attack("kid-of-900-kb", INVALID, keys(rsa_key("k" * 900_000, "AQAB")), ("jwks",), then=Reason.KID_UNKNOWN),
)
TOKENS = (
    Attack("alg-none", Reason.ALG_NOT_ALLOWED, signed({"alg": "none"}, lambda arena, data: b""), AT_TOKEN),
    Attack("alg-of-another-type", Reason.ALG_NOT_ALLOWED, signed({"alg": ["RS256"]}, lambda a, d: b"x"), AT_TOKEN),
    Attack(
        "hs256-with-the-public-key", Reason.ALG_NOT_ALLOWED, signed({"alg": "HS256"}, public_key_as_secret), AT_TOKEN
    ),
    Attack("unknown-crit", BAD, signed({"alg": "RS256", "crit": ["urn:x"]}, lambda a, d: b"x"), AT_TOKEN),
    Attack("embedded-key", Reason.SIGNATURE_INVALID, signed({"alg": "RS256", "jwk": {}}, lambda a, d: b"x"), AT_TOKEN),
    Attack("header-of-64-kib", BAD, signed({"alg": "RS256", "x": "y" * 65_536}, lambda a, d: b"x"), AT_TOKEN),
    Attack(
        "kid-of-60-kb", Reason.KID_UNKNOWN, signed({"alg": "RS256", "kid": "k" * 40_000}, lambda a, d: b""), AT_TOKEN
    ),
    Attack("not-a-jws-at-all", BAD, token(access_token="eyJ.!.\u00e9"), AT_TOKEN, finding="TOK-01"),
    Attack("jws-of-nothing", BAD, token(access_token="eyJ.."), AT_TOKEN),
    Attack("newline-in-token", BAD, token(access_token="a\r\nX-Injected: 1"), AT_TOKEN, finding="TOK-01"),
    Attack("token-outside-vschar", BAD, token(access_token="caf\u00e9"), AT_TOKEN, finding="TOK-01"),
    Attack("token-is-a-list", BAD, token(access_token=["a"]), AT_TOKEN, finding="TOK-01"),
    Attack("token-type-is-a-list", BAD, token(token_type=["Bearer"]), AT_TOKEN, finding="TOK-01"),
    Attack("token-of-900-kb", None, token(access_token="a" * 900_000), AT_TOKEN),
    Attack("expires-in-is-text", None, token(expires_in="300"), AT_TOKEN, finding="TOK-03"),
    Attack("expires-in-is-huge", None, token(expires_in=10**300), AT_TOKEN, finding="TOK-03"),
    Attack("error-with-status-200", BAD, body(b'{"error":"invalid_client"}'), AT_TOKEN, finding="TOK-01"),
    Attack(
        "error-of-900-kb",
        Reason.REQUEST_REJECTED,
        body(json.dumps({"error": "e" * 900_000, "error_description": "\x1b[2J"}).encode(), status="400 Bad Request"),
        AT_TOKEN,
        finding="TOK-05",
    ),
    Attack("error-is-an-object", BAD, body(b'{"error":{"a":1}}', status="400 Bad Request"), AT_TOKEN, finding="TOK-05"),
)

ATTACKS = {attack.name: attack for attack in (*FLOODS, *SLOW, *HTTP, *JSON, *KEYS, *TOKENS)}


@pytest.fixture(scope="module")
def outcomes(arena: Arena) -> Mapping[Run, Outcome]:
    """Every attack at each of its endpoints, met by each kind of probe that goes there."""
    arena.attacks.update({name: attack.send for name, attack in ATTACKS.items()})
    arena.attacks["good"] = body(b"{}")
    runs = [arena.run("good", "nowhere", probe) for probe in arena.probes_at["discovery"]]
    for attack in ATTACKS.values():
        runs += [arena.run(attack.name, at, probe) for at in attack.endpoints for probe in arena.probes_at[at]]
    return arena.fight(runs, frozenset(name for name, attack in ATTACKS.items() if attack.slow))


def runs_of(outcomes: Mapping[Run, Outcome], name: str) -> list[tuple[Run, Outcome]]:
    found = [(run, outcome) for run, outcome in outcomes.items() if run.attack == name]
    assert found
    return found


def test_without_an_attack_every_probe_succeeds(outcomes: Mapping[Run, Outcome]) -> None:
    assert [outcome.reason for _, outcome in runs_of(outcomes, "good")] == [None, None, None]


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_has_its_reason_at_the_endpoint_where_it_was_made(outcomes: Mapping[Run, Outcome], name: str) -> None:
    attack = ATTACKS[name]

    for run, outcome in runs_of(outcomes, name):
        if attack.then and run.probe == "client_credentials":
            assert (outcome.reason, outcome.stage) == (attack.then, Stage.ACCESS_TOKEN), (run, outcome)
            continue
        assert outcome.reason == attack.reason, (run, outcome)
        assert attack.finding in ("", *outcome.findings) or run.probe != PROBE_AT[run.endpoint], (run, outcome)
        if outcome.reason is not None and run.endpoint != "token":
            assert outcome.stage == run.endpoint, (run, outcome)


def test_no_attack_is_taken_for_our_own_fault(outcomes: Mapping[Run, Outcome]) -> None:
    ours = [run.id for run, outcome in outcomes.items() if outcome.reason == Reason.PROBE_ERROR]

    assert ours == []


def test_every_failure_is_at_a_stage_that_its_reason_allows(outcomes: Mapping[Run, Outcome]) -> None:
    for run, outcome in outcomes.items():
        if outcome.reason is not None and outcome.stage is not None:
            assert Stage(outcome.stage) in REASONS[Reason(outcome.reason)].stages, (run, outcome)


def test_every_run_ends_within_its_deadline(arena: Arena, outcomes: Mapping[Run, Outcome]) -> None:
    late = {run.id: outcome.seconds for run, outcome in outcomes.items() if outcome.seconds > arena.seconds + GRACE}

    assert late == {}


def test_the_process_stays_small(outcomes: Mapping[Run, Outcome]) -> None:
    grown = {run.id: outcome.grown for run, outcome in outcomes.items() if outcome.grown > MOST_MEMORY}

    assert grown == {}, "the first of these is the cause"


def test_what_is_told_about_an_attack_is_short_and_one_line(outcomes: Mapping[Run, Outcome]) -> None:
    for run, outcome in outcomes.items():
        assert len(outcome.detail) <= 600, run
        assert outcome.detail.isprintable(), (run, outcome.detail)
