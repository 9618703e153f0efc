"""What the fault proxy can do to an exchange: one table of kinds, from a late answer to endless headers."""

from __future__ import annotations

import asyncio
import base64
import email.utils
import gzip
import json
import socket
import struct
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from sandbox.http1 import Request, Response

_BLOCK = 1024 * 1024
_STALE_BODIES_KEPT = 64

HTML = b"<!doctype html><title>Error</title><h1>Something went wrong</h1>"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, the way to its real answer, and the wire for those kinds that must write by themselves."""

    request: Request
    forward: Callable[[], Awaitable[Response]]
    writer: asyncio.StreamWriter
    remembered: MutableMapping[str, Response]
    """First answers by path, for `stale`."""

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0)  # over TLS drain never yields, and the loop would not see that the client has gone


Params = Mapping[str, Any]
Run = Callable[[Exchange, Params], Awaitable[Response | None]]
"""Gives the answer to send; None when the kind has done what is to be done, and the connection must end."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: what it does, with which parameters unless told otherwise."""

    run: Run
    summary: str
    defaults: Params = field(default_factory=lambda: MappingProxyType({}))


def _json_response(status: int, document: Any) -> Response:
    return Response(status, (("Content-Type", "application/json"),), json.dumps(document).encode())


# Instead of the answer


async def _status(_exchange: Exchange, params: Params) -> Response:
    status, form = params["status"], params["form"]
    extra = {**params["headers"], **({"Retry-After": str(params["retry_after"])} if params["retry_after"] >= 0 else {})}
    bodies = {
        "json": _json_response(status, {"error": params["error"]}),
        "html": Response(status, (("Content-Type", "text/html"),), HTML),
        "empty": Response(status),
    }
    return bodies.get(form, bodies["json"]).with_headers(extra.items())


async def _reset(exchange: Exchange, _params: Params) -> None:
    """RST instead of FIN: SO_LINGER with 0 seconds."""
    connection: socket.socket = exchange.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.writer.transport.abort()


async def _close(_exchange: Exchange, _params: Params) -> None:
    return None


async def _hang(_exchange: Exchange, params: Params) -> None:
    await asyncio.sleep(params["seconds"])


async def _html(_exchange: Exchange, params: Params) -> Response:
    return Response(params["status"], (("Content-Type", "text/html"),), HTML)


async def _empty(_exchange: Exchange, params: Params) -> Response:
    return Response(params["status"], (("Content-Type", "application/json"),))


async def _body(_exchange: Exchange, params: Params) -> Response:
    content = base64.b64decode(params["base64"])
    return Response(params["status"], (("Content-Type", params["content_type"]),), content)


async def _invalid_utf8(_exchange: Exchange, _params: Params) -> Response:
    return Response(200, (("Content-Type", "application/json"),), b'{"issuer": "\xff\xfe\xc3("}')


async def _redirect(exchange: Exchange, params: Params) -> Response:
    """To itself for ever, or to the given location."""
    return Response(302, (("Location", params["location"] or exchange.request.target),))


async def _redirect_host(exchange: Exchange, params: Params) -> Response:
    return Response(302, (("Location", f"{params['origin']}{exchange.request.target}"),))


async def _huge(exchange: Exchange, params: Params) -> None:
    """A JSON string that never seems to end; made block by block."""
    total = int(params["bytes"])
    head = Response(200, (("Content-Type", "application/json"),)).head((("Content-Length", str(total)),))
    await exchange.write(head + b'"')
    left = total - 2
    while left > 0:
        await exchange.write(b"a" * min(left, 64 * 1024))
        left -= 64 * 1024
    await exchange.write(b'"')


async def _gzip_bomb(exchange: Exchange, params: Params) -> None:
    """Megabytes of zeros in about a thousandth on the wire.

    After a full flush the compressor starts anew, so one compressed block can be repeated (RFC 1951 §3.2.3).
    """
    blocks = max(1, int(params["bytes"]) // _BLOCK)
    zeros = bytes(_BLOCK)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = compressor.compress(zeros) + compressor.flush(zlib.Z_FULL_FLUSH)
    headers = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
    await exchange.write(Response(200, headers).head((("Connection", "close"),)) + gzip.compress(b"")[:10])
    checksum = 0
    for _ in range(blocks):
        checksum = zlib.crc32(zeros, checksum)
        await exchange.write(block)
    await exchange.write(compressor.flush() + struct.pack("<II", checksum, blocks * _BLOCK & 0xFFFFFFFF))


async def _endless_headers(exchange: Exchange, params: Params) -> None:
    await exchange.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(int(params["count"])):
        await exchange.write(f"X-Filler-{number}: {'a' * 100}\r\n".encode())


# To the answer


async def _delay(exchange: Exchange, params: Params) -> Response:
    await asyncio.sleep(params["seconds"])
    return await exchange.forward()


async def _truncate(exchange: Exchange, params: Params) -> None:
    """Promises the whole body and stops early."""
    response = await exchange.forward()
    kept = int(len(response.body) * params["share"])
    head = response.head((("Content-Length", str(len(response.body))), ("Connection", "close")))
    await exchange.write(head + response.body[:kept])


async def _drip(exchange: Exchange, params: Params) -> None:
    """A few bytes at a time: every read succeeds, and the answer never comes (slow-loris)."""
    response = await exchange.forward()
    data = response.serialize(keep_alive=False, head_only=exchange.request.method == "HEAD")
    step = max(1, int(params["bytes"]))
    for place in range(0, len(data), step):
        await exchange.write(data[place : place + step])
        await asyncio.sleep(params["seconds"])


async def _content_type(exchange: Exchange, params: Params) -> Response:
    return (await exchange.forward()).with_headers([("Content-Type", params["value"])])


async def _json(exchange: Exchange, params: Params) -> Response:
    """Set and drop members of a JSON object; another body passes unchanged."""
    response = await exchange.forward()
    try:
        document = json.loads(response.body)
    except ValueError:
        return response
    if not isinstance(document, dict):
        return response
    edited = {name: value for name, value in document.items() if name not in params["drop"]} | params["set"]
    return replace(response, body=json.dumps(edited).encode())


async def _stale(exchange: Exchange, _params: Params) -> Response:
    """The first answer for ever: an edge that does not see changes."""
    path = exchange.request.path
    if path not in exchange.remembered and len(exchange.remembered) < _STALE_BODIES_KEPT:
        exchange.remembered[path] = await exchange.forward()
    return exchange.remembered.get(path) or await exchange.forward()


async def _date_skew(exchange: Exchange, params: Params) -> Response:
    date = email.utils.formatdate(time.time() + params["seconds"], usegmt=True)
    return (await exchange.forward()).with_headers([("Date", date)])


async def _header(exchange: Exchange, params: Params) -> Response:
    response = await exchange.forward()
    return response.with_headers([(name, str(value)) for name, value in params["set"].items()], params["drop"])


def _with(**defaults: Any) -> Params:
    return MappingProxyType(defaults)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "status": Kind(
            _status,
            "An error status; a negative retry_after sends no Retry-After.",
            _with(status=503, form="json", error="injected", retry_after=-1, headers={}),
        ),
        "reset": Kind(_reset, "The connection is reset (RST)."),
        "refuse": Kind(_close, "Nobody listens while this rule stands, whatever the path."),
        "close": Kind(_close, "The connection is closed without an answer."),
        "hang": Kind(_hang, "No answer for that long.", _with(seconds=3600.0)),
        "html": Kind(_html, "An HTML page.", _with(status=200)),
        "empty": Kind(_empty, "An empty body that calls itself JSON.", _with(status=200)),
        "body": Kind(_body, "These bytes.", _with(base64="", content_type="application/json", status=200)),
        "invalid_utf8": Kind(_invalid_utf8, "JSON that is not UTF-8."),
        "redirect": Kind(_redirect, "A redirect; without location a loop.", _with(location="")),
        "redirect_host": Kind(
            _redirect_host, "The same path on another origin.", _with(origin="https://other.example.test")
        ),
        "huge": Kind(_huge, "A body of that many bytes.", _with(bytes=1 << 30)),
        "gzip_bomb": Kind(_gzip_bomb, "Small on the wire, that many bytes unpacked.", _with(bytes=1 << 30)),
        "endless_headers": Kind(_endless_headers, "Header lines without end.", _with(count=10_000_000)),
        "delay": Kind(_delay, "The answer, later.", _with(seconds=3.0)),
        "truncate": Kind(_truncate, "Only a share of the promised body.", _with(share=0.5)),
        "drip": Kind(_drip, "A few bytes at a time.", _with(bytes=8, seconds=0.2)),
        "content_type": Kind(_content_type, "Another Content-Type.", _with(value="text/plain")),
        "json": Kind(_json, "Members of the JSON object set or dropped.", _with(set={}, drop=[])),
        "stale": Kind(_stale, "The first answer for ever."),
        "dateskew": Kind(_date_skew, "The Date header off by that many seconds.", _with(seconds=120.0)),
        "header": Kind(_header, "Headers set or dropped.", _with(set={}, drop=[])),
    }
)
