"""Every row of the fault table really changes what is served: one journey, one witness for each row."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest

from sandbox.control_client import ControlError
from sandbox.faults import FAULTS
from sandbox.launch import Sandbox
from sandbox.visitor import Attempt, Visitor, callback_of, inputs_of

pytestmark = pytest.mark.process

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
SCOPE = "openid profile email offline_access orders.read"

SIGNATURE_ONLY: Any = {f"verify_{name}": False for name in ("aud", "exp", "iat", "nbf", "sub")}


@dataclass
class Seen:
    """What one journey met, as far as it went."""

    issuer: str
    discovery: dict[str, Any] = field(default_factory=dict)
    jwks: list[dict[str, Any]] = field(default_factory=list)
    jwks_text: str = ""
    signing_kid: str = ""
    nonce: str = ""
    login_page: str = ""
    landed: str = ""
    """The page on which the person was left, with its status in front; empty after a redirect."""
    callback: dict[str, str] = field(default_factory=dict)
    state: str = ""
    token_status: int = 0
    token_headers: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    signature_verifies: bool = True
    access_header: dict[str, Any] = field(default_factory=dict)
    access: dict[str, Any] = field(default_factory=dict)
    access_verifies: bool = True
    userinfo_status: int = 0
    userinfo: dict[str, Any] | None = None
    refresh_error: str = ""
    refreshed_sub: str = "user-alice"
    exchange_error: str = ""
    timed_out: bool = False


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as they are, whatever a library would think of them."""
    header, claims = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in token.split(".")[:2])
    return header, claims


def verifies(token: str, keys: list[dict[str, Any]]) -> bool:
    """By PyJWT, with the published key that the token names, and only with the signature in question."""
    header, _ = parts(token)
    key = next((key for key in keys if key.get("kid") == header.get("kid")), None)
    if key is None or header["alg"] not in ("RS256", "ES256", "EdDSA"):
        return False
    try:
        jwt.decode_complete(
            token,
            jwt.PyJWK({name: key[name] for name in key if name != "d"}).key,
            algorithms=[header["alg"]],
            options=SIGNATURE_ONLY,
        )
    except jwt.InvalidTokenError:
        return False
    return True


def read_documents(visitor: Visitor, sandbox: Sandbox, seen: Seen) -> None:
    seen.discovery = visitor.http.get(f"{sandbox.issuer}/.well-known/openid-configuration").json()
    answer = visitor.http.get(f"{sandbox.issuer}/jwks")
    seen.jwks_text = answer.text
    seen.jwks = answer.json()["keys"] if answer.headers["content-type"] == "application/json" else []
    seen.signing_kid = sandbox.control.keys()["RS256"]["active"]


def sign_in(visitor: Visitor, seen: Seen) -> Attempt:
    attempt = visitor.attempt("spa", SCOPE, max_age="3600")
    seen.nonce, seen.state = attempt.parameters["nonce"], attempt.parameters["state"]
    seen.login_page = visitor.http.get(attempt.url).text
    response = visitor.visit(attempt, "alice")
    if "location" in response.headers:
        seen.callback = callback_of(response)
    else:
        seen.landed = f"{response.status_code} {response.text}"
    return attempt


def redeem(visitor: Visitor, seen: Seen, attempt: Attempt) -> None:
    try:
        answer = visitor.redeem(attempt, seen.callback["code"])
    except httpx.ReadTimeout:
        seen.timed_out = True
        return
    seen.token_status, seen.tokens = answer.status_code, answer.json()
    seen.token_headers = dict(answer.headers)
    if "id_token" in seen.tokens:
        seen.header, seen.claims = parts(seen.tokens["id_token"])
        seen.signature_verifies = verifies(seen.tokens["id_token"], seen.jwks)
    if "access_token" in seen.tokens:
        seen.access_header, seen.access = parts(seen.tokens["access_token"])
        seen.access_verifies = verifies(seen.tokens["access_token"], seen.jwks)


def use(visitor: Visitor, sandbox: Sandbox, seen: Seen) -> None:
    access = seen.tokens.get("access_token", "")
    answer = visitor.http.get(f"{sandbox.issuer}/userinfo", headers={"Authorization": f"Bearer {access}"})
    seen.userinfo_status = answer.status_code
    seen.userinfo = answer.json() if answer.headers["content-type"] == "application/json" else None
    form = {"subject_token": access, "subject_token_type": ACCESS_TOKEN}
    seen.exchange_error = visitor.token("machine", grant_type=EXCHANGE, **form).json().get("error", "")
    fresh = visitor.token("spa", grant_type="refresh_token", refresh_token=seen.tokens["refresh_token"]).json()
    seen.refresh_error = fresh.get("error", "")
    if "id_token" in fresh and fresh["id_token"].count(".") == 2:
        seen.refreshed_sub = parts(fresh["id_token"])[1].get("sub", "")


def journey(visitor: Visitor, sandbox: Sandbox) -> Seen:
    seen = Seen(sandbox.issuer)
    read_documents(visitor, sandbox, seen)
    attempt = sign_in(visitor, seen)
    if "code" in seen.callback:
        redeem(visitor, seen, attempt)
    if {"access_token", "refresh_token"} <= set(seen.tokens):
        use(visitor, sandbox, seen)
    return seen


def host(url: str) -> str:
    return str(urlsplit(url).hostname)


def kids(seen: Seen) -> list[str]:
    return [key.get("kid", "") for key in seen.jwks]


def foreign(seen: Seen) -> bool:
    return bool(seen.header) and not seen.signature_verifies


Witness = Callable[[Seen], bool]

WITNESSES: dict[str, Witness] = {
    "discovery-wrong-issuer": lambda seen: host(seen.discovery["issuer"]) == "other.example.test",
    "discovery-slashed-issuer": lambda seen: seen.discovery["issuer"] == f"{seen.issuer}/",
    "discovery-member-missing": lambda seen: "jwks_uri" not in seen.discovery,
    "discovery-rs256-missing": lambda seen: "RS256" not in seen.discovery["id_token_signing_alg_values_supported"],
    "discovery-jwks-uri-wrong-host": lambda seen: host(seen.discovery.get("jwks_uri", "")) == "keys.other.example.test",
    "discovery-endpoint-wrong-host": lambda seen: host(seen.discovery["token_endpoint"]) == "login.other.example.test",
    "jwks-empty": lambda seen: '"keys": []' in seen.jwks_text,
    "jwks-duplicate-kid": lambda seen: len(set(kids(seen))) == len(kids(seen)) - 1,
    "jwks-kid-missing": lambda seen: bool(seen.jwks) and not any(kids(seen)),
    "jwks-private-member": lambda seen: any("d" in key for key in seen.jwks),
    "jwks-small-rsa-key": lambda seen: any(0 < len(key.get("n", "")) < 200 for key in seen.jwks),
    "jwks-signing-key-hidden": lambda seen: '"keys": []' in seen.jwks_text,
    "jwks-same-kid-other-key": lambda seen: seen.signing_kid in kids(seen) and foreign(seen),
    "jwks-other-algorithm": lambda seen: ("OKP", "ES256") in {(key["kty"], key["alg"]) for key in seen.jwks},
    "jwks-certificate": lambda seen: bool(seen.jwks) and all("x5c" in key for key in seen.jwks),
    "jwks-wrong-use": lambda seen: any(key.get("use") == "enc" for key in seen.jwks),
    "jwks-not-json": lambda seen: seen.jwks_text.startswith("<!doctype html>"),
    "id-token-wrong-issuer": lambda seen: seen.claims["iss"] == "https://other.example.test",
    "id-token-unpublished-key": lambda seen: seen.header["kid"] not in kids(seen) and foreign(seen),
    "id-token-same-kid-other-key": lambda seen: seen.header["kid"] == seen.signing_kid and foreign(seen),
    "id-token-bad-signature": lambda seen: seen.header["kid"] == seen.signing_kid and foreign(seen),
    "id-token-alg-none": lambda seen: seen.header["alg"] == "none" and seen.tokens["id_token"].endswith("."),
    "id-token-hs256-public-key": lambda seen: seen.header["alg"] == "HS256",
    "id-token-unknown-crit": lambda seen: seen.header.get("crit") == ["urn:sandbox:unknown"],
    "id-token-kid-missing": lambda seen: "kid" not in seen.header,
    "id-token-wrong-audience": lambda seen: seen.claims["aud"] == "other",
    "id-token-extra-audience": lambda seen: seen.claims["aud"] == ["spa", "other"] and "azp" not in seen.claims,
    "id-token-wrong-azp": lambda seen: seen.claims.get("azp") == "other",
    "id-token-nonce-missing": lambda seen: "nonce" not in seen.claims,
    "id-token-nonce-other": lambda seen: seen.claims.get("nonce", seen.nonce) != seen.nonce,
    "id-token-at-hash-wrong": lambda seen: seen.claims["at_hash"] == "A" * 22,
    "id-token-expired": lambda seen: seen.claims["exp"] < seen.claims["auth_time"],
    "id-token-iat-future": lambda seen: seen.claims["iat"] > seen.claims.get("auth_time", seen.claims["iat"]) + 500,
    "id-token-nbf-future": lambda seen: seen.claims.get("nbf", 0) > seen.claims["iat"],
    "id-token-auth-time-missing": lambda seen: "auth_time" not in seen.claims,
    "id-token-wrong-acr": lambda seen: seen.claims["acr"] == "0",
    "id-token-sub-changed": lambda seen: seen.claims.get("sub") == "user-renumbered",
    "id-token-sub-missing": lambda seen: "sub" not in seen.claims,
    "id-token-sub-too-long": lambda seen: len(seen.claims.get("sub", "")) == 256,
    "id-token-claim-missing": lambda seen: "email" not in seen.claims,
    "id-token-claim-wrong-type": lambda seen: seen.claims["email_verified"] == "true",
    "refresh-other-sub": lambda seen: seen.refreshed_sub == "user-other",
    "access-token-wrong-issuer": lambda seen: seen.access["iss"] == "https://other.example.test",
    "access-token-wrong-audience": lambda seen: seen.access["aud"] == "other",
    "access-token-scope-missing": lambda seen: "scope" not in seen.access,
    "access-token-wrong-typ": lambda seen: seen.access_header["typ"] == "JWT",
    "access-token-bad-signature": lambda seen: (
        seen.access_header["kid"] == seen.signing_kid and not seen.access_verifies
    ),
    "access-token-unpublished-key": lambda seen: seen.access_header["kid"] not in kids(seen),
    "access-token-kid-missing": lambda seen: "kid" not in seen.access_header,
    "access-token-expired": lambda seen: seen.access["exp"] < seen.claims["auth_time"],
    "userinfo-sub-mismatch": lambda seen: (seen.userinfo or {}).get("sub") == "user-other",
    "userinfo-401": lambda seen: seen.userinfo_status == 401,
    "userinfo-403": lambda seen: seen.userinfo_status == 403,
    "userinfo-not-json": lambda seen: seen.userinfo_status == 200 and seen.userinfo is None,
    "state-dropped": lambda seen: "state" not in seen.callback,
    "state-changed": lambda seen: seen.callback["state"] == "other",
    "iss-wrong": lambda seen: seen.callback["iss"] == "https://other.example.test",
    "iss-missing": lambda seen: "iss" not in seen.callback,
    "code-rejected": lambda seen: seen.tokens.get("error") == "invalid_grant",
    "refresh-rejected": lambda seen: seen.refresh_error == "invalid_grant",
    "exchange-rejected": lambda seen: seen.exchange_error == "invalid_target",
    "client-rejected": lambda seen: (seen.token_status, seen.tokens.get("error")) == (401, "invalid_client"),
    "token-error-unregistered": lambda seen: seen.tokens.get("error") == "E_4711",
    "token-server-error": lambda seen: seen.token_status == 500,
    "token-slow": lambda seen: seen.timed_out,
    "token-id-token-missing": lambda seen: seen.token_status == 200 and "id_token" not in seen.tokens,
    "token-access-token-missing": lambda seen: seen.token_status == 200 and "access_token" not in seen.tokens,
    "token-type-missing": lambda seen: seen.token_status == 200 and "token_type" not in seen.tokens,
    "token-no-store-missing": lambda seen: seen.token_status == 200 and "cache-control" not in seen.token_headers,
    "access-denied": lambda seen: seen.callback.get("error") == "access_denied",
    "server-error": lambda seen: seen.callback.get("error") == "server_error",
    "temporarily-unavailable": lambda seen: seen.callback.get("error") == "temporarily_unavailable",
    "interaction-required": lambda seen: seen.callback.get("error") == "interaction_required",
    "redirect-uri-rejected-200": lambda seen: seen.landed.startswith("200") and "redirect_uri" in seen.landed,
    "redirect-uri-rejected-400": lambda seen: seen.landed.startswith("400") and "redirect_uri" in seen.landed,
    "login-page-changed": lambda seen: "<canvas" in seen.login_page and not inputs_of(seen.login_page),
    "login-page-script-error": lambda seen: "throw new Error" in seen.login_page,
    "login-captcha": lambda seen: "captcha" in seen.login_page,
    "login-submit-500": lambda seen: seen.landed.startswith("500"),
    "password-refused": lambda seen: "Invalid username or password." in seen.landed,
    "account-locked": lambda seen: "locked" in seen.landed,
}

PARAMETERS: dict[str, dict[str, Any]] = {"token-slow": {"seconds": 20.0}}


@pytest.fixture
def impatient_visitor(sandbox: Sandbox) -> Iterator[Visitor]:
    """Waits less long than `token-slow` makes it wait here."""
    with Visitor(sandbox, timeout=5.0) as visitor:
        yield visitor


def holds(witness: Witness, seen: Seen) -> bool:
    """A journey that did not get so far has not shown the fault."""
    try:
        return witness(seen)
    except KeyError:
        return False


def test_every_fault_has_a_witness() -> None:
    assert set(WITNESSES) | {"otp-refused", "login-terms"} == {fault.name for fault in FAULTS}


def test_names_are_unique_and_summaries_are_sentences() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert [fault.name for fault in FAULTS if not fault.summary.endswith(".")] == []


def test_without_faults_no_witness_holds(sandbox: Sandbox, visitor: Visitor) -> None:
    seen = journey(visitor, sandbox)

    assert seen.userinfo is not None
    assert [name for name, witness in WITNESSES.items() if holds(witness, seen)] == []


@pytest.mark.parametrize("name", WITNESSES)
def test_a_fault_changes_what_is_served(sandbox: Sandbox, impatient_visitor: Visitor, name: str) -> None:
    sandbox.control.fault(name, **PARAMETERS.get(name, {}))

    seen = journey(impatient_visitor, sandbox)

    assert holds(WITNESSES[name], seen)


def test_a_refused_second_factor_shows_its_message(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.fault("otp-refused")

    page = visitor.visit(visitor.attempt("spa"), "bob")

    assert "Invalid one-time code." in page.text


def test_new_terms_come_between_the_password_and_the_callback(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.fault("login-terms")
    attempt = visitor.attempt("spa")
    form = {"step": "login", "username": "alice", "password": sandbox.users["alice"].password}

    page = visitor.http.post(attempt.url, data=form)

    assert "terms of use" in page.text
    assert "code" in callback_of(visitor.http.post(attempt.url, data={"step": "terms", "agree": "yes"}))


def test_a_fault_can_strike_a_given_number_of_times(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.fault("jwks-empty", times=2)

    sizes = [len(visitor.http.get(f"{sandbox.issuer}/jwks").json()["keys"]) for _ in range(3)]

    assert sizes == [0, 0, 3]


def test_a_fault_can_concern_one_client_only(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.fault("code-rejected", client_id="portal-post")

    tokens = visitor.sign_in("spa", "alice")

    assert "id_token" in tokens


def test_a_cleared_fault_is_gone(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.fault("jwks-empty")
    sandbox.control.fault("userinfo-401")

    sandbox.control.clear("jwks-empty")

    assert len(visitor.http.get(f"{sandbox.issuer}/jwks").json()["keys"]) == 3
    assert list(sandbox.control.state()["faults"]) == ["userinfo-401"]


def test_parameters_replace_the_defaults(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.fault("discovery-member-missing", member="userinfo_endpoint")

    document = visitor.http.get(f"{sandbox.issuer}/.well-known/openid-configuration").json()

    assert "userinfo_endpoint" not in document
    assert "jwks_uri" in document


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("no-such-fault", {}, "unknown fault 'no-such-fault'"),
        ("jwks-small-rsa-key", {"size": 1}, "unknown parameter size"),
    ],
)
def test_a_misspelt_fault_is_refused(sandbox: Sandbox, name: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ControlError, match=message):
        sandbox.control.fault(name, **params)
