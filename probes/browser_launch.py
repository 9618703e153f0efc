"""Starts one Chromium with its guard, watches over it, and ends it with certainty."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Error, Playwright, async_playwright

from probes.browser_errors import summary_of
from probes.browser_processes import rss_bytes, tree
from probes.egress_guard import CDP_SECONDS, EgressGuard
from probes.model import ProbeFailure, Reason

INSTALL_BROWSER = "apt-get install chromium-headless-shell   (or: playwright install chromium)"
_CLOSE_SECONDS = 5.0
_CANDIDATES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

_ARGUMENTS = (
    "--disable-quic",  # a proxy for regions carries TCP only
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers give 64 MiB
    "--dns-prefetch-disable",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-breakpad",
    "--no-first-run",
    "--no-pings",
    "--safebrowsing-disable-auto-update",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)
# What the browser may know of our environment: nothing that could be a secret, no proxy of the host.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "FONTCONFIG_PATH", "FONTCONFIG_FILE", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How a browser is started. `no_sandbox` None means: only where Chromium demands it, as root."""

    executable: Path | None = None
    no_sandbox: bool | None = None
    seconds: float = 30.0
    extra_arguments: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class WarmBrowser:
    """A running browser and the driver that speaks to it. `sessions` and `runs` are kept by the pool."""

    playwright: Playwright
    browser: Browser
    guard: EgressGuard
    pid: int
    born: float = field(default_factory=time.monotonic)
    runs: int = 0
    sessions: int = 0
    lost: bool = False
    """It ended, or its driver did, without being told to."""
    closing: bool = False

    @property
    def alive(self) -> bool:
        """Whether it can still take work."""
        return not self.closing and not self.lost and self.browser.is_connected()

    async def answers(self) -> bool:
        """Asks the browser for a sign of life: when its driver dies, Playwright tells nobody and calls it connected."""
        try:
            async with asyncio.timeout(CDP_SECONDS):
                await (await self.browser.new_browser_cdp_session()).detach()
        except (Error, TimeoutError):
            return False
        return True

    def rss(self) -> int:
        """Resident bytes of the browser's process tree."""
        return rss_bytes(self.pid)

    async def close(self) -> None:
        """End browser and driver; what does not end within 5 s is killed."""
        self.closing = True
        members = tree(self.pid)
        with contextlib.suppress(Error, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.browser.close()
        _kill(members)
        await _stop(self.playwright)


def executable(options: LaunchOptions, which: Callable[[str], str | None] = shutil.which) -> str | None:
    """The browser to start: the configured one, else the first of Debian's names; None means Playwright's own."""
    if options.executable is not None:
        return str(options.executable)
    return next((path for name in _CANDIDATES if (path := which(name))), None)


def arguments(options: LaunchOptions, *, root: bool) -> list[str]:
    """Chromium's command line beyond what Playwright gives."""
    without = root if options.no_sandbox is None else options.no_sandbox
    return [*_ARGUMENTS, *(["--no-sandbox"] if without else []), *options.extra_arguments]


async def launch(
    options: LaunchOptions, home: Path, environ: Mapping[str, str], on_end: Callable[[], None]
) -> WarmBrowser:
    """Start a browser with `home` as its home directory; `on_end` is called once when it ends for any reason.

    Raises ProbeFailure(probe_error) that says what to install.
    """
    try:
        async with asyncio.timeout(options.seconds):
            playwright = await async_playwright().start()
            try:
                return await _start(playwright, options, home, environ, on_end)
            except BaseException:
                await _stop(playwright)  # with it goes whatever browser it has started
                raise
    except (Error, TimeoutError, OSError) as error:
        said = summary_of(error) if isinstance(error, Error) else f"not up within {options.seconds:g} s"
        raise ProbeFailure(
            Reason.PROBE_ERROR, f"the browser could not be started ({said}); install one: {INSTALL_BROWSER}"
        ) from None


async def _start(
    playwright: Playwright, options: LaunchOptions, home: Path, environ: Mapping[str, str], on_end: Callable[[], None]
) -> WarmBrowser:
    environment: dict[str, str | float | bool] = {name: environ[name] for name in _ENVIRONMENT if name in environ}
    browser = await playwright.chromium.launch(
        executable_path=executable(options),
        args=arguments(options, root=os.geteuid() == 0),
        env={**environment, "HOME": str(home)},
        handle_sigint=False,  # the agent decides when its browser ends
        handle_sigterm=False,
        handle_sighup=False,
        timeout=options.seconds * 1000,
    )
    browser.on("disconnected", lambda _: on_end())
    return WarmBrowser(playwright, browser, await EgressGuard.start(browser), await _pid(browser))


async def _pid(browser: Browser) -> int:
    cdp = await browser.new_browser_cdp_session()
    async with asyncio.timeout(CDP_SECONDS):
        processes = (await cdp.send("SystemInfo.getProcessInfo"))["processInfo"]
        await cdp.detach()
    return next(int(process["id"]) for process in processes if process["type"] == "browser")


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


async def _stop(playwright: Playwright) -> None:
    with contextlib.suppress(Error, TimeoutError, OSError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await playwright.stop()
