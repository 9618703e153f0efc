"""`python -m benchmarks.responder FOLDER COUNT`: so many issuers on one TLS port, as cheap as they can be.

Prints one JSON line when it is up: `url` (issuer n is url/n) and `ca_file`. Ends with standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from oidcwatch.loop import run_loop
from sandbox.certificates import write_certificates
from sandbox.peers.process import LOOPBACK, choose_port

_RSA_BYTES = 256


def documents(url: str, count: int) -> dict[str, bytes]:
    """The bodies by path: a discovery document and a key set for each issuer, no key shared."""
    bodies: dict[str, bytes] = {}
    for number in range(count):
        issuer = f"{url}/{number}"
        metadata = {
            "issuer": issuer,
            **{name: f"{issuer}/{path}" for name, path in _ENDPOINTS.items()},
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }
        bodies[f"/{number}/.well-known/openid-configuration"] = json.dumps(metadata).encode()
        bodies[f"/{number}/jwks"] = json.dumps({"keys": [_key("now"), _key("next")]}).encode()
    return bodies


_ENDPOINTS = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "userinfo_endpoint": "userinfo",
    "jwks_uri": "jwks",
}


def _key(kid: str) -> dict[str, str]:
    """An RSA public key that nobody has the private half of: nothing here is ever signed, and generating costs CPU."""
    modulus = bytearray(secrets.token_bytes(_RSA_BYTES))
    modulus[0] |= 0x80  # of full length
    modulus[-1] |= 1
    encoded = urlsafe_b64encode(modulus).rstrip(b"=").decode()
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "e": "AQAB", "n": encoded}


async def serve(folder: Path, count: int) -> None:
    """Answers until standard input ends."""
    certificates = write_certificates(folder, datetime.now(UTC))
    port = choose_port(0)
    url = f"https://{LOOPBACK}:{port}"
    bodies: Mapping[str, bytes] = documents(url, count)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = bodies.get(scope["path"])
        headers = {"cache-control": "public, max-age=600"}
        response = Response(body or b"", 200 if body else 404, headers, "application/json")
        await response(scope, receive, send)

    chain = str(certificates.chains["good"])
    server = uvicorn.Server(
        uvicorn.Config(
            answer, host=LOOPBACK, port=port, ssl_certfile=chain, ssl_keyfile=chain, log_config=None, lifespan="off"
        )
    )
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.05)
    print(json.dumps({"url": url, "ca_file": str(certificates.ca_file)}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        run_loop(serve(Path(sys.argv[1]), int(sys.argv[2])))
