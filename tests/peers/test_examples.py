"""The example configurations fit the providers as they start by default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.peers import Peer
from sandbox.peers.keycloak import KEYCLOAK_PORT
from sandbox.peers.node_oidc_provider import NODE_OIDC_PROVIDER_PORT

pytestmark = [pytest.mark.real, pytest.mark.process]

EXAMPLES = Path(__file__).parents[2] / "examples"
ISSUERS = {
    "keycloak": f"http://127.0.0.1:{KEYCLOAK_PORT}/realms/oidcwatch",
    "node_oidc_provider": f"https://127.0.0.1:{NODE_OIDC_PROVIDER_PORT}",
}


@pytest.fixture(params=sorted(ISSUERS))
def peer_and_text(request: pytest.FixtureRequest) -> tuple[Peer, str]:
    """A running provider and the text of its example."""
    peer: Peer = request.getfixturevalue(request.param)
    return peer, (EXAMPLES / f"{peer.name}.yaml").read_text()


def test_the_example_names_the_default_address(peer_and_text: tuple[Peer, str]) -> None:
    peer, text = peer_and_text

    issuer: dict[str, Any] = yaml.safe_load(text)["issuers"][0]

    assert issuer["url"] == ISSUERS[peer.name.replace("-", "_")]
    assert issuer["name"] == peer.name


def test_every_variable_of_the_example_comes_with_the_provider(peer_and_text: tuple[Peer, str]) -> None:
    peer, text = peer_and_text

    wanted = set(re.findall(r"\{env: (\w+)\}", text))

    assert wanted
    assert wanted - peer.environ.keys() == set()


def test_the_example_has_every_kind_of_check(peer_and_text: tuple[Peer, str]) -> None:
    _, text = peer_and_text
    issuer = yaml.safe_load(text)["issuers"][0]

    kinds = {probe["type"] for holder in [issuer, *issuer["clients"]] for probe in holder["probes"]}

    assert kinds >= {"discovery", "jwks", "login", "refresh", "client_credentials"}
