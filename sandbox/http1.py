"""Just enough HTTP/1.1 for the fault proxy: read and write whole messages (RFC 9112)."""

from __future__ import annotations

import asyncio
import http
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024

Headers = tuple[tuple[str, str], ...]

# RFC 9110 §7.6.1; message framing is ours on both sides.
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length")
)


class BadMessageError(Exception):
    """The peer sent something that is not a message of HTTP/1.1, or is too large."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its whole body."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    version: str = "HTTP/1.1"

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def wants_keep_alive(self) -> bool:
        """RFC 9112 §9.3."""
        options = header(self.headers, "connection").lower()
        return "close" not in options and (self.version == "HTTP/1.1" or "keep-alive" in options)


@dataclass(frozen=True, slots=True)
class Response:
    """A response with its whole body."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def with_headers(self, set_: Iterable[tuple[str, str]] = (), drop: Iterable[str] = ()) -> Self:
        """A copy; a header that is set replaces every earlier one of its name."""
        new = tuple(set_)
        gone = {name.lower() for name in drop} | {name.lower() for name, _ in new}
        return replace(self, headers=(*(pair for pair in self.headers if pair[0].lower() not in gone), *new))

    def head(self, framing: Iterable[tuple[str, str]]) -> bytes:
        """Status line and headers, with the given framing headers."""
        try:
            reason = http.HTTPStatus(self.status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {reason}", *(f"{name}: {value}" for name, value in (*self.headers, *framing))]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def serialize(self, *, keep_alive: bool, head_only: bool = False) -> bytes:
        """The bytes on the wire. `head_only` answers HEAD."""
        bodiless = self.status in (204, 304) or self.status < 200
        length = () if bodiless else (("Content-Length", str(len(self.body))),)
        connection = ("Connection", "keep-alive" if keep_alive else "close")
        return self.head((*length, connection)) + (b"" if head_only or bodiless else self.body)


def header(headers: Headers, name: str) -> str:
    """All values of that header, joined; empty when there is none."""
    return ", ".join(value for key, value in headers if key.lower() == name)


def end_to_end(headers: Headers) -> Headers:
    """Without what concerns one connection only."""
    named = {part.strip().lower() for part in header(headers, "connection").split(",")}
    return tuple(pair for pair in headers if pair[0].lower() not in _HOP_BY_HOP | named)


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request; None when the peer has closed the connection. Raises BadMessageError."""
    start, headers = await _read_head(reader)
    if not start:
        return None
    method, _, rest = start.partition(" ")
    target, _, version = rest.rpartition(" ")
    if not target or not version.startswith("HTTP/1."):
        raise BadMessageError("not an HTTP/1 request line")
    if "://" in target:  # absolute form (RFC 9112 §3.2.2)
        parts = urlsplit(target)
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    if header(headers, "expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(reader, headers, until_close=False)
    return Request(method, target, headers, body, version)


async def read_response(reader: asyncio.StreamReader, method: str) -> Response:
    """The final response to a request of that method. Raises BadMessageError."""
    while True:
        start, headers = await _read_head(reader)
        parts = start.split(" ", 2)
        if len(parts) < 2 or not parts[1].isdigit():
            raise BadMessageError("not an HTTP status line")
        status = int(parts[1])
        if status >= 200:
            break
    bodiless = method == "HEAD" or status in (204, 304)
    body = b"" if bodiless else await _read_body(reader, headers, until_close=True)
    return Response(status, end_to_end(headers), body)


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, Headers]:
    try:
        block = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise BadMessageError("the connection ended inside a message head") from error
        return "", ()
    except asyncio.LimitOverrunError as error:
        raise BadMessageError("the message head is too large") from error
    start, *lines = block.decode("latin-1").strip("\r\n").split("\r\n")
    pairs = tuple((name, value.strip()) for name, colon, value in (line.partition(":") for line in lines) if colon)
    if len(pairs) != len(lines):
        raise BadMessageError("a header line without a colon")
    return start, pairs


async def _read_body(reader: asyncio.StreamReader, headers: Headers, *, until_close: bool) -> bytes:
    coding, length = header(headers, "transfer-encoding").lower(), header(headers, "content-length")
    if coding and length:
        raise BadMessageError("both Transfer-Encoding and Content-Length")  # request smuggling (RFC 9112 §6.3)
    try:
        if coding:
            return await _read_chunks(reader)
        if length:
            if not length.isdigit() or int(length) > MAX_BODY:
                raise BadMessageError("Content-Length is no number, or too large")
            return await reader.readexactly(int(length))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise BadMessageError("the message body is cut short, or a chunk line too long") from error
    return await _read_to_end(reader) if until_close else b""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """The chunked coding (RFC 9112 §7.1); trailers are dropped."""
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.split(b";")[0].strip(), 16)
        except ValueError as error:
            raise BadMessageError("not a chunk size") from error
        if size < 0 or len(body) + size > MAX_BODY:
            raise BadMessageError("the message body is too large")
        if size == 0:
            while (await reader.readuntil(b"\r\n")).strip():
                pass
            return bytes(body)
        body += await reader.readexactly(size)
        await reader.readexactly(2)


async def _read_to_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while block := await reader.read(64 * 1024):
        body += block
        if len(body) > MAX_BODY:
            raise BadMessageError("the message body is too large")
    return bytes(body)


@dataclass(frozen=True, slots=True)
class Upstream:
    """The server behind the proxy."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    @classmethod
    def from_url(cls, url: str, ca_file: str | None = None) -> Self:
        """From `http://host:port` or `https://host:port`. Raises ValueError for another URL, OSError for a bad CA."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"upstream: expected an http or https URL, got {url!r}")
        tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls)

    async def exchange(self, request: Request) -> Response:
        """Send the request on a connection of its own. Raises OSError and BadMessageError."""
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls, limit=MAX_HEAD)
        try:
            length = (("Content-Length", str(len(request.body))),) if request.body or request.method == "POST" else ()
            headers = (*end_to_end(request.headers), *length, ("Connection", "close"))
            lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + request.body)
            await writer.drain()
            return await read_response(reader, request.method)
        finally:
            writer.close()
