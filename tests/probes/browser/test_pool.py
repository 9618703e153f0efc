"""The pool: one warm browser, its limits, and what happens when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from probes.browser import BrowserPool, PoolOptions
from probes.browser_events import RecycleReason
from probes.browser_launch import LaunchOptions
from probes.browser_processes import rss_bytes, tree
from probes.browser_session import SessionOptions
from probes.model import ProbeFailure, Reason

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("browser_there")]


@dataclass(slots=True)
class Seen:
    """An observer that remembers."""

    launches: int = 0
    failures: int = 0
    crashes: int = 0
    recycles: list[RecycleReason] = field(default_factory=list)
    open: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    rss: list[int] = field(default_factory=list)

    def launched(self, seconds: float) -> None:
        self.launches += 1

    def launch_failed(self) -> None:
        self.failures += 1

    def recycled(self, reason: RecycleReason) -> None:
        self.recycles.append(reason)

    def crashed(self) -> None:
        self.crashes += 1

    def contexts(self, count: int) -> None:
        self.open.append(count)

    def queued(self, seconds: float) -> None:
        self.waits.append(seconds)

    def memory(self, rss_bytes: int) -> None:
        self.rss.append(rss_bytes)


def chromiums() -> list[int]:
    """Our descendants that are browsers."""
    found = []
    for pid in tree(os.getpid()):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"chrom" in command.partition(b"\0")[0] and b"--type=" not in command:
            found.append(pid)
    return found


def homes(where: Path) -> list[Path]:
    return list(where.glob("oidcwatch-browser-*"))


def environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_the_browser_starts_with_the_first_session_and_stays_warm(options: SessionOptions) -> None:
    seen = Seen()
    async with BrowserPool(observer=seen) as pool:
        before = seen.launches

        for _ in range(3):
            async with pool.session(options):
                pass

    assert (before, seen.launches) == (0, 1)
    assert seen.open == [1, 0] * 3
    assert min(seen.rss) > 20 * 1024 * 1024


async def test_closing_the_pool_leaves_no_process_and_no_directory(
    options: SessionOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pool = BrowserPool()
    async with pool.session(options):
        during = chromiums(), homes(tmp_path)

    await pool.close()

    assert len(during[0]) == 1
    assert len(during[1]) == 1
    assert chromiums() == []
    assert homes(tmp_path) == []


async def test_a_browser_killed_in_the_middle_is_ours_and_the_next_session_has_a_new_one(
    options: SessionOptions, site: Any
) -> None:
    seen = Seen()
    site.on("GET /", "<p>here</p>")
    async with BrowserPool(observer=seen) as pool:
        async with pool.session(options) as session:
            waiting = asyncio.create_task(session.evaluate("() => new Promise(() => 0)"))
            await asyncio.sleep(0.2)
            for pid in chromiums():
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(ProbeFailure) as broken:
                await waiting
        async with pool.session(options) as session:
            await session.open(f"{site.url}/")

    assert broken.value.reason is Reason.PROBE_ERROR
    assert (seen.crashes, seen.launches) == (1, 2)
    assert site.hits == ["GET /"]


async def test_a_killed_browser_ends_a_login_as_ours(
    options: SessionOptions, visit: Callable[..., Coroutine[Any, Any, Any]], site: Any
) -> None:
    site.on("GET /authorize", "<p>Please wait</p>")
    async with BrowserPool() as pool, pool.session(options) as session:
        login = asyncio.create_task(visit(pool, f"{site.url}/authorize", session=session))
        await asyncio.sleep(0.8)
        for pid in chromiums():
            os.kill(pid, signal.SIGKILL)

        done = await login

    assert done.failure.reason is Reason.PROBE_ERROR


async def test_no_more_sessions_than_slots_and_the_others_wait(options: SessionOptions) -> None:
    seen = Seen()
    async with BrowserPool(PoolOptions(max_contexts=2), seen) as pool:

        async def use() -> None:
            async with pool.session(options):
                await asyncio.sleep(0.2)

        await asyncio.gather(*(use() for _ in range(5)))

    assert max(seen.open) == 2
    assert len([wait for wait in seen.waits if wait > 0.1]) == 3


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (PoolOptions(max_runs=2), RecycleReason.RUNS),
        (PoolOptions(max_age=0.0), RecycleReason.AGE),
        (PoolOptions(max_rss=1), RecycleReason.MEMORY),
    ],
)
async def test_a_worn_browser_is_replaced(options: SessionOptions, limits: PoolOptions, reason: RecycleReason) -> None:
    seen = Seen()
    async with BrowserPool(limits, seen) as pool:
        for _ in range(3):
            async with pool.session(options):
                pass

    assert set(seen.recycles) == {reason}
    assert seen.launches == {RecycleReason.RUNS: 2}.get(reason, 3)
    assert seen.crashes == 0


async def test_a_worn_browser_finishes_its_other_sessions_first(options: SessionOptions, site: Any) -> None:
    site.on("GET /", "<p>here</p>")
    async with BrowserPool(PoolOptions(max_runs=2)) as pool, pool.session(options) as first:
        async with pool.session(options):
            pass
        async with pool.session(options) as third:
            await third.open(f"{site.url}/")

        await first.open(f"{site.url}/")

    assert len(site.hits) == 2


async def test_a_cancelled_session_gives_its_slot_back(options: SessionOptions) -> None:
    async with BrowserPool(PoolOptions(max_contexts=1)) as pool:

        async def hold() -> None:
            async with pool.session(options):
                await asyncio.sleep(60)

        task = asyncio.create_task(hold())
        await asyncio.sleep(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        async with asyncio.timeout(20), pool.session(options) as session:
            assert session.page.url == "about:blank"


async def test_without_a_browser_the_error_says_what_to_install(options: SessionOptions) -> None:
    seen = Seen()
    missing = LaunchOptions(executable=Path("/nowhere/chromium"))
    async with BrowserPool(PoolOptions(launch=missing), seen) as pool:
        with pytest.raises(ProbeFailure, match="apt-get install chromium-headless-shell") as refused:
            async with pool.session(options):
                pass

    assert refused.value.reason is Reason.PROBE_ERROR
    assert seen.failures == 1


async def test_the_browser_knows_nothing_of_our_environment(options: SessionOptions) -> None:
    environ = {**os.environ, "PORTAL_SECRET": "canary-in-the-environment", "HTTPS_PROXY": "http://127.0.0.1:9"}
    async with BrowserPool(environ=environ) as pool, pool.session(options):
        environments = [environment(pid) for pid in chromiums()]

    assert environments
    assert not [env for env in environments if b"canary" in env or b"HTTPS_PROXY" in env]


def test_the_memory_of_a_process_that_is_gone_is_zero() -> None:
    assert rss_bytes(2**22 + 1) == 0
