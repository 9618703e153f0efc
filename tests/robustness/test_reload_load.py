"""A hundred reloads under load, in this very process, where tasks, descriptors and series can be counted."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from oidcwatch.agent import Agent
from oidcwatch.config import load
from oidcwatch.schedule import Schedule
from probes.redact import Redactor

pytestmark = pytest.mark.process


@asynccontextmanager
async def _serving(path: Path, environ: dict[str, str]) -> AsyncIterator[Agent]:
    agent = Agent(load(path, environ), lambda: load(path, environ), Redactor(), environ=environ)
    ready = asyncio.Event()
    serving = asyncio.create_task(agent.serve(ready=lambda url: ready.set()))
    await ready.wait()
    try:
        yield agent
    finally:
        agent.stop()
        await serving


async def _until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(40):
        while not what():  # noqa: ASYNC110 - a metric raises no event
            await asyncio.sleep(0.1)


def _value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def _series(registry: CollectorRegistry) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in registry.collect()
        for sample in family.samples
    }  # fmt: skip


async def _numbers(agent: Agent) -> dict[str, int]:
    """What a leak would raise, at a moment without runs."""
    await _until(lambda: _value(agent.registry, "oidcwatch_runs_in_flight") == 0)
    # A login that was cancelled closes its context behind itself.
    await _until(lambda: _value(agent.registry, "oidcwatch_browser_contexts_open") == 0)
    await asyncio.sleep(0.3)  # connections that were aborted a moment ago
    gc.collect()
    return {
        "tasks": len(asyncio.all_tasks()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "series": len(_series(agent.registry)),
        "contexts": int(_value(agent.registry, "oidcwatch_browser_contexts_open")),
        "launches": int(_value(agent.registry, "oidcwatch_browser_launches_total")),
        "schedules": sum(isinstance(thing, Schedule) for thing in gc.get_objects()),
    }


async def test_a_hundred_reloads_leave_nothing_behind(bench: Any, tmp_path: Path) -> None:
    kinds = ("discovery", "jwks", "client_credentials", "login", "refresh")
    full, small = bench.document(*kinds), bench.document("discovery", every="2s")
    quiet = bench.document(*kinds, every="60s")
    path = tmp_path / "oidcwatch.yaml"
    path.write_text(yaml.safe_dump(full))
    async with _serving(path, bench.environ) as agent:
        for kind in kinds:
            await _until(partial(_value, agent.registry, "oidc_probe_runs_total", probe=kind, result="success"))
        # The files of the history and of the ledger are opened when there is something to write, and then stay open.
        await _until(lambda: all((bench.folder / "data" / name).exists() for name in ("runs.sqlite", "keys.sqlite")))
        path.write_text(yaml.safe_dump(quiet))
        await agent.reload()
        before, series = await _numbers(agent), _series(agent.registry)

        for turn in range(100):
            path.write_text(yaml.safe_dump((full, small)[turn % 2]))
            await agent.reload()
            await asyncio.sleep(0.05)
        assert not any('"jwks"' in str(labels) for _, labels in _series(agent.registry))
        path.write_text(yaml.safe_dump(quiet))
        await agent.reload()
        await _until(lambda: _value(agent.registry, "oidc_probe_runs_total", probe="login", result="success"))
        after = await _numbers(agent)

        assert after["contexts"] == 0
        assert after["launches"] == before["launches"] == 1
        assert after["schedules"] == before["schedules"]
        assert after["tasks"] <= before["tasks"] + 2
        assert after["descriptors"] <= before["descriptors"] + 5
        gone = {name for name, _ in series} - {name for name, _ in _series(agent.registry)}
        assert after["series"] <= before["series"], gone
