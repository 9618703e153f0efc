"""A clock that can be wrong on purpose: one offset for what tokens say, one for the Date header."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Clock:
    """The provider's idea of the time, in UNIX seconds. Thread-safe."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._token_offset = 0.0
        self._date_offset = 0.0

    def set(self, *, tokens: float | None = None, date: float | None = None) -> None:
        """Move the clock by that many seconds from the real time (not from the last setting); None leaves it."""
        with self._lock:
            self._token_offset = self._token_offset if tokens is None else tokens
            self._date_offset = self._date_offset if date is None else date

    @property
    def offsets(self) -> dict[str, float]:
        """Seconds by which each face of the clock is ahead of the real time."""
        with self._lock:
            return {"tokens": self._token_offset, "date": self._date_offset}

    def now(self) -> float:
        """What tokens are stamped with and judged by."""
        return self._source() + self.offsets["tokens"]

    def date(self) -> float:
        """What the Date header says (RFC 9110 §6.6.1)."""
        return self._source() + self.offsets["date"]
