"""The keys that a drill removes fail the drill's runs, and none of those that follow."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.process
def test_a_key_removed_by_a_drill_fails_no_run_after_it_though_its_tokens_are_still_valid(bench: Any) -> None:
    def runs(agent: Any, result: str, drill: str, probe: str = "jwks") -> Any:
        return agent.metric("oidc_probe_runs_total", probe=probe, result=result, drill=drill) or 0

    with bench.agent(bench.document("jwks", "client_credentials")) as agent:
        agent.until(lambda: runs(agent, "success", "false") and runs(agent, "success", "false", "client_credentials"))
        agent.get("/-/drill?issuer=sandbox&state=on", method="POST")
        bench.sandbox.control.rotate("abrupt", alg="RS256")
        agent.until(lambda: runs(agent, "failure", "true"))

        agent.get("/-/drill?issuer=sandbox&state=off", method="POST")

        good = runs(agent, "success", "false")
        agent.until(lambda: runs(agent, "success", "false") > good + 2)
        assert runs(agent, "failure", "false") == 0
