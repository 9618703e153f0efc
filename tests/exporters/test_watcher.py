"""The watcher's own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from exporters import metrics as m
from exporters.watcher import WatcherMetrics

if TYPE_CHECKING:
    from tests.exporters.conftest import SetClock


@pytest.fixture
def watcher(registry: CollectorRegistry) -> WatcherMetrics:
    return WatcherMetrics(registry, version="0.1.0", python="3.11.2")


def test_the_build_is_named(watcher: WatcherMetrics, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value(m.BUILD_INFO.name, {"version": "0.1.0", "python": "3.11.2"}) == 1


def test_lateness_and_runs_in_flight_are_counted(watcher: WatcherMetrics, registry: CollectorRegistry) -> None:
    watcher.run_started(0.02)
    watcher.run_started(-0.001)
    watcher.run_ended()
    watcher.runs_missed(3)

    assert registry.get_sample_value(m.LATENESS.name + "_count") == 2
    assert registry.get_sample_value(m.LATENESS.name + "_sum") == 0.02
    assert registry.get_sample_value(m.IN_FLIGHT.name) == 1
    assert registry.get_sample_value(m.MISSED.name) == 3


def test_a_refused_configuration_keeps_the_time_of_the_last_good_one(
    watcher: WatcherMetrics, registry: CollectorRegistry, clock: SetClock
) -> None:
    watcher.config_loaded(clock())

    watcher.config_loaded(None)

    assert registry.get_sample_value(m.RELOAD_OK.name) == 0
    assert registry.get_sample_value(m.RELOAD_TIME.name) == clock().timestamp()


def test_what_happens_to_the_browser_is_counted(watcher: WatcherMetrics, registry: CollectorRegistry) -> None:
    watcher.browser_launched()
    watcher.browser_recycled("memory")
    watcher.browser_recycled("a reason of a later version")
    watcher.browser_crashed()
    watcher.browser_contexts(2)
    watcher.browser_queued(0.2)
    watcher.browser_memory(150_000_000)

    assert registry.get_sample_value(m.BROWSER_LAUNCHES.name) == 1
    recycles = {r: registry.get_sample_value(m.BROWSER_RECYCLES.name, {"reason": r}) for r in m.RECYCLE_REASONS}
    assert recycles == {"age": 0, "runs": 0, "memory": 1, "other": 1}
    assert registry.get_sample_value(m.BROWSER_CRASHES.name) == 1
    assert registry.get_sample_value(m.BROWSER_CONTEXTS.name) == 2
    assert registry.get_sample_value(m.BROWSER_QUEUE.name + "_sum") == 0.2
    assert registry.get_sample_value(m.BROWSER_RSS.name) == 150_000_000


def test_artifacts_that_cannot_be_stored_are_counted(watcher: WatcherMetrics, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value(m.ARTIFACT_FAILURES.name) == 0

    watcher.artifact_failed()

    assert registry.get_sample_value(m.ARTIFACT_FAILURES.name) == 1
