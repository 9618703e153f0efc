"""The watcher watched: oidcwatch's own metrics, as calls that scheduler, configuration, store and browser pool make."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry

from exporters import metrics as m
from exporters.metric_set import MetricSet
from probes.browser_events import RecycleReason


class AgentMetrics:
    """One for each agent. Every call is cheap, may come from any thread, and never raises."""

    def __init__(self, registry: CollectorRegistry, *, version: str, python: str) -> None:
        self._set = MetricSet(m.AGENT_METRICS, registry)
        self._set.set(m.BUILD_INFO, (version, python), 1)

    def run_started(self, late_seconds: float) -> None:
        """A run has started so many seconds after it was due."""
        with self._set.lock:
            self._set.observe(m.LATENESS, (), max(0.0, late_seconds))
            self._set.change(m.IN_FLIGHT, 1)

    def run_ended(self) -> None:
        """A run that had started is over, however it ended."""
        self._set.change(m.IN_FLIGHT, -1)

    def runs_missed(self, count: int = 1) -> None:
        """Runs were due and will never start: the one before had not ended, or the process stood still."""
        self._set.add(m.MISSED, (), count)

    def config_loaded(self, at: datetime | None) -> None:
        """The configuration was loaded at that time; None: it was refused and the one before is still in use."""
        with self._set.lock:
            self._set.set(m.RELOAD_OK, (), 0 if at is None else 1)
            if at is not None:
                self._set.set(m.RELOAD_TIME, (), at.timestamp())

    def artifact_failed(self) -> None:
        """The artifacts of a run could not be stored."""
        self._set.add(m.ARTIFACT_FAILURES, ())

    def run_not_kept(self) -> None:
        """A run could not be added to the run history."""
        self._set.add(m.RUN_STORE_FAILURES, ())


class BrowserMetrics:
    """The observer of the browser pool (probes.browser_events.BrowserObserver)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._set = MetricSet(m.BROWSER_METRICS, registry)
        for reason in RecycleReason:
            self._set.create(m.BROWSER_RECYCLES, (reason,))

    def launched(self, seconds: float) -> None:
        """A browser is up after so many seconds."""
        self._set.add(m.BROWSER_LAUNCHES, ())
        self._set.observe(m.BROWSER_LAUNCH_TIME, (), seconds)

    def launch_failed(self) -> None:
        """A browser could not be started."""
        self._set.add(m.BROWSER_LAUNCH_FAILURES, ())

    def recycled(self, reason: RecycleReason) -> None:
        """A browser is replaced on purpose."""
        self._set.add(m.BROWSER_RECYCLES, (reason,))

    def crashed(self) -> None:
        """A browser ended by itself."""
        self._set.add(m.BROWSER_CRASHES, ())

    def contexts(self, count: int) -> None:
        """So many browser contexts are open now."""
        self._set.set(m.BROWSER_CONTEXTS, (), count)

    def queued(self, seconds: float) -> None:
        """A run has waited so long for a free context."""
        self._set.observe(m.BROWSER_QUEUE, (), seconds)

    def memory(self, rss_bytes: int) -> None:
        """Resident memory of all processes of the browser."""
        self._set.set(m.BROWSER_RSS, (), rss_bytes)
