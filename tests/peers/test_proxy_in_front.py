"""The providers work behind a proxy that has the public address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox.peers import Peer, start_keycloak, start_node_oidc_provider

pytestmark = [pytest.mark.real, pytest.mark.process]

Arrive = Callable[..., Any]
Start = Callable[..., AbstractContextManager[Peer]]


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the reader ends or one side is gone."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the other direction sees the end of its connection too
    finally:
        writer.close()


@asynccontextmanager
async def forwarder(addresses: list[str]) -> AsyncIterator[int]:
    """The port of a TCP proxy to the first of `addresses`, which may be filled in later."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = urlsplit(addresses[0])
        back, forth = await asyncio.open_connection(upstream.hostname, upstream.port)
        await asyncio.gather(copy(reader, forth), copy(back, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize(
    ("start", "scheme", "user"),
    [
        pytest.param(start_keycloak, "http", "username", id="keycloak"),
        pytest.param(start_node_oidc_provider, "https", "login", id="node-oidc-provider"),
    ],
)
async def test_a_login_through_the_public_address_yields_tokens_of_that_issuer(
    start: Start, scheme: str, user: str, workdir: Path, arrive: Arrive
) -> None:
    addresses: list[str] = []
    async with forwarder(addresses) as port:
        public_url = f"{scheme}://localhost:{port}"
        with start(workdir, port=0, public_url=public_url) as peer:
            addresses.append(peer.address)
            prefix = peer.name.upper().replace("-", "_")
            answers = {user: "alice", "password": peer.environ[f"{prefix}_ALICE_PASSWORD"]}

            alice = await asyncio.to_thread(arrive, peer, **answers)
            secret = peer.environ[f"{prefix}_PORTAL_SECRET"]
            tokens = await asyncio.to_thread(alice.authorize, "portal", secret, "openid")
            claims = await asyncio.to_thread(alice.claims, tokens["id_token"], "portal")
            alice.http.close()

    assert claims["iss"] == peer.issuer
    assert peer.issuer.startswith(public_url)
