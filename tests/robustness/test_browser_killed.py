"""The browser, or the driver that speaks to it, is killed in the middle of a login."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.process


def _slow_next_page(bench: Any) -> None:
    bench.sandbox.control.proxy_rules([{"path": "^/authorize$", "kind": "delay", "seconds": 3, "times": 1}])


def _alive(pids: set[int]) -> Iterator[int]:
    """Those that still exist, zombies included."""
    return (pid for pid in pids if Path(f"/proc/{pid}").exists())


@pytest.mark.parametrize("victim", ["browsers", "drivers"])
def test_a_kill_in_the_middle_excludes_that_run_and_the_next_one_succeeds(
    bench: Any, temporary: Path, victim: str
) -> None:
    with bench.agent(bench.document("login")) as agent:
        agent.until(lambda: agent.runs("success") and agent.metric("oidcwatch_runs_in_flight") == 0)
        seen = set(agent.family())
        _slow_next_page(bench)
        agent.again()
        agent.until(lambda: agent.metric("oidcwatch_browser_contexts_open") == 1)

        os.kill(getattr(agent, victim)()[0], signal.SIGKILL)

        agent.until(lambda: agent.runs("excluded") == 1)
        assert agent.metric("oidc_probe_failures_total", reason="probe_error") == 1
        agent.again()
        agent.until(lambda: agent.runs("success") == 2)
        assert agent.runs("failure") == 0
        assert agent.metric("oidcwatch_browser_crashes_total") == 1
        assert agent.metric("oidcwatch_browser_launches_total") == 2
        seen |= set(agent.family())
        assert agent.stop() == 0
        agent.until(lambda: not list(_alive(seen)), 10)  # orphans are reaped by process 1
        assert list(temporary.glob("oidcwatch-*")) == []


def test_a_browser_killed_between_two_runs_costs_no_run(bench: Any) -> None:
    with bench.agent(bench.document("login")) as agent:
        agent.until(lambda: agent.runs("success") and agent.metric("oidcwatch_runs_in_flight") == 0)

        os.kill(agent.browsers()[0], signal.SIGKILL)
        agent.again()

        agent.until(lambda: agent.runs("success") == 2)
        assert agent.runs("excluded") == agent.runs("failure") == 0
        assert agent.metric("oidcwatch_browser_crashes_total") == 1


def test_a_killed_agent_takes_its_browser_along(bench: Any) -> None:
    with bench.agent(bench.document("login")) as agent:
        agent.until(lambda: agent.runs("success"))
        seen = set(agent.family())

        agent.process.kill()

        agent.process.wait(10)
        agent.until(lambda: not list(_alive(seen)), 10)
