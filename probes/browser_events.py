"""What the browser pool tells whoever counts: launches, recycles, crashes, contexts, queue times, memory."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class RecycleReason(StrEnum):
    """Why a warm browser was replaced: a closed set, fit for a label."""

    AGE = "age"
    RUNS = "runs"
    MEMORY = "memory"
    STUCK = "stuck"  # a context could not be closed in time


class BrowserObserver(Protocol):
    """Receives the pool's events on the event loop; must return at once and never raise."""

    def launched(self, seconds: float) -> None:
        """A browser is up; `seconds` is what the launch took."""

    def launch_failed(self) -> None:
        """A browser could not be started."""

    def recycled(self, reason: RecycleReason) -> None:
        """A warm browser takes no more sessions and will be closed."""

    def crashed(self) -> None:
        """A browser ended that nobody had closed."""

    def contexts(self, count: int) -> None:
        """So many sessions are open now."""

    def queued(self, seconds: float) -> None:
        """A session waited so long for its turn."""

    def memory(self, rss_bytes: int) -> None:
        """Resident memory of the browser's process tree, measured after a session."""


class Unobserved:
    """An observer that takes no notice."""

    def launched(self, seconds: float) -> None:
        """Ignored."""

    def launch_failed(self) -> None:
        """Ignored."""

    def recycled(self, reason: RecycleReason) -> None:
        """Ignored."""

    def crashed(self) -> None:
        """Ignored."""

    def contexts(self, count: int) -> None:
        """Ignored."""

    def queued(self, seconds: float) -> None:
        """Ignored."""

    def memory(self, rss_bytes: int) -> None:
        """Ignored."""
