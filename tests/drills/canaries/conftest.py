"""One provider with TLS for the folder, and canaries that are started against it."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from drills.canaries.client import RunningCanary, Verdict, start
from drills.canaries.registry import Canary
from sandbox.launch import Sandbox, start_sandbox

LONG = 48 * 3600  # of a token's life in seconds: a canary may run in a time of its own
DEADLINE = 30.0
PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Provider:
    """The sandbox as canaries and their callers see it."""

    sandbox: Sandbox
    http: httpx.Client = field(repr=False)
    jwks_uri: str
    token_endpoint: str
    audience: str = "orders"

    def token(self, fault: str = "", **params: Any) -> str:
        """A fresh access token, signed with the present key; with one of the sandbox's faults if given."""
        if fault:
            self.sandbox.control.fault(fault, times=1, **params)
        client = self.sandbox.clients["machine"]
        answer = self.http.post(
            self.token_endpoint,
            data={"grant_type": "client_credentials"},
            auth=(client.client_id, client.client_secret),
        )
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def rotate(self) -> None:
        """A new key signs, the old one leaves the set at once."""
        self.sandbox.control.rotate("abrupt", alg="RS256")

    @contextlib.contextmanager
    def outage(self, error: str = "") -> Iterator[None]:
        """A page of HTML stands where the key set was; with `error` an error as JSON, with status 200."""
        json_error: dict[str, Any] = {"body": json.dumps({"error": error}), "content_type": "application/json"}
        self.sandbox.control.fault("jwks-not-json", **(json_error if error else {}))
        try:
            yield
        finally:
            self.sandbox.control.clear()

    def fetches(self) -> int:
        """How often the key set was asked for."""
        return self.sandbox.control.hits().get("/jwks", 0)


Start = Callable[..., AbstractContextManager[RunningCanary]]
Until = Callable[[RunningCanary, str, bool], Verdict]


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with start_sandbox(tls=True, proxy=False) as sandbox:
        sandbox.control.settings(access_token_lifetime=LONG)
        with httpx.Client(verify=ssl.create_default_context(cafile=sandbox.ca_file), trust_env=False) as http:
            known = http.get(f"{sandbox.issuer}/.well-known/openid-configuration").raise_for_status().json()
            yield Provider(sandbox, http, known["jwks_uri"], known["token_endpoint"])


@pytest.fixture(scope="session")
def start_canary(provider: Provider) -> Start:
    """Starts a row of the table against the provider, with options of its library."""

    @contextlib.contextmanager
    def started(
        canary: Canary,
        settings: Mapping[str, float] | None = None,
        *,
        jwks_uri: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> Iterator[RunningCanary]:
        with start(
            canary,
            issuer=provider.sandbox.issuer,
            jwks_uri=jwks_uri or provider.jwks_uri,
            audience=provider.audience,
            environ=os.environ if environ is None else environ,
            ca_file=provider.sandbox.ca_file,
            settings=settings,
        ) as running:
            yield running

    return started


@pytest.fixture
def until() -> Until:
    """Asks about a token until the verdict is as wished; the last verdict when it never is."""

    def asked(canary: RunningCanary, token: str, wished: bool) -> Verdict:
        deadline = time.monotonic() + DEADLINE
        while (verdict := canary.check(token)).ok is not wished and time.monotonic() < deadline:
            time.sleep(PAUSE)
        return verdict

    return asked


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Canary]:
    """Makes a canary of a few lines of Python that have said that they are ready."""

    def made(lines: str) -> Canary:
        file = tmp_path / "canary.py"
        ready = (
            'import json, sys, time\nprint(json.dumps({"ready": True, "library": "x", "version": "1"}), flush=True)\n'
        )
        file.write_text(ready + lines)
        return Canary("script", "Python", ("{python}", str(file)))

    return made
