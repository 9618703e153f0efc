"""Builds what a check looks at, so that a case only says what is wrong in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from probes.http import Response
from probes.network import Phases
from probes.subjects import Client, Issuer, Policy, SecretRef

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ISSUER = "https://login.acme.example"


class Build:
    """Good parts: an issuer, a client, an answer."""

    now = NOW
    issuer_url = ISSUER

    def issuer(self, **members: Any) -> Issuer:
        policy = Policy(**members.pop("policy", {}))
        return Issuer("acme", ISSUER, policy=policy, **members)

    def client(self, **members: Any) -> Client:
        given = {"secret": SecretRef("env", "S"), "scopes": ("openid", "profile"), **members}
        return Client("portal", "portal", **given)

    def answer(
        self,
        document: object = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        url: str = f"{ISSUER}/jwks",
        body: bytes | None = None,
        certificate_expiry: float | None = None,
    ) -> Response:
        """A JSON answer; a header given as an empty string is left out."""
        given = {"content-type": "application/json", **(headers or {})}
        sent = httpx.Headers([(name.encode(), value.encode("latin-1")) for name, value in given.items() if value])
        phases = Phases(certificate_expiry=certificate_expiry)
        content = json.dumps(document).encode() if body is None else body
        return Response("GET", url, status, sent, content, phases, NOW, NOW)


@pytest.fixture(scope="session")
def build() -> Build:
    return Build()
