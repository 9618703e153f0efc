"""A server that sends whatever an attack wants in the place of one endpoint, and a process that probes it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox.loopthread import loop_thread

if TYPE_CHECKING:
    from tests.probes.conftest import Signer

PROBES_AT = {
    "discovery": ("discovery", "jwks", "client_credentials"),
    "jwks": ("jwks", "client_credentials"),
    "token": ("client_credentials",),
}
"""Which kinds of probes meet an endpoint."""


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole JSON answer that no cache may keep."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Cache-Control: no-store", "Pragma: no-cache"]
    lines += [f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def jws(header: object, claims: object, sign: Callable[[bytes], bytes]) -> str:
    """A compact JWS with any header."""
    parts = [json.dumps(part).encode() for part in (header, claims)]
    signing_input = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    return (signing_input + b"." + base64.urlsafe_b64encode(sign(signing_input)).rstrip(b"=")).decode()


@dataclass(frozen=True, slots=True)
class Run:
    """One attack at one endpoint, met by one kind of probe."""

    attack: str
    endpoint: str
    probe: str

    @property
    def id(self) -> str:
        return f"{self.attack}/{self.endpoint}/{self.probe}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `grown` is the peak of the process above its base so far, in MiB."""

    reason: str | None
    stage: str | None
    detail: str
    seconds: float
    findings: list[str]
    grown: float


@dataclass(slots=True)
class Arena:
    """An OpenID provider for each run (told apart by the path); one endpoint of it is an attacker's."""

    signer: Signer
    seconds: float = 4.0
    attacks: dict[str, Send] = field(default_factory=dict)
    port: int = 0

    http = staticmethod(http)
    jws = staticmethod(jws)
    run = staticmethod(Run)
    probes_at = PROBES_AT

    def pem(self) -> bytes:
        """The public key, as an attacker reads it from the key set."""
        return bytes(self.signer.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def claims(self, issuer: str) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": issuer, "aud": "orders", "sub": "machine", "iat": now, "exp": now + 300}

    def good(self, endpoint: str, issuer: str) -> bytes:
        """The answer of an endpoint that is not attacked."""
        if endpoint == "jwks":
            return json.dumps({"keys": [self.signer.jwk()]}).encode()
        if endpoint == "token":
            token = self.signer.sign(self.claims(issuer), typ="at+jwt")
            return json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 300}).encode()
        members = {
            "issuer": issuer,
            **{name: f"{issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")},
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return json.dumps(members).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection, for as long as the other side wants."""
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                _, attack, endpoint, probe, rest = request.split()[1].split("/", 4)
                asked = {"token_endpoint": "token", "jwks_uri": "jwks"}.get(rest, "discovery")
                issuer = f"http://127.0.0.1:{self.port}/{attack}/{endpoint}/{probe}"
                if attack == ".well-known":
                    writer.write(http(b"{}", status="404 Not Found"))
                elif asked == endpoint:
                    await self.attacks[attack](self, writer)
                else:
                    writer.write(http(self.good(asked, issuer)))
                await writer.drain()
                writer.write_eof()
                await reader.read()
        finally:
            writer.transport.abort()

    def fight(self, runs: Sequence[Run], slow: frozenset[str]) -> Mapping[Run, Outcome]:
        """All runs in one child process; `good` comes first and is the base for its memory."""
        with loop_thread("hostile") as loop:
            server = loop.run(asyncio.start_server(self.answer, "127.0.0.1", 0))
            self.port = server.sockets[0].getsockname()[1]
            orders = [self._order(run, slow) for run in runs]
            child = subprocess.run(
                [sys.executable, "-W", "error", str(Path(__file__).with_name("child.py"))],
                input=json.dumps(orders),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            loop.run(_close(server))
        assert child.returncode == 0, child.stderr[-4000:]
        assert "Traceback" not in child.stderr, child.stderr[-4000:]
        lines = [json.loads(line) for line in child.stdout.splitlines()]
        base = lines[0]["peak"]
        peaks = {line["id"]: line.pop("peak") for line in lines}
        told = {line.pop("id"): line for line in lines}
        return {run: Outcome(**told[run.id], grown=(peaks[run.id] - base) / 1024) for run in runs}

    def _order(self, run: Run, slow: frozenset[str]) -> dict[str, object]:
        issuer = f"http://127.0.0.1:{self.port}/{run.id}"
        return {
            "id": run.id,
            "probe": run.probe,
            "issuer": issuer,
            "seconds": self.seconds,
            "slow": run.attack in slow,
        }


async def _close(server: asyncio.Server) -> None:
    server.close()


Send = Callable[[Arena, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="session")
def arena(signer: Signer) -> Arena:
    return Arena(signer)
