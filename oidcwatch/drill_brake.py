"""Ends the wait for a person or a command when a drill is stopped or hurts real users."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from drills.plan import Guard

_LOOK = 2.0  # seconds between two looks at abort rules, as while a drill observes


@dataclass(slots=True)
class Brake:
    """Called again and again, by the thread that runs the drill: whether the driver must give up."""

    stop: threading.Event
    guard: Guard | None
    tell: Callable[[str], None]
    """Hears once which abort rule is broken."""
    monotonic: Callable[[], float] = time.monotonic
    _next: float = 0.0
    _broken: bool = False

    def __call__(self) -> bool:
        """Stays true once an abort rule is broken."""
        if not self.stop.is_set() and not self._broken:
            self._look()
        return self.stop.is_set() or self._broken

    def _look(self) -> None:
        now = self.monotonic()
        if self.guard is None or now < self._next:
            return
        self._next = now + _LOOK
        reason = self.guard.broken()
        if reason:
            self._broken = True
            self.tell(reason)
