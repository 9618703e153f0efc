"""The small forward proxies that stand for other regions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import httpx
import pytest

from sandbox.egress import start_http_proxy, start_socks_proxy
from sandbox.launch import Sandbox

pytestmark = pytest.mark.process


class Start(Protocol):
    def __call__(self, port: int = 0) -> AbstractContextManager[str]: ...


@pytest.mark.parametrize(("start", "scheme"), [(start_http_proxy, "http"), (start_socks_proxy, "socks5")])
def test_requests_go_out_through_the_proxy(sandbox: Sandbox, start: Start, scheme: str) -> None:
    with start() as address:
        answer = httpx.get(f"{sandbox.issuer}/jwks", proxy=address, trust_env=False)

    assert address.startswith(f"{scheme}://127.0.0.1:")
    assert answer.status_code == 200


@pytest.mark.parametrize("start", [start_http_proxy, start_socks_proxy])
def test_a_stopped_proxy_does_not_answer(sandbox: Sandbox, start: Start) -> None:
    with start() as address:
        pass

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sandbox.issuer}/jwks", proxy=address, trust_env=False)


def test_an_http_proxy_tunnels_tls(start: Start = start_http_proxy) -> None:
    with start() as address, pytest.raises(httpx.ProxyError, match=r"\d|connect|Connection"):
        httpx.get("https://127.0.0.1:9/", proxy=address, trust_env=False)
