"""A reload that gives an issuer another URL: from then on the agent knows the new provider only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporters.ledger import KEYS, stored_ledger
from exporters.sqlite_file import StoreError
from probes.subjects import Issuer
from sandbox.launch import Sandbox, start_sandbox

pytestmark = pytest.mark.process


@pytest.fixture
def moved_to() -> Iterator[Sandbox]:
    """Another provider, with keys of its own."""
    with start_sandbox() as sandbox:
        yield sandbox


def kids_at(sandbox: Sandbox) -> set[str]:
    """Published there now."""
    answer = httpx.get(f"{sandbox.issuer}/jwks", timeout=10, trust_env=False)
    return {key["kid"] for key in answer.json()["keys"]}


def kids_in_the_ledger(data_dir: Path, url: str) -> set[str]:
    """Empty before there is one."""
    try:
        keys = stored_ledger(data_dir / KEYS, Issuer("sandbox", url)).keys.values()
    except StoreError:
        return set()
    return {record.facts.kid for record in keys}


@pytest.fixture
def reloaded(bench: Any, moved_to: Sandbox) -> Callable[[dict[str, Any]], AbstractContextManager[Any]]:
    """Gives the agent once it has looked at the new provider; at the reload one run was under way and one waited."""

    @contextmanager
    def after(fault: dict[str, Any]) -> Iterator[Any]:
        bench.sandbox.control.proxy_rules([{"path": "^/", **fault}])
        document = bench.document("discovery", "jwks", every="4s", max_runs_at_once=1, start_spread="10ms")
        with bench.agent(document) as agent:
            agent.until(lambda: agent.metric("oidcwatch_runs_in_flight") == 1)
            document["issuers"][0]["url"] = moved_to.issuer
            agent.write(document)
            assert agent.get("/-/reload", method="POST")[0] == 200
            agent.until(lambda: agent.metric("oidc_probe_runs_total", probe="discovery", result="success"))
            agent.until(lambda: kids_in_the_ledger(bench.folder / "data", moved_to.issuer))
            yield agent

    return after


def test_runs_of_the_old_provider_leave_nothing_to_the_new_one(reloaded: Any, bench: Any, moved_to: Sandbox) -> None:
    with reloaded({"kind": "delay", "seconds": 1.5}) as agent:
        assert kids_in_the_ledger(bench.folder / "data", moved_to.issuer) == kids_at(moved_to)
        assert [agent.metric("oidc_rotation_finding_level", finding=row) for row in ("ROT-02", "ROT-07")] == [0, 0]


def test_runs_of_the_old_provider_are_not_told_as_the_new_one_s(reloaded: Any) -> None:
    with reloaded({"kind": "hang"}) as agent:
        assert agent.metric("oidc_probe_failures_total") == 0
