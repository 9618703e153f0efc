"""The one place that makes HTTP clients and reads answers: bounded in size, timed in phases, no redirects, no cookies."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Protocol
from urllib.parse import urlencode

import httpcore
import httpx

from probes.model import ProbeFailure, Reason
from probes.network import Phases, ProxyBackend, TimedBackend, current_phases, resolve
from probes.probe import Clock, utc_now

MAX_BODY = 1024 * 1024
USER_AGENT = "oidcwatch/0.1 (synthetic monitoring)"

_SENT = MappingProxyType(
    {
        "User-Agent": USER_AGENT,
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",  # a client that sends nothing more says so (RFC 9112 §9.6); httpcore then closes
    }
)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, read to its end. `started` and `finished` are aware UTC by our clock."""

    method: str
    url: str
    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    phases: Phases
    started: datetime
    finished: datetime

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def date(self) -> datetime | None:
        """The Date header as aware UTC; None when absent or malformed."""
        try:
            parsed = parsedate_to_datetime(self.headers["date"])
            return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
        except (KeyError, ValueError, TypeError, OverflowError):
            return None


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Http(Protocol):
    """The seam that probes see: one exchange in, one answer out."""

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        address: str = "",
    ) -> Response:
        """Connects to `address` when one is given; the URL's name stays that of the certificate and of Host.

        Raises httpx.HTTPError, httpx.InvalidURL or ProbeFailure(bad_response).
        """
        ...

    async def addresses(self, url: str) -> Sequence[str]:
        """Every address of the URL's host; none when they are not ours to choose, as behind a proxy."""
        ...


@dataclass(frozen=True, slots=True)
class HttpClient:
    """Sends requests through an httpx transport. Every exchange opens its own connection: the whole path is the test."""

    transport: httpx.AsyncBaseTransport
    clock: Clock = utc_now
    max_body: int = MAX_BODY
    resolve: Resolve | None = None
    """Gives every address of a host and port; None where another chooses them."""

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        address: str = "",
    ) -> Response:
        """See `Http`. A redirect is an answer like any other: whoever follows one decides it knowingly."""
        request = _request(method, url, headers or {}, form)
        phases = Phases(address=address)
        token = current_phases.set(phases)
        started = self.clock()
        try:
            answer = await self.transport.handle_async_request(request)
            try:
                body = await _read(answer, self.max_body)
            finally:
                await answer.aclose()
        finally:
            current_phases.reset(token)
            phases.hang_up()
        return Response(method, url, answer.status_code, answer.headers, body, phases, started, self.clock())

    async def addresses(self, url: str) -> Sequence[str]:
        """See `Http`. A name that does not resolve has none: the next exchange says so."""
        if self.resolve is None:
            return ()
        parsed = _parsed(url)
        try:
            return await self.resolve(parsed.host, parsed.port or {"https": 443}.get(parsed.scheme, 80))
        except httpcore.ConnectError:
            return ()


def _request(method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None) -> httpx.Request:
    sent = {**_SENT, **headers}
    parsed = _parsed(url)
    if form is None:
        return httpx.Request(method, parsed, headers=sent)
    sent["Content-Type"] = "application/x-www-form-urlencoded"
    return httpx.Request(method, parsed, headers=sent, content=urlencode(form).encode())


@lru_cache(maxsize=512)
def _parsed(url: str) -> httpx.URL:
    """The same few URLs are asked for all the time. Raises httpx.UnsupportedProtocol, httpx.InvalidURL."""
    parsed = httpx.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise httpx.UnsupportedProtocol(f"not an http(s) URL: {url[:200]!r}")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise httpx.InvalidURL(f"no such port: {parsed.port}")  # httpx takes any number, the socket does not
    return parsed


async def _read(answer: httpx.Response, limit: int) -> bytes:
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate"):
        # We ask for identity; a server that compresses all the same is read, but never beyond the limit.
        inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    elif encoding in ("", "identity"):
        inflate = None
    else:
        raise ProbeFailure(Reason.BAD_RESPONSE, f"content encoding {encoding[:40]!r} was not asked for")
    body = bytearray()
    async for chunk in answer.aiter_raw():
        try:
            body += chunk if inflate is None else inflate.decompress(chunk, limit + 1 - len(body))
        except zlib.error as error:
            raise ProbeFailure(Reason.BAD_RESPONSE, f"the body is not valid {encoding}") from error
        if len(body) > limit:
            raise ProbeFailure(Reason.BAD_RESPONSE, f"the body is larger than {limit} bytes")
        if inflate is not None and inflate.unused_data:  # zlib would keep all that follows, however much it is
            raise ProbeFailure(Reason.BAD_RESPONSE, f"the {encoding} body goes on after its end")
    return bytes(body)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's transport (and its mapping of errors) over a pool whose connections are timed."""

    def __init__(self, context: ssl.SSLContext, proxy: str | None) -> None:
        super().__init__(verify=context)
        # httpx offers no other way to give its pool a network backend.
        self._pool = _pool(context, proxy)  # type: ignore[assignment]  # httpx calls the two methods of _Direct only


@dataclass(frozen=True, slots=True)
class _Direct:
    """In place of a pool: a new connection for each exchange, which ends with it because we send Connection: close.

    The pool's own bookkeeping would be a seventh of the CPU of a JWKS check.
    """

    context: ssl.SSLContext
    backend: TimedBackend

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        connection = httpcore.AsyncHTTPConnection(
            request.url.origin, ssl_context=self.context, network_backend=self.backend
        )
        return await connection.handle_async_request(request)

    async def aclose(self) -> None:
        """Nothing outlives its exchange."""


def _pool(context: ssl.SSLContext, proxy: str | None) -> httpcore.AsyncConnectionPool | _Direct:
    backend = TimedBackend()
    if proxy is None:
        return _Direct(context, backend)
    backend = ProxyBackend()
    url = httpx.URL(proxy)
    auth = (url.username, url.password) if url.username else None
    bare = str(url.copy_with(userinfo=b""))
    if url.scheme in ("socks5", "socks5h"):
        return httpcore.AsyncSOCKSProxy(
            bare,
            proxy_auth=auth,
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=backend,
        )
    return httpcore.AsyncHTTPProxy(
        bare,
        proxy_auth=auth,
        ssl_context=context,
        max_connections=None,
        max_keepalive_connections=0,
        network_backend=backend,
    )


def make_http(ca_file: Path | None = None, proxy: str | None = None, clock: Clock = utc_now) -> HttpClient:
    """A client that trusts the system's authorities (or `ca_file` alone) and sends through `proxy`, if any.

    Building one reads the authorities from disk: make one for each (ca_file, proxy) and keep it.
    Raises OSError or ssl.SSLError when `ca_file` cannot be read.
    """
    context = ssl.create_default_context(cafile=ca_file)
    return HttpClient(_Transport(context, proxy), clock, resolve=resolve if proxy is None else None)
