"""Connections whose phases are timed: name, connection, TLS, request, wait, answer, each on its own.

httpcore asks a backend for its connections; this one does each phase as a step of its own, so that a slow name server
is not mistaken for a slow provider. One address after the other, no happy eyeballs: a monitor must know what it tests.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import httpcore

from probes.model import ProbeFailure, Reason

_ADDRESSES = 4  # tried at most: a name with hundreds of records must not eat the run's time


@dataclass(slots=True)
class Phases:
    """Seconds that each phase of one exchange took, and what the TLS handshake showed."""

    dns: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    send: float = 0.0
    wait: float = 0.0
    receive: float = 0.0
    certificate_expiry: float | None = None
    """UNIX seconds of the leaf certificate's notAfter."""
    certificate: bytes = field(default=b"", repr=False)
    """The leaf certificate, DER; empty without TLS."""
    address: str = ""
    """The one address to connect to; empty: those of the name, one after the other."""
    remote: str = ""
    """The address that was connected to; empty behind a proxy, which chooses it."""
    _sent_first: float = 0.0
    _sent_last: float = 0.0
    _read_first: float = 0.0
    _writer: asyncio.StreamWriter | None = field(default=None, repr=False)

    def opened(self, writer: asyncio.StreamWriter) -> None:
        """Remember the exchange's one connection."""
        self._writer = writer

    def hang_up(self) -> None:
        """Close the connection if it is open still: httpcore leaves it so when a SOCKS proxy refuses."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    def attributes(self) -> dict[str, float]:
        """The phases as step attributes, in seconds."""
        return {f"http.{name}": round(getattr(self, name), 6) for name in PHASES}

    def restart(self) -> None:
        """Forget what went through the connection so far: the exchange proper begins after a proxy's or TLS's own."""
        self.send = self.wait = self.receive = 0.0
        self._sent_first = self._sent_last = self._read_first = 0.0

    def sent(self, begun: float) -> None:
        """A write that began then is done."""
        self._sent_first = self._sent_first or begun
        self._sent_last = time.perf_counter()
        self.send = self._sent_last - self._sent_first

    def received(self) -> None:
        """Some bytes of the answer have arrived."""
        now = time.perf_counter()
        if not self._read_first:
            self._read_first = now
            self.wait = now - self._sent_last
        self.receive = now - self._read_first


PHASES = ("dns", "connect", "tls", "send", "wait", "receive")

current_phases: ContextVar[Phases | None] = ContextVar("current_phases", default=None)
"""Where the exchange that this task is in records its phases: httpcore has no way to hand it through."""


class _Stream(httpcore.AsyncNetworkStream):
    """An asyncio stream in httpcore's terms. Has no time-outs: the run's deadline cancels it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, phases: Phases) -> None:
        self._reader = reader
        self._writer = writer
        self._phases = phases

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        try:
            data = await self._reader.read(max_bytes)
        except OSError as error:
            raise httpcore.ReadError(_text(error)) from error
        self._phases.received()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        begun = time.perf_counter()
        try:
            self._writer.write(buffer)
            await self._writer.drain()
        except OSError as error:
            raise httpcore.WriteError(_text(error)) from error
        self._phases.sent(begun)

    async def aclose(self) -> None:
        # Abort, not close: the answer is complete, or it is of no interest any more. A polite TLS close waits for a
        # peer that may never answer.
        self._writer.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        begun = time.perf_counter()
        try:
            await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except (OSError, ssl.SSLError) as error:
            self._writer.transport.abort()
            raise httpcore.ConnectError(_text(error)) from error
        self._phases.restart()
        self._phases.tls = time.perf_counter() - begun
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        self._phases.certificate = tls.getpeercert(binary_form=True) or b""
        certificate = self._writer.get_extra_info("peercert")
        if certificate and "notAfter" in certificate:
            self._phases.certificate_expiry = _unix_seconds(certificate["notAfter"])
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._writer.get_extra_info({"server_addr": "peername", "client_addr": "sockname"}.get(info, info))


class TimedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore and records their phases into `current_phases`."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        phases = current_phases.get() or Phases()
        begun = time.perf_counter()
        addresses = [phases.address] if phases.address else (await resolve(host, port))[:_ADDRESSES]
        phases.dns = time.perf_counter() - begun
        begun = time.perf_counter()
        failure: OSError | None = None
        for address in addresses:
            try:
                reader, writer = await asyncio.open_connection(address, port)
            except OSError as error:
                failure = error
            else:
                phases.connect = time.perf_counter() - begun
                phases.opened(writer)
                phases.remote = address
                return _Stream(reader, writer, phases)
        assert failure is not None  # noqa: S101 - resolve gives one address at least, or raises
        raise httpcore.ConnectError(_text(failure)) from failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ProxyBackend(TimedBackend):
    """Opens connections to our own egress proxy: one that is out of reach says nothing about the provider."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            stream = await super().connect_tcp(host, port, timeout, local_address, socket_options)
            (current_phases.get() or Phases()).remote = ""  # it is the proxy's
            return stream
        except httpcore.ConnectError as error:
            raise ProbeFailure(
                Reason.PROBE_ERROR, f"the egress proxy {host}:{port} is out of reach: {error}"
            ) from error


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, in the order of the system's preference. Raises httpcore.ConnectError."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} does not resolve: {_text(error)}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@lru_cache(maxsize=512)
def _unix_seconds(not_after: str) -> float:
    """As ssl gives it, `Nov 21 22:16:00 2026 GMT`; the same certificate is met at every exchange."""
    return float(ssl.cert_time_to_seconds(not_after))


def _text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
