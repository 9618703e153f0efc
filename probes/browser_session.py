"""One visit of the browser: a fresh context with one tab, what it may reach, and a bound on every call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
)

from probes.browser_errors import reason_of, reason_of_code, summary_of
from probes.egress_guard import Callback, Egress
from probes.login_pages_otp import OneTimeCodes
from probes.model import ProbeFailure, Reason
from probes.redact import Redactor

T = TypeVar("T")
_CONSOLE_KEPT = 100
_CONSOLE_LINE = 500


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What one visit needs. Times in seconds.

    `allowed_hosts` are lower-case `host` or `host:port` values: the issuer's host and the configured ones. The redirect
    URI's host need not be there: it is answered, never reached. `proxy` is an http:// or socks5:// URL.
    """

    allowed_hosts: frozenset[str]
    redact: Redactor
    proxy: str | None = field(default=None, repr=False)
    navigation_seconds: float = 30.0
    call_seconds: float = 10.0
    change_seconds: float = 8.0
    """How long a page may stay as it is after a submit before it counts as stuck."""


@dataclass(slots=True)
class Navigation:
    """How the newest navigation of the tab went. `url` has no query: it may hold a code."""

    status: int = 0
    error: str = ""
    url: str = ""
    media_type: str = ""
    """Of the answer, in lower case without parameters."""


class BrowserSession:
    """A visit. Made by `BrowserPool.session`; every method is bounded and raises ProbeFailure only."""

    def __init__(
        self, context: BrowserContext, page: Page, egress: Egress, options: SessionOptions, codes: OneTimeCodes
    ) -> None:
        self.context = context
        self.page = page
        self.egress = egress
        self.options = options
        self.one_time_codes = codes
        self.navigation = Navigation()
        self.certificate_expiry: float | None = None
        """UNIX seconds of the leaf certificate's notAfter, of the page that the newest `open` led to."""
        self.console: list[str] = []
        self.broken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        page.on("crash", lambda _: self.break_off("the tab crashed"))
        page.on("response", self._responded)
        page.on("requestfailed", self._failed)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._log("error", error.message))

    def break_off(self, why: str) -> None:
        """End whatever waits in this session: the browser is gone, and that is ours."""
        if not self.broken.done():
            self.broken.set_result(why)

    @contextmanager
    def expecting(self, redirect_uri: str) -> Iterator[asyncio.Future[Callback]]:
        """Within the block a request for this URI is answered by us; the future gives what it carried."""
        try:
            yield self.egress.expect(redirect_uri)
        finally:
            self.egress.waiting = None

    async def open(self, url: str) -> None:
        """Navigate and wait for the answer's first bytes; where it ended is in `navigation`.

        Raises ProbeFailure with the network's reason; an aborted navigation is not an error when the callback came.
        """
        self.navigation = Navigation()
        milliseconds = self.options.navigation_seconds * 1000
        try:
            answer = await self.bounded(
                self.page.goto(url, wait_until="commit", timeout=milliseconds), self.options.navigation_seconds + 1
            )
            certificate = await self.bounded(answer.security_details()) if answer else None
            self.certificate_expiry = certificate.get("validTo") if certificate else None
        except ProbeFailure:
            if self.egress.callback is None or not self.egress.callback.done():
                raise

    async def evaluate(self, script: str, argument: object = None, *, extra_seconds: float = 0.0) -> Any:
        """Run a script in the tab; None when a navigation took the page away meanwhile."""
        try:
            return await self._race(self.page.evaluate(script, argument), self.options.call_seconds + extra_seconds)
        except Error as error:
            if "context was destroyed" in error.message or "navigating" in error.message:
                return None
            raise self._failure(error) from None  # the chain would hold Playwright's call log

    async def bounded(self, call: Awaitable[T], seconds: float | None = None) -> T:
        """Await a Playwright call for so long at most; raises ProbeFailure for whatever goes wrong with it."""
        try:
            return await self._race(call, self.options.call_seconds if seconds is None else seconds)
        except Error as error:
            raise self._failure(error) from None  # the chain would hold Playwright's call log

    async def _race(self, call: Awaitable[T], seconds: float) -> T:
        task = asyncio.ensure_future(call)
        try:
            both: set[asyncio.Future[Any]] = {task, self.broken}
            await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if self.broken.done():
                raise ProbeFailure(Reason.PROBE_ERROR, self.broken.result())
            if not task.done():
                raise ProbeFailure(Reason.TIMEOUT, f"the page did not answer within {seconds:g} s")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
            elif not task.cancelled():
                task.exception()  # seen, so that asyncio does not report it as lost

    def _failure(self, error: Error) -> ProbeFailure:
        if blocked := self.blocked_navigation():
            return blocked
        return ProbeFailure(reason_of(error) or Reason.PROBE_ERROR, summary_of(error))

    def navigating(self) -> bool:
        """Whether the tab has asked for a document that has neither come nor failed."""
        document = self.egress.document
        return document is not None and document.status is None and not document.blocked

    def blocked_navigation(self) -> ProbeFailure | None:
        """The failure to report when the newest document was refused by the guard: the provider led elsewhere."""
        document = self.egress.document
        if document is None or document.blocked in {"", "callback"}:
            return None
        url = urlsplit(document.url)
        where = f"{url.scheme}://{url.hostname or ''}{url.path}"
        return ProbeFailure(Reason.BAD_RESPONSE, f"the provider led to {where}, which is not among the allowed hosts")

    def failed_navigation(self) -> ProbeFailure | None:
        """The failure to report when the newest navigation got no answer."""
        if not self.navigation.error:
            return None
        reason = reason_of_code(self.navigation.error) or Reason.BAD_RESPONSE
        return ProbeFailure(reason, f"{self.navigation.url}: {self.navigation.error}")

    def _is_navigation(self, request: Request) -> bool:
        return request.is_navigation_request() and request.frame == self.page.main_frame

    def _responded(self, response: Response) -> None:
        size = response.headers.get("content-length", "")
        self._complete(response.url, response.status, int(size) if size.isdecimal() else None)
        if self._is_navigation(response.request):
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            self.navigation = Navigation(response.status, url=response.url.partition("?")[0], media_type=kind)

    def _failed(self, request: Request) -> None:
        error = (request.failure or "").removeprefix("net::")
        if error != "ERR_ABORTED" and self._is_navigation(request):
            self.navigation = Navigation(error=error, url=request.url.partition("?")[0])

    def _complete(self, url: str, status: int, size: int | None) -> None:
        for record in reversed(self.egress.requests):
            if record.url == url and record.status is None:
                now = time.perf_counter() - self.egress.started
                record.status, record.size, record.seconds = status, size, now - record.at
                return

    def _said(self, message: ConsoleMessage) -> None:
        self._log(message.type, message.text)

    def _log(self, kind: str, text: str) -> None:
        if len(self.console) < _CONSOLE_KEPT:
            self.console.append(f"{kind}: {text[:_CONSOLE_LINE]}")
