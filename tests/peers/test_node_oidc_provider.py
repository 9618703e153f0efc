"""node-oidc-provider does what its example configuration expects of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
import pytest

from sandbox.peers import Peer

pytestmark = [pytest.mark.real, pytest.mark.process]

ORDERS = "urn:oidcwatch:orders"

Arrive = Callable[..., Any]


@pytest.fixture
def alice(arrive: Arrive, node_oidc_provider: Peer) -> Any:
    password = node_oidc_provider.environ["NODE_OIDC_PROVIDER_ALICE_PASSWORD"]
    return arrive(node_oidc_provider, login="alice", password=password)


def rotate(peer: Peer, mode: str) -> dict[str, list[str]]:
    token = peer.environ["NODE_OIDC_PROVIDER_CONTROL_TOKEN"]
    answer = httpx.post(
        f"{peer.control}/rotate", json={"mode": mode}, headers={"Authorization": f"Bearer {token}"}, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    kids: dict[str, list[str]] = answer.json()
    return kids


def published(person: Any) -> dict[str, Any]:
    return {key["kid"]: key for key in person.http.get(person.metadata["jwks_uri"]).json()["keys"]}


def test_every_endpoint_is_under_the_issuer(alice: Any, node_oidc_provider: Peer) -> None:
    endpoints = {name: url for name, url in alice.metadata.items() if name.endswith(("_endpoint", "_uri"))}

    assert alice.metadata["issuer"] == node_oidc_provider.issuer
    assert {name for name, url in endpoints.items() if not url.startswith(node_oidc_provider.issuer + "/")} == set()


@pytest.mark.parametrize(("client_id", "alg"), [("portal", "RS256"), ("portal-es256", "ES256")])
def test_a_login_yields_an_id_token_that_verifies(
    alice: Any, node_oidc_provider: Peer, client_id: str, alg: str
) -> None:
    secret = node_oidc_provider.environ[f"NODE_OIDC_PROVIDER_{client_id.upper().replace('-', '_')}_SECRET"]

    tokens = alice.authorize(client_id, secret, "openid profile")

    assert alice.pages[0] == "login+password"
    assert jwt.get_unverified_header(tokens["id_token"])["alg"] == alg
    assert alice.claims(tokens["id_token"], client_id)["sub"] == "alice"


def test_a_refresh_token_works_once_and_its_reuse_revokes_the_family(alice: Any, node_oidc_provider: Peer) -> None:
    secret = node_oidc_provider.environ["NODE_OIDC_PROVIDER_PORTAL_SECRET"]
    first = alice.authorize("portal", secret, "openid offline_access")

    second = alice.token("portal", secret, grant_type="refresh_token", refresh_token=first["refresh_token"])
    replayed = alice.token("portal", secret, grant_type="refresh_token", refresh_token=first["refresh_token"])
    newest = alice.token("portal", secret, grant_type="refresh_token", refresh_token=second.json()["refresh_token"])

    assert second.status_code == 200
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")
    assert (newest.status_code, newest.json()["error"]) == (400, "invalid_grant")


def test_a_machine_gets_a_jwt_for_the_resource_that_it_names(arrive: Arrive, node_oidc_provider: Peer) -> None:
    machine = arrive(node_oidc_provider)
    secret = node_oidc_provider.environ["NODE_OIDC_PROVIDER_MACHINE_SECRET"]

    answer = machine.token("machine", secret, grant_type="client_credentials", resource=ORDERS)

    assert answer.status_code == 200, answer.text
    assert machine.claims(answer.json()["access_token"], ORDERS)["client_id"] == "machine"


def test_another_resource_is_refused(arrive: Arrive, node_oidc_provider: Peer) -> None:
    machine = arrive(node_oidc_provider)
    secret = node_oidc_provider.environ["NODE_OIDC_PROVIDER_MACHINE_SECRET"]

    answer = machine.token("machine", secret, grant_type="client_credentials", resource="urn:oidcwatch:billing")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


def test_logout_returns_to_the_registered_address_and_ends_the_session(alice: Any, node_oidc_provider: Peer) -> None:
    secret = node_oidc_provider.environ["NODE_OIDC_PROVIDER_PORTAL_SECRET"]
    tokens = alice.authorize("portal", secret, "openid")
    alice.answers["logout"] = "yes"
    query = {
        "id_token_hint": tokens["id_token"],
        "post_logout_redirect_uri": "https://portal.example.test/",
        "state": "left",
    }

    arrived = alice.visit(f"{alice.metadata['end_session_endpoint']}?{urlencode(query)}")
    alice.pages.clear()
    alice.authorize("portal", secret, "openid")

    assert arrived == {"state": "left"}
    assert alice.pages[0] == "login+password"


def test_a_kept_key_stays_published_and_an_abrupt_rotation_removes_it(alice: Any, node_oidc_provider: Peer) -> None:
    before = set(published(alice))

    kept = rotate(node_oidc_provider, "keep")
    during = set(published(alice))
    abrupt = rotate(node_oidc_provider, "abrupt")
    after = set(published(alice))

    assert before.isdisjoint(kept["active"])
    assert during == before | set(kept["active"])
    assert after == set(abrupt["active"])


def test_a_rotation_may_put_a_new_key_under_an_old_name(alice: Any, node_oidc_provider: Peer) -> None:
    before = published(alice)

    kids = rotate(node_oidc_provider, "samekid")

    after = published(alice)
    assert set(after) == set(before) == {*kids["active"], *kids["retired"]}
    assert {kid for kid in kids["active"] if after[kid] == before[kid]} == set()


def test_a_refresh_token_survives_a_rotation(alice: Any, node_oidc_provider: Peer) -> None:
    secret = node_oidc_provider.environ["NODE_OIDC_PROVIDER_PORTAL_SECRET"]
    tokens = alice.authorize("portal", secret, "openid offline_access")

    kids = rotate(node_oidc_provider, "abrupt")
    answer = alice.token("portal", secret, grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert jwt.get_unverified_header(answer.json()["id_token"])["kid"] in kids["active"]
    assert alice.claims(answer.json()["id_token"], "portal")["sub"] == "alice"


def test_nobody_rotates_without_the_token(node_oidc_provider: Peer) -> None:
    answer = httpx.post(f"{node_oidc_provider.control}/rotate", json={"mode": "abrupt"}, trust_env=False)

    assert answer.status_code == 401
