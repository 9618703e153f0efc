"""A browser pool, a small web site that says what a test wants, and a walk through it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from probes.authorize import AuthorizationRequest, Credentials, authorize
from probes.browser import BrowserPool
from probes.browser_session import BrowserSession, SessionOptions
from probes.egress_guard import Egress
from probes.model import Failure, ProbeFailure, Stage
from probes.probe import Steps, utc_now
from probes.redact import Redactor
from probes.subjects import LoginForm
from sandbox.launch import Sandbox, start_sandbox

REDIRECT_URI = "https://portal.example.test/callback"
STATE = "state-of-this-test"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the site answers to one request."""

    body: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Site:
    """A web site on a loopback port; several answers for one request are given one after the other, the last stays."""

    url: str
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    hits: list[str] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)

    def on(self, request: str, body: str = "", *, status: int = 200, location: str = "") -> None:
        """Answer `METHOD /path`; paths are compared without their query."""
        method, _, path = request.partition(" ")
        headers = (("Location", location),) if location else ()
        self.answers.setdefault((method, path), []).append(Answer(body, 302 if location else status, headers))

    def take(self, method: str, target: str) -> Answer:
        self.hits.append(f"{method} {target}")
        queue = self.answers.get((method, target.partition("?")[0]), [Answer("not found", 404)])
        return queue.pop(0) if len(queue) > 1 else queue[0]


@dataclass(frozen=True, slots=True)
class Visit:
    """How a walk ended: the callback's parameters, or the failure; and what it recorded."""

    parameters: dict[str, str]
    failure: Failure | None
    steps: Steps
    egress: Egress

    @property
    def why(self) -> tuple[str, str] | None:
        """Stage and reason of the failure."""
        return (str(self.failure.stage), str(self.failure.reason)) if self.failure else None

    @property
    def stages(self) -> list[str]:
        return [str(step.name) for step in self.steps.done]


def callback_url(redirect_uri: str = REDIRECT_URI) -> str:
    return f"{redirect_uri}?code=code-canary-4711&state={STATE}"


@pytest.fixture
def callback() -> str:
    """Where a site sends the browser to end a login."""
    return callback_url()


@pytest.fixture
def new_site() -> Iterator[Callable[[], Site]]:
    """Starts web sites on free loopback ports."""
    servers: list[ThreadingHTTPServer] = []

    def start() -> Site:
        server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        site = Site(f"http://127.0.0.1:{server.server_port}")

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if length:
                    site.posted.append(self.rfile.read(length).decode())
                answer = site.take(self.command, self.path)
                body = f"<!doctype html>{answer.body}".encode()
                self.send_response(answer.status)
                for name, value in (*answer.headers, ("Content-Type", "text/html; charset=utf-8")):
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, format: str, *args: object) -> None:
                """A test's output is no access log."""

        server.RequestHandlerClass = Handler
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return site

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(new_site: Callable[[], Site]) -> Site:
    """One web site."""
    return new_site()


@pytest.fixture(scope="session")
def browser_there() -> None:
    """Fails with the command that installs what is missing."""
    if not any(map(shutil.which, ("chromium-headless-shell", "chromium"))):
        pytest.fail("no Chromium; install it: apt-get install chromium-headless-shell")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(browser_there: None) -> AsyncIterator[BrowserPool]:
    """One warm browser for the tests of a module."""
    async with BrowserPool() as pool:
        yield pool


@pytest.fixture
def options() -> SessionOptions:
    """A visit that may reach loopback only and gives up early."""
    hosts = frozenset({"127.0.0.1", "localhost"})
    return SessionOptions(hosts, Redactor(), navigation_seconds=15.0, change_seconds=2.0)


@pytest.fixture
def visit(options: SessionOptions) -> Callable[..., Awaitable[Visit]]:
    """Goes to a URL in a session of its own, or in the one given, and tells how it ended."""

    async def walk(
        pool: BrowserPool,
        url: str,
        *,
        user: Credentials | None = None,
        form: LoginForm | None = None,
        redirect_uri: str = REDIRECT_URI,
        session: BrowserSession | None = None,
        **changes: Any,
    ) -> Visit:
        steps, parameters, failure = Steps(), dict[str, str](), None
        request = AuthorizationRequest(url, redirect_uri)
        async with _session(pool, session, replace(options, **changes)) as used:
            try:
                parameters = await authorize(used, request, user, form or LoginForm(), steps, utc_now)
            except ProbeFailure as error:
                failure = Failure(error.reason, error.stage or steps.failed_at or Stage.PROBE, error.detail)
            return Visit(parameters, failure, steps, used.egress)

    return walk


@asynccontextmanager
async def _session(
    pool: BrowserPool, given: BrowserSession | None, options: SessionOptions
) -> AsyncIterator[BrowserSession]:
    if given is not None:
        yield given
        return
    async with pool.session(options) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """An OpenID provider."""
    with start_sandbox(proxy=False) as running:
        yield running


@pytest.fixture(scope="session")
def tls_sandbox() -> Iterator[Sandbox]:
    """An OpenID provider whose certificate comes from a private CA."""
    with start_sandbox(tls=True, proxy=True) as running:
        yield running


@pytest.fixture(scope="session")
def request_url() -> Callable[..., str]:
    """Makes an authorization request of the sandbox's portal client."""

    def make(sandbox: Sandbox, client: str = "portal", **extra: str) -> str:
        registered = sandbox.clients[client]
        parameters = {
            "response_type": "code",
            "client_id": registered.client_id,
            "redirect_uri": registered.redirect_uri,
            "scope": "openid",
            "state": STATE,
            "nonce": "nonce-of-this-test",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",  # RFC 7636, appendix B
            "code_challenge_method": "S256",
            **extra,
        }
        return f"{sandbox.issuer}/authorize?" + "&".join(
            f"{name}={quote(value, safe='')}" for name, value in parameters.items()
        )

    return make


@pytest.fixture
def tool() -> Callable[[str, str], Path]:
    """The path of an external program; fails with the command that installs it."""

    def find(name: str, package: str) -> Path:
        found = shutil.which(name)
        if found is None:
            pytest.fail(f"{name} is missing; install it: apt-get install {package}")
        return Path(found)

    return find
