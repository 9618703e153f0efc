"""The login and refresh probes after the callback, with a browser's part played: what they remember and compare."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from probes.authorize import AuthorizationRequest
from probes.egress_guard import Egress
from probes.http import HttpClient
from probes.model import Check, ProbeResult, Reason, Stage
from probes.probe import Steps
from probes.registry import PROBES, Resources
from probes.run import run_once
from probes.subjects import Region, SecretRef

if TYPE_CHECKING:
    from tests.probes.conftest import Lab, Signer

TOKEN, USERINFO = "/token", "/userinfo"
NOT_STORED: dict[str, Any] = {"cache_control": "no-store", "pragma": "no-cache"}


@dataclass(frozen=True, slots=True)
class Browsers:
    """A pool whose sessions have nothing but a way out."""

    scheme: str
    """Of the one document; the image and the callback have http always."""

    @asynccontextmanager
    async def session(self, options: object) -> AsyncIterator[SimpleNamespace]:
        egress = Egress(frozenset())
        for kind, blocked in (("Document", ""), ("Image", ""), ("Document", "callback")):
            scheme = self.scheme if kind == "Document" and not blocked else "http"
            egress.record({"method": "GET", "url": f"{scheme}://login.acme.example/"}, kind, blocked, of_tab=True)
        yield SimpleNamespace(egress=egress)


@dataclass(slots=True)
class Person:
    """Signs in at once, and decides what the provider's next ID tokens and answers say."""

    lab: Lab
    claims: dict[str, Any] = field(default_factory=dict)
    members: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""
    scheme: str = "https"
    logins: int = 0

    def answer(self) -> None:
        """Set what the token endpoint answers from now on."""
        now = int(self.lab.clock().timestamp())
        claims = {"iss": self.lab.issuer.url, "aud": "machine", "sub": "alice", "iat": now, "exp": now + 300}
        token = self.lab.signer.sign({**claims, "nonce": self.nonce, **self.claims})
        given = {**self.lab.tokens("opaque"), "id_token": token, "refresh_token": "refresh-token", **self.members}
        self.lab.provider.json(TOKEN, given, **NOT_STORED)

    async def authorize(
        self,
        session: object,
        request: AuthorizationRequest,
        user: object,
        form: object,
        steps: Steps,
        clock: object,
        accept: Callable[[Mapping[str, str]], None],
    ) -> dict[str, str]:
        self.logins += 1
        asked = dict(parse_qsl(urlsplit(request.url).query))
        self.nonce = asked["nonce"]
        self.answer()
        parameters = {"code": "a-code", "state": asked["state"], "iss": self.lab.issuer.url}
        with steps(Stage.CALLBACK):
            accept(parameters)
        return parameters

    async def run(self, kind: str) -> ProbeResult:
        lab = self.lab
        check = Check(lab.issuer, kind, client=lab.client, timeout=5.0)
        resources = Resources(
            http=HttpClient(lab.provider, lab.clock),
            secrets=_secret,
            memory=lab.memory,
            region=Region("eu"),
            redact=lab.redact,
            clock=lab.clock,
            browsers=lambda: Browsers(self.scheme),  # type: ignore[arg-type,return-value]  # a pool is more than its sessions
        )
        return await run_once(PROBES[kind].build(resources), check, "eu", lab.redact, lab.clock)


async def _secret(ref: SecretRef) -> str:
    return "canary-client-secret"


@pytest.fixture
def person(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Person:
    lab.client = replace(lab.client, scopes=("openid",), redirect_uri="https://portal.example/callback")
    lab.provider.json(USERINFO, {"sub": "alice"})
    someone = Person(lab)
    monkeypatch.setattr("probes.code_flow.authorize", someone.authorize)
    return someone


def why(result: ProbeResult) -> tuple[Reason, Stage] | None:
    return (result.failure.reason, result.failure.stage) if result.failure else None


async def test_another_sub_fails_one_run_and_is_then_known(person: Person) -> None:
    before = await person.run("login")
    person.claims["sub"] = "alice-made-anew"
    person.lab.provider.json(USERINFO, {"sub": "alice-made-anew"})

    changed, after = await person.run("login"), await person.run("login")

    assert before.ok
    assert why(changed) == (Reason.CLAIM_INVALID, Stage.ID_TOKEN)
    assert after.ok


@pytest.mark.parametrize(
    ("claims", "reason"),
    [({}, None), ({"sub": "bob"}, Reason.CLAIM_INVALID), ({"auth_time": 1_700_000_000}, Reason.CLAIM_INVALID)],
)
async def test_a_refresh_goes_back_to_the_same_login(person: Person, claims: dict[str, Any], reason: Reason) -> None:
    person.claims["auth_time"] = 1_600_000_000
    first = await person.run("refresh")
    person.claims.update(claims)
    person.answer()

    second = await person.run("refresh")

    assert first.ok
    assert (second.failure.reason if second.failure else None) == reason
    assert person.logins == 1


@pytest.mark.parametrize(("left", "logins"), [(121, 1), (120, 2), (0, 1)])
async def test_a_session_whose_announced_end_comes_before_the_next_refresh_is_begun_anew(
    person: Person, left: int, logins: int
) -> None:
    person.members["refresh_expires_in"] = left

    results = [await person.run("refresh"), await person.run("refresh")]

    assert all(result.ok for result in results)
    assert person.logins == logins


@pytest.mark.parametrize(("trusted", "reason"), [(True, None), (False, Reason.KID_UNKNOWN)])
async def test_a_signed_userinfo_answer_is_believed_only_with_a_published_key(
    person: Person, other_signer: Signer, trusted: bool, reason: Reason | None
) -> None:
    signer = person.lab.signer if trusted else other_signer
    body = signer.sign({"sub": "alice"}).encode()
    person.lab.provider.on(USERINFO, person.lab.reply(200, body, [(b"content-type", b"application/jwt")]))

    result = await person.run("login")

    assert why(result) == ((reason, Stage.USERINFO) if reason else None)


async def test_a_way_to_the_callback_without_tls_fails_the_login(person: Person) -> None:
    person.scheme = "http"

    assert why(await person.run("login")) == (Reason.BAD_RESPONSE, Stage.CALLBACK)
