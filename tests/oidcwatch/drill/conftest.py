"""A provider that publishes discovery and an RSA key with the headers that a test wants, and the command in-process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from oidcwatch.cli import make_app

Predict = Callable[..., Result]


@dataclass
class Provider:
    """What the provider says and what it was asked for."""

    url: str = ""
    caching: str | None = "max-age=3600"
    status: int = 200
    paths: list[str] = field(default_factory=list)

    def document(self, path: str) -> dict[str, Any]:
        if path == "/jwks":
            return {"keys": []}
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }


@pytest.fixture
def provider() -> Iterator[Provider]:
    said = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said.paths.append(self.path)
            body = json.dumps(said.document(self.path)).encode()
            self.send_response(said.status if self.path == "/jwks" else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if self.path == "/jwks" and said.caching is not None:
                self.send_header("Cache-Control", said.caching)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Standard error is the test's."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        said.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield said
        server.shutdown()
        thread.join()


@pytest.fixture
def predict(tmp_path: Path, provider: Provider) -> Predict:
    """Runs `drill predict acme` for an issuer with these verifiers."""

    def run(verifiers: list[str], *arguments: str, policy: str = "", own: str = "", issuer: str = "acme") -> Result:
        config = tmp_path / "oidcwatch.yaml"
        config.write_text(
            f"{own}\n"
            "issuers:\n"
            f"  - {{name: acme, url: '{provider.url}', policy: {{allow_http: true{policy}}}, verifiers: {verifiers}}}\n"
        )
        return CliRunner().invoke(make_app(), ["drill", "predict", issuer, "-c", str(config), *arguments])

    return run
