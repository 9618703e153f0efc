"""Keycloak does what its example configuration expects of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import jwt
import pyotp
import pytest

from sandbox.peers import Peer

pytestmark = [pytest.mark.real, pytest.mark.process]

Arrive = Callable[..., Any]


@pytest.fixture
def alice(arrive: Arrive, keycloak: Peer) -> Any:
    return arrive(keycloak, username="alice", password=keycloak.environ["KEYCLOAK_ALICE_PASSWORD"])


def test_every_endpoint_is_under_the_issuer(alice: Any, keycloak: Peer) -> None:
    endpoints = {name: url for name, url in alice.metadata.items() if name.endswith(("_endpoint", "_uri"))}

    assert alice.metadata["issuer"] == keycloak.issuer
    assert {name for name, url in endpoints.items() if not url.startswith(keycloak.issuer + "/")} == set()


@pytest.mark.parametrize(("client_id", "alg"), [("portal", "RS256"), ("portal-es256", "ES256")])
def test_a_login_yields_an_id_token_that_verifies(alice: Any, keycloak: Peer, client_id: str, alg: str) -> None:
    secret = keycloak.environ[f"KEYCLOAK_{client_id.upper().replace('-', '_')}_SECRET"]

    tokens = alice.authorize(client_id, secret, "openid profile email")

    assert alice.pages == ["password+username"]
    assert jwt.get_unverified_header(tokens["id_token"])["alg"] == alg
    assert alice.claims(tokens["id_token"], client_id)["email"] == "alice@example.test"


@pytest.mark.parametrize("region", ["eu-west", "us-east", "ap-south"])
def test_each_region_has_a_synthetic_user_who_can_log_in(arrive: Arrive, keycloak: Peer, region: str) -> None:
    password = keycloak.environ[f"KEYCLOAK_SYNTHETIC_{region.upper().replace('-', '_')}_PASSWORD"]
    user = arrive(keycloak, username=f"synthetic-{region}", password=password)

    tokens = user.authorize("portal", keycloak.environ["KEYCLOAK_PORTAL_SECRET"], "openid profile")

    assert user.claims(tokens["id_token"], "portal")["preferred_username"] == f"synthetic-{region}"


def test_a_user_with_a_second_factor_logs_in_with_a_one_time_code_that_works_once(
    arrive: Arrive, keycloak: Peer
) -> None:
    code = pyotp.TOTP(keycloak.environ["KEYCLOAK_BOB_TOTP"]).now()
    answers = {"username": "bob", "password": keycloak.environ["KEYCLOAK_BOB_PASSWORD"], "otp": code}
    bob, again = arrive(keycloak, **answers), arrive(keycloak, **answers)

    tokens = bob.authorize("portal", keycloak.environ["KEYCLOAK_PORTAL_SECRET"], "openid profile")
    with pytest.raises(AssertionError, match="no end"):
        again.authorize("portal", keycloak.environ["KEYCLOAK_PORTAL_SECRET"], "openid profile")

    assert bob.pages == ["password+username", "otp"]
    assert bob.claims(tokens["id_token"], "portal")["preferred_username"] == "bob"
    assert set(again.pages[1:]) == {"otp"}


def test_a_wrong_password_leads_back_to_the_form(arrive: Arrive, keycloak: Peer) -> None:
    stranger = arrive(keycloak, username="alice", password="guess")

    with pytest.raises(AssertionError, match="no end"):
        stranger.authorize("portal", keycloak.environ["KEYCLOAK_PORTAL_SECRET"], "openid")

    assert set(stranger.pages) == {"password+username"}


def test_a_refresh_token_of_an_offline_session_keeps_working(alice: Any, keycloak: Peer) -> None:
    secret = keycloak.environ["KEYCLOAK_PORTAL_SECRET"]
    first = alice.authorize("portal", secret, "openid offline_access")

    answers = [
        alice.token("portal", secret, grant_type="refresh_token", refresh_token=first["refresh_token"])
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert alice.claims(answers[1].json()["id_token"], "portal")["iss"] == keycloak.issuer


def test_a_machine_gets_a_jwt_for_its_audience(arrive: Arrive, keycloak: Peer) -> None:
    machine = arrive(keycloak)

    answer = machine.token("machine", keycloak.environ["KEYCLOAK_MACHINE_SECRET"], grant_type="client_credentials")

    assert answer.status_code == 200, answer.text
    assert machine.claims(answer.json()["access_token"], "orders")["azp"] == "machine"


def test_an_authorization_request_without_pkce_is_refused(alice: Any) -> None:
    query = {
        "client_id": "portal",
        "redirect_uri": "https://portal.example.test/callback",
        "response_type": "code",
        "scope": "openid",
        "state": "s",
    }

    arrived = alice.visit(f"{alice.metadata['authorization_endpoint']}?{urlencode(query)}")

    assert arrived["error"] == "invalid_request"


def test_logout_returns_to_the_registered_address_and_ends_the_session(alice: Any, keycloak: Peer) -> None:
    secret = keycloak.environ["KEYCLOAK_PORTAL_SECRET"]
    tokens = alice.authorize("portal", secret, "openid")
    query = {
        "id_token_hint": tokens["id_token"],
        "post_logout_redirect_uri": "https://portal.example.test/",
        "state": "left",
    }

    arrived = alice.visit(f"{alice.metadata['end_session_endpoint']}?{urlencode(query)}")
    answer = alice.token("portal", secret, grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert arrived == {"state": "left"}
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_key_of_higher_priority_signs_at_once_and_the_old_one_stays_published(arrive: Arrive, keycloak: Peer) -> None:
    machine, operator = arrive(keycloak), arrive(keycloak)
    secret = keycloak.environ["KEYCLOAK_OPERATOR_SECRET"]
    granted = operator.token("operator", secret, grant_type="client_credentials").json()
    operator.http.headers["Authorization"] = f"Bearer {granted['access_token']}"
    realm = operator.http.get(f"{keycloak.address}/admin/realms/oidcwatch").json()
    component = {
        "name": "rs256 of a drill",
        "parentId": realm["id"],
        "providerId": "rsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "config": {"priority": ["200"], "algorithm": ["RS256"]},
    }

    added = operator.http.post(f"{keycloak.address}/admin/realms/oidcwatch/components", json=component)
    answer = machine.token("machine", keycloak.environ["KEYCLOAK_MACHINE_SECRET"], grant_type="client_credentials")

    published = {key["kid"] for key in machine.http.get(machine.metadata["jwks_uri"]).json()["keys"]}
    old, new = (
        jwt.get_unverified_header(token)["kid"] for token in (granted["access_token"], answer.json()["access_token"])
    )
    assert added.status_code == 201, added.text
    assert new != old
    assert {old, new} <= published
