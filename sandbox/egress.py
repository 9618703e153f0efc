"""Small forward proxies on loopback: they stand for the ways out of other regions in the demo and in tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pproxy

from sandbox.loopthread import loop_thread

_LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def start_http_proxy(port: int = 0) -> Iterator[str]:
    """An HTTP proxy (CONNECT and absolute URIs); yields its URL, `http://127.0.0.1:PORT`. Port 0 takes a free one."""
    with _running("http", port) as address:
        yield address


@contextlib.contextmanager
def start_socks_proxy(port: int = 0) -> Iterator[str]:
    """A SOCKS5 proxy; yields its URL, `socks5://127.0.0.1:PORT`. Port 0 takes a free one."""
    with _running("socks5", port) as address:
        yield address


@contextlib.contextmanager
def _running(scheme: str, port: int) -> Iterator[str]:
    """Raises OSError when the port is taken."""
    with loop_thread(f"egress-{scheme}") as loop:
        server = loop.run(_start(scheme, port))
        try:
            yield f"{scheme}://{_LOOPBACK}:{server.sockets[0].getsockname()[1]}"
        finally:
            loop.run(_close(server))


async def _start(scheme: str, port: int) -> asyncio.Server:
    listener = pproxy.Server(f"{scheme}://{_LOOPBACK}:{port}")
    server: asyncio.Server = await listener.start_server({"rserver": [pproxy.Connection("direct")], "verbose": _quiet})
    return server


async def _close(server: asyncio.Server) -> None:
    server.close()


def _quiet(_line: str) -> None:
    """What it would print names every host that is visited."""
