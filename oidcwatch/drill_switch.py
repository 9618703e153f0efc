"""The agent's drill switch: which issuers are under a drill, until when, and which runs a drill touches."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from exporters.pages import DrillError
from exporters.status import clock_time
from oidcwatch.config_duration import format_duration, parse_duration
from probes.probe import Clock

log = logging.getLogger(__name__)

DEFAULT_LENGTH = timedelta(hours=1)
LONGEST = timedelta(hours=24)


@dataclass(slots=True)
class DrillSwitch:
    """On for each issuer until a time: a drill that somebody forgets to end must not blind the budget for ever.

    Belongs to the event loop that calls it. `known` gives the configured issuers' names; `changed` is called when the
    set of issuers under drill has changed.
    """

    clock: Clock
    known: Callable[[], Collection[str]]
    changed: Callable[[], None]
    _ends: dict[str, datetime] = field(default_factory=dict)
    _timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    _begun: Counter[str] = field(default_factory=Counter)

    @property
    def issuers(self) -> frozenset[str]:
        """Those under drill now."""
        return frozenset(self._ends)

    def ends(self) -> Mapping[str, datetime]:
        """When each drill ends by itself, as aware UTC. May be called from any thread."""
        return dict(self._ends)

    def ask(self, issuer: str, state: str, length: str = "") -> str:
        """Does what a request says: `state` is `on` or `off`, `length` a duration. Gives a sentence about what is now.

        A drill that is on already ends at the new time. Raises DrillError, with what is allowed.
        """
        known = {*self.known(), *self._ends}
        if issuer not in known:
            raise DrillError(f"issuer: expected one of {', '.join(sorted(known))}")
        if state == "off":
            self._end(issuer)
            return f"no drill on {issuer}"
        if state != "on":
            raise DrillError("state: expected on or off")
        self._begin(issuer, _length(length))
        return f"drill on {issuer} until {clock_time(self._ends[issuer])}"

    def overlap(self, issuer: str) -> Callable[[], bool]:
        """Call it when a run starts, and what it gives when the run has ended: whether a drill touched the run.

        A run that overlaps a drill, however little, is the drill's: it may have seen the injected fault.
        """
        at_start, begun = issuer in self._ends, self._begun[issuer]
        return lambda: at_start or issuer in self._ends or self._begun[issuer] > begun

    def close(self) -> None:
        """Ends nothing, but leaves no timer."""
        for timer in self._timers.values():
            timer.cancel()

    def _begin(self, issuer: str, length: timedelta) -> None:
        if issuer in self._timers:
            self._timers[issuer].cancel()
        new = issuer not in self._ends
        self._ends[issuer] = self.clock() + length
        self._timers[issuer] = asyncio.get_running_loop().call_later(length.total_seconds(), self._end, issuer)
        if new:
            self._begun[issuer] += 1
            log.info("a drill on %s begins: its runs spend no budget for %s", issuer, _words(length))
            self.changed()

    def _end(self, issuer: str) -> None:
        if issuer in self._ends:
            self._timers.pop(issuer).cancel()
            del self._ends[issuer]
            log.info("the drill on %s has ended", issuer)
            self.changed()


def _length(text: str) -> timedelta:
    if not text:
        return DEFAULT_LENGTH
    try:
        length = timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        length = timedelta(0)
    if not timedelta(0) < length <= LONGEST:
        raise DrillError(f"for: expected a duration like 20m, at most {_words(LONGEST)}")
    return length


def _words(length: timedelta) -> str:
    return format_duration(length.total_seconds())
