"""The small forward proxies that stand for other regions."""

from __future__ import annotations

import ssl
from contextlib import AbstractContextManager
from typing import Protocol

import httpx
import pytest

from sandbox.egress import start_http_proxy, start_socks_proxy
from sandbox.launch import Sandbox, start_sandbox

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


@pytest.mark.parametrize("start", [start_http_proxy, start_socks_proxy])
def test_tls_goes_through_end_to_end(start: Start) -> None:
    with start_sandbox(tls=True) as sandbox, start() as address:
        context = ssl.create_default_context(cafile=sandbox.ca_file)
        answer = httpx.get(f"{sandbox.issuer}/jwks", proxy=address, verify=context, trust_env=False)

    assert answer.status_code == 200
