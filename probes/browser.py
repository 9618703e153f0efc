"""Keeps one Chromium warm for all checks of an agent and gives each run a fresh, guarded, bounded visit."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, TypedDict, TypeVar
from urllib.parse import unquote, urlsplit

from playwright.async_api import BrowserContext, Error, ProxySettings, ViewportSize

from probes.browser_errors import summary_of
from probes.browser_events import BrowserObserver, RecycleReason, Unobserved
from probes.browser_launch import LaunchOptions, WarmBrowser, launch
from probes.browser_session import BrowserSession, SessionOptions
from probes.browser_trust import trust
from probes.egress_guard import Egress
from probes.login_pages_otp import OneTimeCodes
from probes.model import ProbeFailure, Reason

T = TypeVar("T")
_CLOSE_SECONDS = 5.0
_OPEN_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Limits of the pool. Ages in seconds, memory in bytes.

    A browser that has passed a limit finishes its sessions and takes no new ones. `ca_files` is the union of what the
    configured issuers need; Chromium knows one store for all its contexts.
    """

    launch: LaunchOptions = field(default_factory=LaunchOptions)
    ca_files: tuple[Path, ...] = ()
    max_contexts: int = 4
    max_age: float = 4 * 3600.0
    max_runs: int = 1000
    max_rss: int = 1536 * 1024 * 1024


class BrowserPool:
    """The browser of one agent: started by the first session, replaced when it is old, big or dead.

    Usage: `async with BrowserPool(options) as pool: async with pool.session(SessionOptions(...)) as session: ...`
    """

    def __init__(
        self,
        options: PoolOptions | None = None,
        observer: BrowserObserver | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._options = options or PoolOptions()
        self._observer: BrowserObserver = observer or Unobserved()
        self._environ = environ
        self._slots = asyncio.Semaphore(self._options.max_contexts)
        self._starting = asyncio.Lock()
        self._home: Path | None = None
        self._warm: WarmBrowser | None = None
        self._draining: set[WarmBrowser] = set()
        self._closers: set[asyncio.Task[None]] = set()
        self._sessions: dict[BrowserSession, WarmBrowser] = {}
        self._codes = OneTimeCodes()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End every browser and remove the private home directory. Bounded."""
        browsers = self._draining | ({self._warm} if self._warm else set())
        self._warm, self._draining = None, set()
        await asyncio.gather(*(warm.close() for warm in browsers), *self._closers, return_exceptions=True)
        if self._home is not None:
            await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)
            self._home = None

    @asynccontextmanager
    async def session(self, options: SessionOptions) -> AsyncIterator[BrowserSession]:
        """A fresh context with one tab, when one of the slots is free.

        Raises ProbeFailure(probe_error) when there is no browser to be had.
        """
        asked = time.monotonic()
        async with self._slots:
            self._observer.queued(time.monotonic() - asked)
            warm = await self._ready()
            warm.sessions += 1
            warm.runs += 1
            context: BrowserContext | None = None
            try:
                context = await _ours(warm.browser.new_context(**_context_options(options)))
                async with self._guarded(warm, context, options) as session:
                    yield session
            finally:
                await self._leave(warm, context)

    @asynccontextmanager
    async def _guarded(
        self, warm: WarmBrowser, context: BrowserContext, options: SessionOptions
    ) -> AsyncIterator[BrowserSession]:
        page = await _ours(context.new_page())
        egress = Egress(options.allowed_hosts)
        forget = await _ours(warm.guard.watch(await _ours(context.new_cdp_session(page)), egress))
        session = BrowserSession(context, page, egress, options, self._codes)
        self._sessions[session] = warm
        self._observer.contexts(len(self._sessions))
        try:
            yield session
        finally:
            forget()
            del self._sessions[session]
            self._observer.contexts(len(self._sessions))

    async def _ready(self) -> WarmBrowser:
        async with self._starting:
            if self._warm is not None and self._warm.alive:
                return self._warm
            if self._warm is not None:
                self._retire(self._warm)
            if self._home is None:
                home = Path(tempfile.mkdtemp(prefix="oidcwatch-browser-"))
                try:
                    await trust(home, self._options.ca_files)
                except ProbeFailure:
                    shutil.rmtree(home, ignore_errors=True)
                    raise
                self._home = home
            begun = time.monotonic()
            try:
                warm = await launch(self._options.launch, self._home, self._environ, self._disconnected)
            except ProbeFailure:
                self._observer.launch_failed()
                raise
            self._observer.launched(time.monotonic() - begun)
            self._warm = warm
            return warm

    def _disconnected(self) -> None:
        browsers = set(self._sessions.values()) | self._draining | ({self._warm} if self._warm else set())
        for warm in browsers:
            if not warm.browser.is_connected():
                self._ended(warm)

    def _ended(self, warm: WarmBrowser) -> None:
        """A browser or its driver is gone: wake its sessions, and say so once when nobody had closed it."""
        if warm.closing or warm.lost:
            return
        warm.lost = True
        self._observer.crashed()
        for session, owner in self._sessions.items():
            if owner is warm:
                session.break_off("the browser ended in the middle of the run")
        self._retire(warm)

    async def _leave(self, warm: WarmBrowser, context: BrowserContext | None) -> None:
        stuck = False
        try:
            if not await _closes(context) and warm.alive and not await warm.answers():
                self._ended(warm)
        except TimeoutError:
            stuck = True
        finally:
            warm.sessions -= 1
            if reason := self._worn(warm, stuck):
                self._observer.recycled(reason)
                self._retire(warm)
            elif warm in self._draining:
                self._retire(warm)

    def _worn(self, warm: WarmBrowser, stuck: bool) -> RecycleReason | None:
        if warm is not self._warm or not warm.alive:
            return None
        rss = warm.rss()
        self._observer.memory(rss)
        limits = (
            (stuck, RecycleReason.STUCK),
            (rss > self._options.max_rss, RecycleReason.MEMORY),
            (warm.runs >= self._options.max_runs, RecycleReason.RUNS),
            (time.monotonic() - warm.born >= self._options.max_age, RecycleReason.AGE),
        )
        return next((reason for passed, reason in limits if passed), None)

    def _retire(self, warm: WarmBrowser) -> None:
        """Give it no more sessions; close it when it has none."""
        if warm is self._warm:
            self._warm = None
        if warm.closing:
            return
        self._draining.add(warm)
        if warm.sessions == 0 or not warm.alive:
            self._draining.discard(warm)
            warm.closing = True
            task = asyncio.get_running_loop().create_task(warm.close())
            self._closers.add(task)
            task.add_done_callback(self._closers.discard)


async def _closes(context: BrowserContext | None) -> bool:
    """Close it. False when there is none, or the browser has gone with it; raises TimeoutError when it stays open."""
    if context is None:
        return False
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await context.close()
    except Error:
        return False
    return True


async def _ours(call: Awaitable[T]) -> T:
    """Await a call that concerns our browser only: whatever goes wrong is no evidence about the provider."""
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            return await call
    except TimeoutError:
        raise ProbeFailure(Reason.PROBE_ERROR, f"the browser did not answer within {_OPEN_SECONDS:g} s") from None
    except Error as error:
        raise ProbeFailure(Reason.PROBE_ERROR, f"the browser refused a session: {summary_of(error)}") from None


class _ContextOptions(TypedDict, total=False):
    proxy: ProxySettings
    locale: str
    service_workers: Literal["block"]
    viewport: ViewportSize
    accept_downloads: bool


def _context_options(options: SessionOptions) -> _ContextOptions:
    wanted = _ContextOptions(
        locale="en-US",  # the phrases of login_pages are English
        service_workers="block",  # they would fetch behind the tab's back
        viewport={"width": 1024, "height": 768},
        accept_downloads=False,
    )
    if options.proxy:
        wanted["proxy"] = _proxy(options.proxy)
    return wanted


def _proxy(url: str) -> ProxySettings:
    parts = urlsplit(url)
    settings = ProxySettings(server=f"{parts.scheme}://{parts.hostname}:{parts.port or 80}")
    if parts.username:
        settings["username"] = unquote(parts.username)
        settings["password"] = unquote(parts.password or "")
    return settings
