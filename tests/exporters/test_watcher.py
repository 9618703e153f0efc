"""The watcher's own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from exporters import metrics as m
from exporters.watcher import AgentMetrics, BrowserMetrics
from probes.browser_events import BrowserObserver, RecycleReason

if TYPE_CHECKING:
    from tests.exporters.conftest import SetClock


@pytest.fixture
def agent(registry: CollectorRegistry) -> AgentMetrics:
    return AgentMetrics(registry, version="0.1.0", python="3.11.2")


def test_the_build_is_named(agent: AgentMetrics, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value(m.BUILD_INFO.name, {"version": "0.1.0", "python": "3.11.2"}) == 1


def test_lateness_and_runs_in_flight_are_counted(agent: AgentMetrics, registry: CollectorRegistry) -> None:
    agent.run_started(0.02)
    agent.run_started(-0.001)
    agent.run_ended()
    agent.runs_missed(3)

    assert registry.get_sample_value(m.LATENESS.name + "_count") == 2
    assert registry.get_sample_value(m.LATENESS.name + "_sum") == 0.02
    assert registry.get_sample_value(m.IN_FLIGHT.name) == 1
    assert registry.get_sample_value(m.MISSED.name) == 3


def test_a_refused_configuration_keeps_the_time_of_the_last_good_one(
    agent: AgentMetrics, registry: CollectorRegistry, clock: SetClock
) -> None:
    agent.config_loaded(clock())

    agent.config_loaded(None)

    assert registry.get_sample_value(m.RELOAD_OK.name) == 0
    assert registry.get_sample_value(m.RELOAD_TIME.name) == clock().timestamp()


def test_what_happens_to_the_browser_is_counted(registry: CollectorRegistry) -> None:
    browser: BrowserObserver = BrowserMetrics(registry)

    browser.launched(1.5)
    browser.launch_failed()
    browser.recycled(RecycleReason.MEMORY)
    browser.crashed()
    browser.contexts(2)
    browser.queued(0.2)
    browser.memory(150_000_000)

    assert registry.get_sample_value(m.BROWSER_LAUNCHES.name) == 1
    assert registry.get_sample_value(m.BROWSER_LAUNCH_TIME.name + "_sum") == 1.5
    assert registry.get_sample_value(m.BROWSER_LAUNCH_FAILURES.name) == 1
    recycles = {
        reason: registry.get_sample_value(m.BROWSER_RECYCLES.name, {"reason": reason}) for reason in RecycleReason
    }
    assert recycles == {reason: float(reason is RecycleReason.MEMORY) for reason in RecycleReason}
    assert registry.get_sample_value(m.BROWSER_CRASHES.name) == 1
    assert registry.get_sample_value(m.BROWSER_CONTEXTS.name) == 2
    assert registry.get_sample_value(m.BROWSER_QUEUE.name + "_sum") == 0.2
    assert registry.get_sample_value(m.BROWSER_RSS.name) == 150_000_000


def test_artifacts_that_cannot_be_stored_are_counted(agent: AgentMetrics, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value(m.ARTIFACT_FAILURES.name) == 0

    agent.artifact_failed()

    assert registry.get_sample_value(m.ARTIFACT_FAILURES.name) == 1
