"""The token endpoint and what becomes of tokens afterwards."""

from __future__ import annotations

import jwt
import pytest

from sandbox.launch import Sandbox
from sandbox.visitor import Visitor, callback_of

pytestmark = pytest.mark.process

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def claims_of(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims


def active(visitor: Visitor, client_id: str, token: str) -> bool:
    return bool(visitor.post(client_id, "/introspect", token=token).json()["active"])


def exchange(visitor: Visitor, subject: str, /, **more: str) -> dict[str, object]:
    form = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN, **more}
    answer: dict[str, object] = visitor.token("machine", **form).json()
    return answer


def machine_token(visitor: Visitor, **form: str) -> str:
    return str(visitor.token("machine", grant_type="client_credentials", **form).json()["access_token"])


def test_token_answers_must_not_be_stored(visitor: Visitor) -> None:
    attempt = visitor.attempt("spa")

    answer = visitor.redeem(attempt, callback_of(visitor.visit(attempt, "alice"))["code"])

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"


def test_a_code_works_once_and_a_second_use_revokes_what_it_gave(visitor: Visitor) -> None:
    attempt = visitor.attempt("portal")
    code = callback_of(visitor.visit(attempt, "alice"))["code"]
    tokens = visitor.redeem(attempt, code).json()

    again = visitor.redeem(attempt, code)

    assert again.json()["error"] == "invalid_grant"
    assert not active(visitor, "portal", tokens["access_token"])


@pytest.mark.parametrize(
    "wrong", [{"code_verifier": "v" * 43}, {"redirect_uri": "https://evil.example.test/"}, {"code": "made-up"}]
)
def test_a_code_with_wrong_circumstances_is_refused(visitor: Visitor, wrong: dict[str, str]) -> None:
    attempt = visitor.attempt("portal")
    code = callback_of(visitor.visit(attempt, "alice"))["code"]

    answer = visitor.redeem(attempt, code, **wrong)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_code_of_another_client_is_refused_and_not_burnt(visitor: Visitor) -> None:
    attempt = visitor.attempt("portal")
    code = callback_of(visitor.visit(attempt, "alice"))["code"]
    form = {"code": code, "redirect_uri": attempt.parameters["redirect_uri"], "code_verifier": attempt.code_verifier}

    stolen = visitor.token("portal-post", grant_type="authorization_code", **form)

    assert stolen.json()["error"] == "invalid_grant"
    assert visitor.redeem(attempt, code).status_code == 200


def test_an_old_code_is_refused(sandbox: Sandbox, visitor: Visitor) -> None:
    attempt = visitor.attempt("portal")
    code = callback_of(visitor.visit(attempt, "alice"))["code"]
    sandbox.control.clock(61.0)

    answer = visitor.redeem(attempt, code)

    assert answer.json()["error"] == "invalid_grant"


def test_a_wrong_secret_is_invalid_client_with_a_challenge(sandbox: Sandbox, visitor: Visitor) -> None:
    answer = visitor.http.post(
        f"{sandbox.issuer}/token", data={"grant_type": "client_credentials"}, auth=("machine", "wrong")
    )

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_without_offline_access_there_is_no_refresh_token(visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice", scope="openid")

    assert "refresh_token" not in tokens


def test_a_refresh_rotates_and_keeps_subject_and_auth_time(visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")

    fresh = visitor.token("portal", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()

    before, after = claims_of(tokens["id_token"]), claims_of(fresh["id_token"])
    assert fresh["refresh_token"] != tokens["refresh_token"]
    assert (after["sub"], after["auth_time"]) == (before["sub"], before["auth_time"])
    assert "nonce" not in after


def test_a_revoked_family_refuses_the_newest_token(visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")
    newest = visitor.token("portal", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()

    replayed = visitor.token("portal", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    after = visitor.token("portal", grant_type="refresh_token", refresh_token=newest["refresh_token"])

    assert replayed.json()["error"] == "invalid_grant"
    assert after.json()["error"] == "invalid_grant"
    assert not active(visitor, "portal", newest["access_token"])


def test_a_refresh_token_of_another_client_is_refused_and_its_family_lives(visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")

    stolen = visitor.token("portal-post", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    own = visitor.token("portal", grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert stolen.json()["error"] == "invalid_grant"
    assert own.status_code == 200


def test_a_refresh_cannot_widen_the_scope(visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice", scope="openid offline_access")

    answer = visitor.token(
        "portal", grant_type="refresh_token", refresh_token=tokens["refresh_token"], scope="openid email"
    )

    assert answer.json()["error"] == "invalid_scope"


def test_a_machine_token_is_an_access_token_for_its_audience(sandbox: Sandbox, visitor: Visitor) -> None:
    answer = visitor.token("machine", grant_type="client_credentials").json()

    claims = claims_of(answer["access_token"])
    assert jwt.get_unverified_header(answer["access_token"])["typ"] == "at+jwt"
    assert (claims["iss"], claims["aud"], claims["sub"]) == (sandbox.issuer, "orders", "machine")
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == answer["expires_in"]
    assert "refresh_token" not in answer


def test_an_unknown_resource_is_an_invalid_target(visitor: Visitor) -> None:
    answer = visitor.token("machine", grant_type="client_credentials", resource="https://elsewhere.example.test")

    assert answer.json()["error"] == "invalid_target"


def test_a_token_exchange_changes_the_audience_and_names_the_actor(visitor: Visitor) -> None:
    answer = exchange(visitor, machine_token(visitor), audience="invoices", scope="orders.read")

    claims = claims_of(str(answer["access_token"]))
    assert answer["issued_token_type"] == ACCESS_TOKEN
    assert (claims["aud"], claims["scope"], claims["act"]) == ("invoices", "orders.read", {"sub": "machine"})


def test_a_token_exchange_for_a_person_keeps_the_person(visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice", scope="openid orders.read")

    answer = exchange(visitor, tokens["access_token"])

    assert claims_of(str(answer["access_token"]))["sub"] == "user-alice"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"audience": "unknown"}, "invalid_target"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"subject_token": "made-up"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
    ],
)
def test_a_bad_token_exchange_is_refused(visitor: Visitor, more: dict[str, str], error: str) -> None:
    answer = exchange(visitor, machine_token(visitor), **more)

    assert answer["error"] == error


def test_a_narrowed_token_cannot_be_exchanged_for_a_wider_one(visitor: Visitor) -> None:
    narrow = machine_token(visitor, scope="orders.read")

    answer = exchange(visitor, narrow, scope="orders.read orders.write")

    assert answer["error"] == "invalid_scope"


def test_introspection_describes_an_active_token(sandbox: Sandbox, visitor: Visitor) -> None:
    token = machine_token(visitor)

    answer = visitor.post("machine", "/introspect", token=token).json()

    assert answer["active"] is True
    assert (answer["client_id"], answer["iss"], answer["aud"]) == ("machine", sandbox.issuer, ["orders"])


def test_introspection_says_nothing_but_inactive_to_a_client_without_rights(visitor: Visitor) -> None:
    answer = visitor.post("portal", "/introspect", token=machine_token(visitor)).json()

    assert answer == {"active": False}


def test_introspection_wants_an_authenticated_client(sandbox: Sandbox, visitor: Visitor) -> None:
    answer = visitor.http.post(f"{sandbox.issuer}/introspect", data={"token": "x"})

    assert answer.status_code == 401


def test_a_revoked_access_token_is_refused_everywhere_at_the_provider(sandbox: Sandbox, visitor: Visitor) -> None:
    token = visitor.sign_in("portal", "alice")["access_token"]

    visitor.post("portal", "/revoke", token=token)

    userinfo = visitor.http.get(f"{sandbox.issuer}/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert not active(visitor, "portal", token)
    assert userinfo.status_code == 401


def test_revoking_a_refresh_token_ends_its_access_tokens_too(visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")

    visitor.post("portal", "/revoke", token=tokens["refresh_token"])

    assert not active(visitor, "portal", tokens["access_token"])
    assert not active(visitor, "portal", tokens["refresh_token"])


def test_revoking_an_unknown_token_is_fine(visitor: Visitor) -> None:
    answer = visitor.post("portal", "/revoke", token="made-up")

    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_userinfo_gives_the_claims_of_the_scopes(sandbox: Sandbox, visitor: Visitor, method: str) -> None:
    tokens = visitor.sign_in("portal", "alice", scope="openid email")

    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    answer = visitor.http.request(method, f"{sandbox.issuer}/userinfo", headers=headers)

    assert answer.json() == {"sub": "user-alice", "email": "alice@example.test", "email_verified": True}


def test_userinfo_refuses_an_id_token(sandbox: Sandbox, visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")

    headers = {"Authorization": f"Bearer {tokens['id_token']}"}
    answer = visitor.http.get(f"{sandbox.issuer}/userinfo", headers=headers)

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_wrong_clock_shows_in_tokens_and_not_in_the_date_header(sandbox: Sandbox, visitor: Visitor) -> None:
    right = int(str(claims_of(machine_token(visitor))["iat"]))
    sandbox.control.clock(3600.0)

    wrong = int(str(claims_of(machine_token(visitor))["iat"]))

    assert 3600 <= wrong - right < 3660


def test_old_access_tokens_expire(sandbox: Sandbox, visitor: Visitor) -> None:
    token = machine_token(visitor)
    sandbox.control.clock(301.0)

    answer = visitor.post("machine", "/introspect", token=token).json()

    assert answer == {"active": False}
