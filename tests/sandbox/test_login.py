"""The sign-in of a person, driven over the HTML forms and verified with PyJWT."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlsplit

import jwt
import pytest

from sandbox.launch import Sandbox
from sandbox.visitor import Visitor, callback_of, inputs_of

pytestmark = pytest.mark.process


def verified(visitor: Visitor, sandbox: Sandbox, id_token: str, client_id: str) -> dict[str, object]:
    header = jwt.get_unverified_header(id_token)
    keys = visitor.http.get(f"{sandbox.issuer}/jwks").json()["keys"]
    key = jwt.PyJWK(next(key for key in keys if key["kid"] == header["kid"]))
    alg = sandbox.clients[client_id].id_token_alg
    claims: dict[str, object] = jwt.decode(
        id_token,
        key.key,
        algorithms=[alg],
        audience=client_id,
        issuer=sandbox.issuer,
        options={"require": ["exp", "iat"]},
    )
    return claims


@pytest.mark.parametrize("client_id", ["portal", "portal-es256", "portal-eddsa", "portal-post", "spa"])
def test_every_web_client_gets_an_id_token_that_verifies(sandbox: Sandbox, visitor: Visitor, client_id: str) -> None:
    attempt = visitor.attempt(client_id)

    callback = callback_of(visitor.visit(attempt, "alice"))
    tokens = visitor.redeem(attempt, callback["code"]).json()

    claims = verified(visitor, sandbox, tokens["id_token"], client_id)
    assert claims["sub"] == "user-alice"
    assert claims["nonce"] == attempt.parameters["nonce"]
    assert (claims["acr"], claims["amr"], claims["azp"]) == ("pwd", ["pwd"], client_id)
    assert callback["state"] == attempt.parameters["state"]
    assert callback["iss"] == sandbox.issuer


def test_at_hash_is_the_left_half_of_the_access_tokens_hash(visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")

    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})

    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def test_a_user_with_a_second_factor_is_asked_for_it(visitor: Visitor) -> None:
    tokens = visitor.sign_in("spa", "bob")

    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (claims["acr"], claims["amr"]) == ("mfa", ["pwd", "otp"])


def test_a_wrong_one_time_code_is_refused(sandbox: Sandbox, visitor: Visitor) -> None:
    attempt = visitor.attempt("spa")
    form = {"step": "login", "username": "bob", "password": sandbox.users["bob"].password}
    visitor.http.post(attempt.url, data=form)

    page = visitor.http.post(attempt.url, data={"step": "otp", "otp": "000000x"})

    assert "Invalid one-time code." in page.text


def test_a_wrong_password_is_refused_with_the_form_shown_again(visitor: Visitor) -> None:
    attempt = visitor.attempt("spa")

    page = visitor.http.post(attempt.url, data={"step": "login", "username": "alice", "password": "wrong"})

    assert page.status_code == 200
    assert "Invalid username or password." in page.text
    assert "password" in inputs_of(page.text)


def test_with_two_pages_the_user_name_comes_before_the_password(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.settings(login_pages=2)
    attempt = visitor.attempt("spa")

    first = visitor.http.get(attempt.url)
    second = visitor.http.post(attempt.url, data={"step": "username", "username": "alice"})

    assert "password" not in inputs_of(first.text)
    assert "password" in inputs_of(second.text)
    assert "username" not in inputs_of(second.text)
    assert "code" in callback_of(visitor.visit(attempt, "alice"))


def test_consent_is_asked_once(visitor: Visitor) -> None:
    first = visitor.visit(visitor.attempt("portal"), "alice")

    again = visitor.http.get(visitor.attempt("portal").url)

    assert "code" in callback_of(first)
    assert "code" in callback_of(again)


def test_refused_consent_is_access_denied(visitor: Visitor) -> None:
    response = visitor.visit(visitor.attempt("portal"), "alice", consent="refuse")

    assert callback_of(response)["error"] == "access_denied"


def test_prompt_none_without_a_session_is_login_required(visitor: Visitor) -> None:
    response = visitor.http.get(visitor.attempt("spa", prompt="none").url)

    assert callback_of(response)["error"] == "login_required"


def test_prompt_none_with_a_session_gives_a_code_silently(visitor: Visitor) -> None:
    visitor.sign_in("spa", "alice")

    response = visitor.http.get(visitor.attempt("portal-post", prompt="none").url)

    assert "code" in callback_of(response)


def test_prompt_none_without_consent_is_consent_required(visitor: Visitor) -> None:
    visitor.sign_in("spa", "alice")

    response = visitor.http.get(visitor.attempt("portal", prompt="none").url)

    assert callback_of(response)["error"] == "consent_required"


def test_prompt_login_asks_for_the_password_again(visitor: Visitor) -> None:
    visitor.sign_in("spa", "alice")
    attempt = visitor.attempt("spa", prompt="login")

    page = visitor.http.get(attempt.url)
    done = visitor.visit(attempt, "alice")

    assert "password" in inputs_of(page.text)
    assert "code" in callback_of(done)


def test_max_age_asks_for_the_password_again_when_the_sign_in_is_older(sandbox: Sandbox, visitor: Visitor) -> None:
    visitor.sign_in("spa", "alice")
    sandbox.control.clock(120.0)

    young_enough = visitor.http.get(visitor.attempt("spa", max_age="600").url)
    too_old = visitor.http.get(visitor.attempt("spa", max_age="60").url)

    assert "code" in callback_of(young_enough)
    assert "password" in inputs_of(too_old.text)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"scope": "openid unheard-of"}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example.test/"}, "request_uri_not_supported"),
    ],
)
def test_a_bad_request_goes_back_with_its_registered_error(
    sandbox: Sandbox, visitor: Visitor, parameters: dict[str, str], error: str
) -> None:
    attempt = visitor.attempt("spa", **parameters)

    callback = callback_of(visitor.http.get(attempt.url))

    assert callback["error"] == error
    assert callback["state"] == attempt.parameters["state"]
    assert callback["iss"] == sandbox.issuer


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example.test/callback",
        "https://spa.example.test/callback/..",
        "https://spa.example.test/callback?x=1",
    ],
)
def test_an_unregistered_redirect_uri_is_never_followed(visitor: Visitor, redirect_uri: str) -> None:
    response = visitor.http.get(visitor.attempt("spa", redirect_uri=redirect_uri).url)

    assert response.status_code == 400
    assert "location" not in response.headers


def test_a_request_by_post_is_accepted(visitor: Visitor) -> None:
    attempt = visitor.attempt("spa")
    base = attempt.url.split("?")[0]

    response = visitor.http.post(base, data=dict(attempt.parameters))
    page = visitor.http.get(response.headers["location"])

    assert urlsplit(response.headers["location"]).path == "/authorize"
    assert "password" in inputs_of(page.text)


def test_the_session_gets_a_new_id_at_sign_in(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.settings(login_pages=2)
    attempt = visitor.attempt("spa")
    visitor.http.post(attempt.url, data={"step": "username", "username": "alice"})
    before = set(visitor.http.cookies.values())

    visitor.visit(attempt, "alice")

    assert before
    assert not before & set(visitor.http.cookies.values())


def test_login_pages_may_not_be_framed_or_stored(visitor: Visitor) -> None:
    page = visitor.http.get(visitor.attempt("spa").url)

    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
