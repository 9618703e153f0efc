"""Agents that are told of a drill: one that cannot be reached holds up no other drill, and is no secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from drills.driver import Ready
from drills.journal import Entry, Log, read_log
from drills.plan import NotReady
from drills.record import Verdict
from drills.scenarios import SCENARIOS

pytestmark = pytest.mark.process

Range = Any  # of the conftest, which tests cannot import


@dataclass
class Agents:
    """Two agents, of which the second cannot be reached."""

    told: list[bool] = field(default_factory=list)
    lost: frozenset[bool] = frozenset({True, False})
    """What the second one cannot be told."""

    def tell(self, on: bool) -> tuple[Ready, ...]:
        self.told.append(on)
        second = Ready("agent second", False, "refused") if on in self.lost else Ready("agent second", True, "told")
        return Ready("agent first", True, "told"), second


@pytest.fixture
def refused(range_: Range) -> Callable[[Agents], Log]:
    """What the journal of a drill says that did not begin for its agents."""

    def run(agents: Agents) -> Log:
        plan = range_.plan(SCENARIOS["zero-lead"], ("go-oidc",), tell_agents=agents.tell)
        with pytest.raises(NotReady, match="agent second: refused"):
            range_.run(plan)
        return read_log(plan.journal.folder)

    return run


def test_agents_are_freed_at_once_when_one_of_them_keeps_a_drill_from_its_start(
    refused: Callable[[Agents], Log],
) -> None:
    agents = Agents()

    log = refused(agents)

    assert agents.told == [True, False]
    assert not log.agents_told
    assert not log.unfinished


def test_an_agent_that_was_never_reached_does_not_hold_up_the_next_drill(
    range_: Range, refused: Callable[[Agents], Log]
) -> None:
    refused(Agents())

    drilled = range_.run(range_.plan(SCENARIOS["zero-lead"], ("go-oidc",)))

    assert drilled.record.verdict is Verdict.PASS, drilled.record.because


def test_an_agent_that_took_the_drill_and_cannot_be_freed_is_named(range_: Range) -> None:
    agents = Agents(lost=frozenset({False}))

    log = range_.run(range_.plan(SCENARIOS["zero-lead"], ("go-oidc",), tell_agents=agents.tell)).log

    assert log.agents_told
    assert log.agents_left == "agent second: refused"
    assert (log.took("agent first"), log.took("agent second")) == (False, True)
    assert log.last(Entry.AGENTS_FREED) is None
