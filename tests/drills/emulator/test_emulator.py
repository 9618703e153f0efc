"""An emulated verifier fetches by its row's rules, checks real signatures and claims, and says why it refuses."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from drills.emulator import Emulated, key_set
from drills.prediction import Outage
from drills.verifiers import Word, verifiers
from probes.http import HttpClient

ISSUER, AUDIENCE, KEYS = "https://login.acme.example", "orders", "https://login.acme.example/keys"
NOW = 1_900_000_000.0


def answered(status: int, body: bytes | dict[str, Any], **headers: str) -> httpx.Response:
    """An answer that is still to be read, as one from a network is."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


@dataclass
class Provider:
    """Signs tokens and serves keys, in this process."""

    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    published: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def publish(self, *kids: str) -> None:
        """The set holds these keys and no others; one that is new is made."""
        self.published = []
        for kid in kids:
            self.keys.setdefault(kid, ec.generate_private_key(ec.SECP256R1()))
            jwk = ECAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True)
            self.published.append({**jwk, "kid": kid, "use": "sig"})

    def token(self, kid: str, **claims: Any) -> str:
        said = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600, "iat": NOW, "sub": "machine", **claims}
        return jwt.encode(
            {name: value for name, value in said.items() if value is not None},
            self.keys[kid], algorithm="ES256", headers={"kid": kid},
        )  # fmt: skip

    def answer(self, request: httpx.Request) -> httpx.Response:
        return answered(200, {"keys": self.published}, **self.headers)


@pytest.fixture
def provider() -> Provider:
    made = Provider()
    made.publish("old")
    return made


Answer = Callable[[httpx.Request], httpx.Response]


def verifier(name: str, answer: Answer, clock: Callable[[], float] = lambda: NOW) -> Emulated:
    http = HttpClient(httpx.MockTransport(answer))
    return Emulated(verifiers()[name], key_set(http, KEYS, asyncio.run), ISSUER, AUDIENCE, clock)


def test_a_sound_token_is_accepted(provider: Provider) -> None:
    verdict = verifier("istio", provider.answer).check(provider.token("old"))

    assert (verdict.ok, verdict.error) == (True, "")


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"iss": "https://other.example"}, "iss is 'https://other.example', expected 'https://login.acme.example'"),
        ({"aud": ["a", "b"]}, "aud is ['a', 'b'], expected 'orders'"),
        ({"exp": NOW - 61}, "it expired 61 s ago, leeway 60 s"),
        ({"exp": None}, "exp is missing or no number"),
        ({"nbf": NOW + 61}, "nbf is 61 s ahead, leeway 60 s"),
        ({"iat": NOW + 61}, "iat is 61 s ahead, leeway 60 s"),
    ],
)
def test_a_claim_that_is_wrong_is_named(claims: dict[str, Any], error: str, provider: Provider) -> None:
    verdict = verifier("istio", provider.answer).check(provider.token("old", **claims))

    assert (verdict.ok, verdict.error) == (False, error)


@pytest.mark.parametrize("claims", [{"exp": NOW - 59}, {"nbf": NOW + 59}, {"iat": NOW + 59}, {"aud": ["a", AUDIENCE]}])
def test_times_count_with_the_leeway_of_the_row(claims: dict[str, Any], provider: Provider) -> None:
    verdict = verifier("istio", provider.answer).check(provider.token("old", **claims))

    assert verdict.error == ""


def test_a_leeway_that_nobody_knows_counts_as_none(provider: Provider) -> None:
    emulated = verifier("grafana", provider.answer)

    verdict = emulated.check(provider.token("old", exp=NOW - 1))

    assert emulated.row.leeway is Word.UNKNOWN
    assert verdict.error == "it expired 1 s ago, leeway 0 s"


def test_a_rotation_is_seen_when_the_row_fetches(provider: Provider) -> None:
    moment = [NOW]
    emulated = verifier("istio", provider.answer, lambda: moment[0])
    emulated.check(provider.token("old"))

    provider.publish("new")
    before = emulated.check(provider.token("new", exp=NOW + 9999))
    moment[0] += 1200
    after = emulated.check(provider.token("new", exp=NOW + 9999))

    assert "it fetches again in 1200 s" in before.error
    assert after.ok


def test_another_key_under_a_known_kid_is_refused_until_the_next_fetch(provider: Provider) -> None:
    moment = [NOW]
    emulated = verifier("istio", provider.answer, lambda: moment[0])
    emulated.check(provider.token("old"))

    del provider.keys["old"]
    provider.publish("old")
    before = emulated.check(provider.token("old", exp=NOW + 9999))
    moment[0] += 1200
    after = emulated.check(provider.token("old", exp=NOW + 9999))

    assert "does not verify" in before.error
    assert after.ok


def test_a_token_without_kid_is_accepted_when_one_key_alone_can_be_meant(provider: Provider) -> None:
    emulated = verifier("mozilla-django-oidc", provider.answer)
    token = jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600}, provider.keys["old"], algorithm="ES256")

    one = emulated.check(token)
    provider.publish("old", "new")
    two = emulated.check(token)

    assert one.ok
    assert not two.ok


@pytest.mark.parametrize(
    ("answer", "outage"),
    [
        (answered(503, b"<h1>later</h1>"), Outage.DEAD),
        (answered(200, b"<h1>maintenance</h1>"), Outage.DEAD),
        (answered(200, b'{"keys": ["' + b"x" * 2**20 + b'"]}'), Outage.DEAD),
        (answered(302, b"", location="https://elsewhere.example"), Outage.DEAD),
        (answered(500, {"error": "server_error"}), Outage.ERROR_STATUS),
        (answered(500, b""), Outage.DEAD),
        (answered(200, {"error": "server_error"}), Outage.ERROR_BODY),
    ],
)
def test_an_answer_that_is_no_key_set_is_an_outage(answer: httpx.Response, outage: Outage) -> None:
    fetch = key_set(HttpClient(httpx.MockTransport(lambda _: answer)), KEYS, asyncio.run)

    assert fetch(5.0) is outage


def test_an_endpoint_that_does_not_answer_in_time_is_an_outage() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    fetch = key_set(HttpClient(httpx.MockTransport(never)), KEYS, asyncio.run)

    assert fetch(0.01) is Outage.DEAD


@pytest.mark.parametrize(("value", "max_age"), [("public, max-age=300", 300), ("no-cache", 0), ("private", None)])
def test_the_cache_control_of_the_set_is_read(value: str, max_age: int | None, provider: Provider) -> None:
    provider.headers = {"Cache-Control": value}
    fetched = key_set(HttpClient(httpx.MockTransport(provider.answer)), KEYS, asyncio.run)(5.0)

    assert not isinstance(fetched, Outage)
    assert fetched.max_age == max_age


def test_in_an_outage_the_refusal_says_that_the_key_set_cannot_be_fetched() -> None:
    emulated = verifier("spring-nimbus-cache", lambda _: answered(503, b""))
    token = jwt.encode({"iss": ISSUER}, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": "old"})

    verdict = emulated.check(token)

    assert verdict.error == "no key: the key set cannot be fetched"


@pytest.mark.parametrize("token", ["", "opaque-token", "a.b.c", "..", "e30.e30.e30"])
def test_what_is_no_token_is_refused_and_not_repeated(token: str, provider: Provider) -> None:
    verdict = verifier("istio", provider.answer).check(token)

    assert not verdict.ok
    assert "opaque-token" not in verdict.error


def test_no_part_of_a_token_is_in_its_refusal(provider: Provider) -> None:
    emulated = verifier("istio", provider.answer)
    token = provider.token("old")
    header, payload, signature = token.split(".")

    for broken in (f"{header}.{payload}.{signature[::-1]}", f"{header}.{payload[:-8]}.{signature}", token + "=="):
        error = emulated.check(broken).error

        assert error
        assert not any(part in error for part in (header, payload, signature, signature[::-1]))


def test_the_row_says_what_is_emulated(provider: Provider) -> None:
    emulated = verifier("istio", provider.answer)

    assert (emulated.kind, emulated.language, emulated.version) == ("emulated", "", "86c9f01")


def test_an_emulated_verifier_knows_when_it_fetched(provider: Provider) -> None:
    started = time.time()
    emulated = verifier("istio", provider.answer, time.time)
    before = emulated.fetched("old")

    emulated.check(provider.token("old"))

    assert before is None
    assert (emulated.fetched("old") or 0) >= started
