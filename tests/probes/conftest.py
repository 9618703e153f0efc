"""A small OpenID provider behind httpx's transport, the keys that it signs with, and a clock that is set by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, settings
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from probes.http import HttpClient
from probes.memory import Memory
from probes.model import Check, ProbeResult
from probes.redact import Redactor
from probes.registry import PROBES, Resources
from probes.run import run_once
from probes.subjects import Client, Issuer, Region, SecretRef

# The same examples in every run, and no data base of earlier ones: a failure here is a failure everywhere.
settings.register_profile(
    "probes",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("probes")

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ISSUER = "https://login.acme.example"
SECRET = "canary-client-secret"
ACME = Issuer("acme", ISSUER)
MACHINE = Client("machine", "machine", secret=SecretRef("env", "SECRET"), scopes=("orders",))
DISCOVERY, OAUTH, JWKS, TOKEN = (
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/jwks",
    "/token",
)


@dataclass(slots=True)
class SetClock:
    """Gives the time that it was set to."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **duration: float) -> None:
        self.at += timedelta(**duration)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name, as a provider holds it."""

    kid: str
    alg: str
    private: Any = field(repr=False)

    def jwk(self, **members: object) -> dict[str, Any]:
        """The public half as a JWK; a member given as None is left out."""
        form = {"RS": RSAAlgorithm, "ES": ECAlgorithm, "Ed": OKPAlgorithm}[self.alg[:2]]
        public = form.to_jwk(self.private.public_key(), as_dict=True)  # type: ignore[attr-defined] # one of three
        named = {"kty": public["kty"], **public, "kid": self.kid, "use": "sig", "alg": self.alg}
        return {
            name: value
            for name, value in {**named, **members}.items()
            if value is not None and (name != "key_ops" or name in members)
        }

    def sign(self, claims: Mapping[str, object], **header: object) -> str:
        """A compact JWS."""
        return jwt.encode(dict(claims), self.private, self.alg, headers={"kid": self.kid, **header})

    def sign_bytes(self, data: bytes) -> bytes:
        """The signature alone."""
        algorithm = {"RS": RSAAlgorithm, "ES": ECAlgorithm}[self.alg[:2]]
        return bytes(algorithm(algorithm.SHA256).sign(data, self.private))  # type: ignore[attr-defined] # one of two


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider answers."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)


@dataclass(slots=True)
class _Body(httpx.AsyncByteStream):
    content: bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.content), 65_536):
            yield self.content[start : start + 65_536]


@dataclass(slots=True)
class Provider(httpx.AsyncBaseTransport):
    """Answers by path; several replies for one path are given one after the other, and the last one stays."""

    replies: dict[str, list[Reply | Exception]] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    def on(self, path: str, *replies: Reply | Exception) -> None:
        self.replies[path] = list(replies)

    def body(self, path: str) -> bytes:
        """What is answered there now."""
        reply = self.replies[path][0]
        return reply.body if isinstance(reply, Reply) else b""

    def json(self, path: str, *documents: object, status: int = 200, **headers: str) -> None:
        """Answer with JSON; header names are given with underscores."""
        given = {"content_type": "application/json", **headers}
        sent = tuple((name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in given.items())
        self.on(path, *(Reply(status, json.dumps(document).encode(), sent) for document in documents))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        queue = self.replies.get(request.url.path, [Reply(404)])
        reply = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status, headers=list(reply.headers), stream=_Body(reply.body))


def good_discovery(issuer: str = ISSUER) -> dict[str, Any]:
    """A discovery document with which no check has anything to say."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "end_session_endpoint": f"{issuer}/logout",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "authorization_response_iss_parameter_supported": True,
        "request_uri_parameter_supported": False,
    }


@dataclass(slots=True)
class Lab:
    """A provider, what the agent remembers of it, and a way to run a probe against it once."""

    signer: Signer
    provider: Provider = field(default_factory=Provider)
    clock: SetClock = field(default_factory=SetClock)
    memory: Memory = field(default_factory=Memory)
    redact: Redactor = field(default_factory=Redactor)
    client: Client = MACHINE
    issuer: Issuer = ACME

    @staticmethod
    def reply(status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> Reply:
        return Reply(status, body, tuple(headers))

    def access_token(self, **claims: object) -> str:
        now = int(self.clock().timestamp())
        given = {"iss": ISSUER, "aud": "orders", "sub": "machine", "iat": now, "exp": now + 300, **claims}
        return self.signer.sign({k: v for k, v in given.items() if v is not None}, typ="at+jwt")

    def tokens(self, access_token: str) -> dict[str, Any]:
        return {"access_token": access_token, "token_type": "Bearer", "expires_in": 300}

    def restore(self) -> None:
        """Every endpoint answers as it should."""
        self.provider.json(DISCOVERY, good_discovery())
        self.provider.on(OAUTH, Reply(404))
        self.provider.json(JWKS, {"keys": [self.signer.jwk()]}, cache_control="max-age=300")
        self.provider.json(TOKEN, self.tokens(self.access_token()), cache_control="no-store", pragma="no-cache")

    async def run(self, kind: str, *, region: str = "eu", seconds: float = 5.0, confirm: bool = False) -> ProbeResult:
        """One run through the registry, the real HTTP client and `run_once`."""
        client = self.client if PROBES[kind].of == "client" else None
        check = Check(self.issuer, kind, client=client, timeout=seconds, confirm=confirm)
        probe = PROBES[kind].build(
            Resources(
                http=HttpClient(self.provider, self.clock),
                secrets=_secret,
                memory=self.memory,
                region=Region(region),
                redact=self.redact,
                clock=self.clock,
                browsers=_no_browser,
            )
        )
        return await run_once(probe, check, region, self.redact, self.clock)


async def _secret(ref: SecretRef) -> str:
    return SECRET


def _no_browser() -> NoReturn:
    raise AssertionError("these kinds need no browser")


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer("key-1", "RS256", rsa.generate_private_key(65_537, 2048))


@pytest.fixture(scope="session")
def other_signer() -> Signer:
    return Signer("key-2", "RS256", rsa.generate_private_key(65_537, 2048))


@pytest.fixture(scope="session")
def ec_signer() -> Signer:
    return Signer("key-ec", "ES256", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="session")
def ed_signer() -> Signer:
    return Signer("key-ed", "EdDSA", ed25519.Ed25519PrivateKey.generate())


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def discovery_document() -> Callable[[], dict[str, Any]]:
    return good_discovery


@pytest.fixture(scope="session")
def make_lab(signer: Signer) -> Callable[[], Lab]:
    """Makes labs whose endpoints all answer as they should."""

    def make() -> Lab:
        lab = Lab(signer)
        lab.restore()
        return lab

    return make


@pytest.fixture
def lab(make_lab: Callable[[], Lab]) -> Lab:
    return make_lab()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Starts raw TCP (or TLS) servers on loopback ports: `port = await serve(handler, tls=context)`."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def start(handle: Handler, tls: ssl.SSLContext | None = None) -> int:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(_until_closed(handle, reader, writer))
            tasks.add(task)
            await asyncio.wait({task})

        server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


async def _until_closed(handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handle(reader, writer)
            await writer.drain()
            writer.write_eof() if writer.can_write_eof() else writer.close()
            await reader.read()
    finally:
        writer.transport.abort()
