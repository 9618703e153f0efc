"""Too few file descriptors, a machine that was suspended, more work than fits: bounded, counted, over afterwards."""

from __future__ import annotations

import os
import re
import resource
import signal
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.process

_MIB = 1024 * 1024


def test_runs_that_lack_file_descriptors_are_excluded_and_the_agent_recovers(bench: Any) -> None:
    with bench.agent(bench.document("discovery", "jwks", "client_credentials")) as agent:
        for probe in ("discovery", "jwks", "client_credentials"):
            agent.until(lambda probe=probe: agent.runs("success", probe=probe))
        agent.until(lambda: agent.metric("oidcwatch_runs_in_flight") == 0)

        # Meanwhile the pages are out of reach as well, so the log is asked.
        soft, hard = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{agent.pid}/fd")), hard))
        try:
            agent.until(lambda: len(re.findall("probe_error: .*Too many open files", agent.logged())) >= 3)
        finally:
            resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (soft, hard))

        agent.until(agent.more("success", 3))
        assert agent.runs("excluded") >= 3
        assert agent.runs("failure") == 0, agent.logged()


def test_a_suspended_machine_misses_runs_counts_them_and_does_not_catch_up(bench: Any) -> None:
    with bench.agent(bench.document("discovery")) as agent:
        agent.until(agent.more("success", 2))
        begun, runs = time.monotonic(), agent.runs("success")

        os.kill(agent.pid, signal.SIGSTOP)
        time.sleep(5)
        os.kill(agent.pid, signal.SIGCONT)

        agent.until(agent.more("success", 4))
        due = time.monotonic() - begun + 2
        missed = agent.metric("oidcwatch_runs_missed_total")
        assert missed >= 3
        assert agent.runs("success") - runs + missed <= due  # one run a second, made or missed: no burst
        assert agent.runs("failure") == agent.runs("excluded") == 0


def test_200_checks_of_a_provider_that_hangs_stay_within_bounds(bench: Any) -> None:
    bench.sandbox.control.proxy_rules([{"path": "openid-configuration$", "kind": "hang"}])
    document = bench.document(agent={"max_runs_at_once": 20, "drain": "1s"})
    document["issuers"] = [bench.issuer(f"tenant-{n}", "discovery", every="3s") for n in range(200)]
    with bench.agent(document) as agent:
        base = _resident(agent.pid)
        agent.until(lambda: agent.metric("oidcwatch_runs_in_flight") == 20)
        in_flight = set()

        def watched() -> bool:
            in_flight.add(agent.metric("oidcwatch_runs_in_flight"))
            return bool(agent.runs("failure") >= 60)

        agent.until(watched)

        assert max(in_flight) == 20
        assert agent.metric("oidc_probe_failures_total", reason="timeout") >= 60
        late = agent.metric("oidcwatch_schedule_lateness_seconds_count") - agent.metric(
            "oidcwatch_schedule_lateness_seconds_bucket", le="2.5"
        )
        assert late > 20  # of each further twenty
        assert agent.metric("oidcwatch_runs_missed_total") > 0
        assert _resident(agent.pid) - base < 100 * _MIB
        assert len(os.listdir(f"/proc/{agent.pid}/fd")) < 80
        assert agent.stop() == 0
        assert "were cancelled" in agent.logged()


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()
