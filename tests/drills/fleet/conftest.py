"""One provider with TLS for the folder, and fleets that are started against it."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from drills.fleet import Fleet, start_fleet
from drills.verifiers import verifiers
from sandbox.launch import Sandbox, start_sandbox

AUDIENCE = "orders"


@dataclass(frozen=True, slots=True)
class Provider:
    """The sandbox, as a fleet and those who rotate see it."""

    sandbox: Sandbox
    http: httpx.Client = field(repr=False)
    jwks_uri: str
    token_endpoint: str

    def token(self) -> str:
        """A fresh access token, signed with the present key."""
        client = self.sandbox.clients["machine"]
        answer = self.http.post(
            self.token_endpoint,
            data={"grant_type": "client_credentials"},
            auth=(client.client_id, client.client_secret),
        )
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def replace(self) -> None:
        """A new key signs, the old one leaves the set at once."""
        self.sandbox.control.rotate("abrupt", alg="RS256")

    def rotate(self) -> None:
        """A new key signs at once, the old one stays published."""
        self.sandbox.control.rotate("overlap", alg="RS256")

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """A page of HTML stands where the key set was."""
        self.sandbox.control.fault("jwks-not-json")
        try:
            yield
        finally:
            self.sandbox.control.clear()


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with contextlib.ExitStack() as parts:
        sandbox = parts.enter_context(start_sandbox(tls=True, proxy=False))
        trust = ssl.create_default_context(cafile=sandbox.ca_file)
        http = parts.enter_context(httpx.Client(verify=trust, trust_env=False))
        known = http.get(f"{sandbox.issuer}/.well-known/openid-configuration").raise_for_status().json()
        yield Provider(sandbox, http, known["jwks_uri"], known["token_endpoint"])


@pytest.fixture(scope="session")
def fleet_of(provider: Provider) -> Callable[..., AbstractContextManager[Fleet]]:
    """Starts rows by name against the provider; none: the whole table."""

    def started(*names: str, **options: Any) -> AbstractContextManager[Fleet]:
        table = verifiers()
        return start_fleet(
            [table[name] for name in names or table],
            issuer=provider.sandbox.issuer,
            jwks_uri=provider.jwks_uri,
            audience=AUDIENCE,
            ca_file=provider.sandbox.ca_file,
            **{"environ": os.environ, "say": lambda _: None, **options},
        )

    return started
