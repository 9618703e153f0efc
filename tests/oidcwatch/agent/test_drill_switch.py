"""The drill switch: what it is asked for, when a drill ends, and whose a run is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporters.pages import DrillError
from oidcwatch.drill_switch import DrillSwitch

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Changes:
    """A switch for two issuers, and how often the set of drills has changed."""

    def __init__(self) -> None:
        self.count = 0
        self.twice = asyncio.Event()
        self.known = {"acme", "globex"}
        self.switch = DrillSwitch(lambda: NOW, lambda: self.known, self.changed)

    def changed(self) -> None:
        self.count += 1
        if self.count == 2:
            self.twice.set()


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def switch(changes: Changes) -> DrillSwitch:
    return changes.switch


async def test_a_drill_lasts_an_hour_when_nothing_is_said(switch: DrillSwitch) -> None:
    answer = switch.ask("acme", "on")

    assert switch.issuers == {"acme"}
    assert switch.ends() == {"acme": NOW + timedelta(hours=1)}
    assert answer == "drill on acme until 2026-03-01 13:00:00 UTC"


async def test_a_drill_ends_by_itself(switch: DrillSwitch, changes: Changes) -> None:
    switch.ask("acme", "on", "10ms")

    await asyncio.wait_for(changes.twice.wait(), 10)

    assert switch.issuers == frozenset()


async def test_a_drill_that_is_on_can_be_given_another_end(switch: DrillSwitch, changes: Changes) -> None:
    switch.ask("acme", "on", "10ms")

    switch.ask("acme", "on", "2h")
    await asyncio.sleep(0.05)

    assert switch.ends() == {"acme": NOW + timedelta(hours=2)}
    assert changes.count == 1


async def test_switching_off_what_is_not_on_changes_nothing(switch: DrillSwitch, changes: Changes) -> None:
    assert switch.ask("acme", "off") == "no drill on acme"

    assert changes.count == 0


async def test_a_drill_can_be_ended_after_its_issuer_has_left_the_configuration(
    switch: DrillSwitch, changes: Changes
) -> None:
    switch.ask("acme", "on")
    changes.known = {"globex"}

    switch.ask("acme", "off")

    assert switch.issuers == frozenset()


@pytest.mark.parametrize(
    ("issuer", "state", "length", "allowed"),
    [
        ("initech", "on", "", "issuer: expected one of acme, globex"),
        ("acme", "yes", "", "state: expected on or off"),
        ("acme", "on", "a while", "for: expected a duration like 20m, at most 1d"),
        ("acme", "on", "0s", "for: expected a duration like 20m, at most 1d"),
        ("acme", "on", "25h", "for: expected a duration like 20m, at most 1d"),
        ("acme", "on", "999999999999y", "for: expected a duration like 20m, at most 1d"),
    ],
)
async def test_a_bad_request_is_refused_with_what_is_allowed(
    switch: DrillSwitch, issuer: str, state: str, length: str, allowed: str
) -> None:
    with pytest.raises(DrillError, match=f"^{allowed}$"):
        switch.ask(issuer, state, length)

    assert switch.issuers == frozenset()


async def test_a_run_apart_from_every_drill_is_real(switch: DrillSwitch) -> None:
    switch.ask("acme", "on")
    switch.ask("acme", "off")

    drilled = switch.overlap("acme")

    assert not drilled()


@pytest.mark.parametrize(
    ("before", "during"),
    [
        (("on",), ()),
        (("on",), ("off",)),
        ((), ("on",)),
        ((), ("on", "off")),
        (("on",), ("off", "on", "off")),
    ],
    ids=["within", "begun before", "ended after", "around a whole one", "between two"],
)
async def test_a_run_that_overlaps_a_drill_is_the_drills(
    switch: DrillSwitch, before: tuple[str, ...], during: tuple[str, ...]
) -> None:
    for state in before:
        switch.ask("acme", state)
    drilled = switch.overlap("acme")

    for state in during:
        switch.ask("acme", state)

    assert drilled()


async def test_a_drill_on_one_issuer_leaves_the_others_runs_alone(switch: DrillSwitch) -> None:
    drilled = switch.overlap("globex")

    switch.ask("acme", "on")

    assert not drilled()


@pytest.mark.process
def test_an_agent_under_drill_counts_failures_for_the_drill_and_goes_back_after_it(bench: Any) -> None:
    def runs(agent: Any, result: str, drill: str) -> Any:
        return agent.metric("oidc_probe_runs_total", probe="discovery", result=result, drill=drill)

    with bench.agent(bench.document("discovery")) as agent:
        agent.until(lambda: runs(agent, "success", "false"))
        assert agent.get("/-/drill?issuer=sandbox&state=on", method="POST")[0] == 200
        bench.sandbox.control.fault("discovery-wrong-issuer")
        agent.until(lambda: runs(agent, "failure", "true"))
        agent.get("/-/reload", method="POST")
        failed = runs(agent, "failure", "true")
        agent.until(lambda: runs(agent, "failure", "true") > failed)
        good = runs(agent, "success", "false")

        bench.sandbox.control.clear()
        agent.get("/-/drill?issuer=sandbox&state=off", method="POST")

        agent.until(lambda: runs(agent, "success", "false") > good)
        assert runs(agent, "failure", "false") == 0
        assert runs(agent, "failure", "true") is None
