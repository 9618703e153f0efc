"""A reverse proxy that breaks exchanges on command, to put in front of any provider."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import signal
import ssl
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.certificates import Certificates, write_certificates
from sandbox.http1 import MAX_HEAD, BadMessageError, Request, Response, Upstream, header, read_request
from sandbox.proxykinds import KINDS, Exchange
from sandbox.proxyrules import BadRuleError, RuleBook, parse_rules

LOOPBACK = "127.0.0.1"
_IDLE_SECONDS = 75.0
_UPSTREAM_SECONDS = 120.0

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class FaultProxy:
    """One listener in front of one upstream, and its control port. Belongs to the event loop that started it."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        bind: str = LOOPBACK,
        port: int = 0,
        host: str = "",
        certificates: Certificates | None = None,
    ) -> None:
        """With certificates the listener speaks TLS. Port 0 takes a free one; `host` names it in `url`."""
        self._upstream = upstream
        self._bind = bind
        self._host = host or bind
        self.port = port
        self.control_port = 0
        self._certificates = certificates
        self._certificate = "good"
        self._tls = server_context(certificates.chains["good"]) if certificates else None
        self._book = RuleBook()
        self._hits: Counter[str] = Counter()
        self._remembered: dict[str, Response] = {}
        self._listener: asyncio.Server | None = None
        self._control: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The issuer URL of a provider behind it."""
        return base_url(self._tls is not None, self._host, self.port)

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        await self._listen()
        self._control = await asyncio.start_server(self._tracked(self._serve_control), LOOPBACK, 0, limit=MAX_HEAD)
        self.control_port = self._control.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close listeners and every connection."""
        for server in (self._listener, self._control):
            if server is not None:
                server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(
            self._tracked(self._serve), self._bind, self.port, ssl=self._tls, limit=MAX_HEAD
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    def _tracked(self, handler: Handler) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        """A connection callback whose task is known, and whose connection ends with it."""

        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                # A peer that goes away, or is too slow to speak, is what this proxy is for.
                with contextlib.suppress(OSError, BadMessageError, TimeoutError):
                    await handler(reader, writer)
                    await writer.drain()
            finally:
                writer.close()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(run(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return connected

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(_IDLE_SECONDS):
                    request = await read_request(reader, writer)
            except BadMessageError as error:
                writer.write(_plain(400, str(error)).serialize(keep_alive=False))
                return
            if request is None:
                return
            self._hits[request.path] += 1
            response = await self._answer(request, writer)
            if response is None:
                return
            keep = request.wants_keep_alive
            writer.write(response.serialize(keep_alive=keep, head_only=request.method == "HEAD"))
            await writer.drain()
            if not keep:
                return

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> Response | None:
        async def forward() -> Response:
            return await self._forward(request, writer)

        rule = self._book.take(request)
        if rule is None:
            return await forward()
        return await KINDS[rule.kind].run(Exchange(request, forward, writer, self._remembered), rule.params)

    async def _forward(self, request: Request, writer: asyncio.StreamWriter) -> Response:
        """The upstream's answer. Host stays as the client sent it, so the provider builds URLs for this address."""
        peer = writer.get_extra_info("peername")
        replaced = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "accept-encoding", "expect")
        headers = (
            *(pair for pair in request.headers if pair[0].lower() not in replaced),
            ("X-Forwarded-For", str(peer[0]) if peer else ""),
            ("X-Forwarded-Proto", "https" if self._tls else "http"),
            ("X-Forwarded-Host", header(request.headers, "host")),
            ("Accept-Encoding", "identity"),  # so that rules can edit what they see
        )
        try:
            async with asyncio.timeout(_UPSTREAM_SECONDS):
                return await self._upstream.exchange(replace(request, headers=headers))
        except TimeoutError:
            return _plain(504, "the upstream did not answer in time")
        except (OSError, BadMessageError) as error:
            return _plain(502, f"the upstream failed: {type(error).__name__}")

    async def _serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader, writer)
        if request is None:
            return
        response = _json(421, {"error": "ask for the loopback address"})
        # A web page must not reach this port by DNS rebinding, nor with a form.
        if urlsplit(f"//{header(request.headers, 'host')}").hostname in (LOOPBACK, "localhost"):
            try:
                response = await self._control_answer(request)
            except ValueError as error:
                response = _json(400, {"error": str(error)})
        writer.write(response.serialize(keep_alive=False))

    async def _control_answer(self, request: Request) -> Response:
        """Raises ValueError for a bad body."""
        routes: dict[tuple[str, str], Callable[[], Awaitable[dict[str, Any]]]] = {
            ("GET", "/rules"): self._show_rules,
            ("PUT", "/rules"): lambda: self.set_rules(json.loads(request.body)),
            ("GET", "/kinds"): self._show_kinds,
            ("GET", "/hits"): self._show_hits,
            ("PUT", "/certificate"): lambda: self.set_certificate(json.loads(request.body)),
        }
        route = routes.get((request.method, request.path))
        return _json(404, {"error": "no such resource"}) if route is None else _json(200, await route())

    async def _show_rules(self) -> dict[str, Any]:
        return {"rules": [rule.as_json() for rule in self._book.rules]}

    async def _show_kinds(self) -> dict[str, Any]:
        return {name: {"summary": kind.summary, "params": dict(kind.defaults)} for name, kind in KINDS.items()}

    async def _show_hits(self) -> dict[str, Any]:
        return dict(self._hits)

    async def set_rules(self, document: Any) -> dict[str, Any]:
        """Replace the rules, and open or close the listener as they say. Raises BadRuleError."""
        self._book.replace(parse_rules(document))
        self._remembered.clear()
        if self._book.refuses_connections and self._listener is not None:
            self._listener.close()
            self._listener = None
        elif not self._book.refuses_connections and self._listener is None:
            await self._listen()
        return await self._show_rules()

    async def set_certificate(self, document: Any) -> dict[str, Any]:
        """Show another certificate to new connections. Raises BadRuleError."""
        kind = document.get("kind") if isinstance(document, Mapping) else None
        known = self._certificates.chains if self._certificates else {"good": None}
        if kind not in known:
            raise BadRuleError(f"kind: expected one of {', '.join(known)}")
        if self._tls is not None and self._certificates is not None:
            self._tls.load_cert_chain(self._certificates.chains[str(kind)])
        self._certificate = str(kind)
        return {"kind": self._certificate}


def base_url(tls: bool, host: str, port: int) -> str:
    """The URL of a server without path; an IPv6 address gets its brackets (RFC 3986 §3.2.2)."""
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def server_context(chain: Path) -> ssl.SSLContext:
    """A TLS context of a server that shows this chain. Raises OSError or ssl.SSLError when it cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    # A resumed session would not show the certificate again.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def _plain(status: int, text: str) -> Response:
    return Response(status, (("Content-Type", "text/plain"),), f"{text}\n".encode())


def _json(status: int, document: Mapping[str, Any]) -> Response:
    return Response(status, (("Content-Type", "application/json"),), json.dumps(document).encode())


async def _run(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as directory:
        now = dt.datetime.now(dt.UTC)
        certificates = write_certificates(Path(directory), now) if arguments.tls else None
        upstream = Upstream.from_url(arguments.upstream, arguments.upstream_ca)
        proxy = FaultProxy(upstream, port=arguments.port, certificates=certificates)
        await proxy.start()
        said = {
            "url": proxy.url,
            "fault_control": f"http://{LOOPBACK}:{proxy.control_port}",
            "ca_file": str(certificates.ca_file) if certificates else None,
        }
        print(json.dumps(said), flush=True)
        stopped = asyncio.Event()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signal_number, stopped.set)
        await stopped.wait()
        await proxy.stop()


def main(arguments: Sequence[str]) -> int:
    """`python -m sandbox.faultproxy --upstream URL`: prints its addresses as JSON, runs until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.faultproxy", description=__doc__)
    parser.add_argument("--upstream", required=True, help="the provider's address, http or https")
    parser.add_argument("--upstream-ca", help="the CA to trust for an https upstream")
    parser.add_argument("--port", type=int, default=0, help="the port on loopback (default: a free one)")
    parser.add_argument("--tls", action="store_true", help="listen with https and a private CA")
    asyncio.run(_run(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
