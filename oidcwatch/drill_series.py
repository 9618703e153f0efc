"""The drills of a schedule: one after the other, and between them whatever one of them has left to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from drills.journal import Log, is_running, unfinished_in
from drills.recovery import clean_due, was_restored
from oidcwatch.drill_call import DrillCall
from oidcwatch.drill_finish import settle_all, settle_one, urgency
from oidcwatch.drill_live import Show
from oidcwatch.drill_places import issuer_place
from oidcwatch.drill_result import CODES, Ending
from oidcwatch.drill_session import Ended, Session

PAUSE = 60.0
"""Seconds between two looks at what is left to do."""


@dataclass(slots=True)
class Series:
    """Drills of one call. `once` and `tend` are never called at the same time."""

    session: Session
    call: DrillCall
    show: Show
    tell: Callable[[Ended], None]
    """Hears how each drill has ended."""
    _last: Ended = field(default_factory=lambda: Ended(Ending.ABORTED, problem="it was stopped before the first drill"))

    def once(self) -> None:
        """Settles what earlier drills have left, then runs one."""
        for line in settle_all(self.session, self.show):
            self.show.say(line)
        self._last = self.session.run(self.call, self.show)
        self.tell(self._last)
        if any(_is_due(log) for log in self._left() if log.touched):
            self.show.say("to bring the provider back is tried again every minute, until that is stopped")

    def tend(self) -> None:
        """Brings a provider back that is not as it was before, frees agents, removes keys whose time has come."""
        try:
            for log in sorted(self._left(), key=urgency):
                if not self.session.stop.is_set() and _is_due(log):
                    self._settle(log)
        except OSError as error:
            self.show.say(f"what drills have left cannot be read: {error}")

    def ended(self) -> Ended:
        """As the last drill; while the provider is not as it was before, that."""
        touched = [log.id for log in self._left() if log.touched]
        if not touched:
            return self._last
        problem = f"the provider is not as it was before: oidcwatch drill abort {touched[-1]}"
        return Ended(Ending.NOT_RESTORED, problem=problem)

    def _settle(self, log: Log) -> None:
        ended = settle_one(self.session, log, self.show)
        self.show.say(f"{log.id}: {ended.problem}")
        if ended.record is not None and self._last.code is Ending.NOT_RESTORED:
            self._last = replace(ended, code=CODES[ended.record.verdict])

    def _left(self) -> Iterator[Log]:
        """Drills on this issuer that no process runs. A lab has ended with its drill."""
        if self.session.settings is None:
            return
        url = issuer_place(self.call, self.session.settings, self.session.environ).target.issuer.url
        for log in unfinished_in(self.session.root):
            if log.opened.get("url") == url and not is_running(log.folder):
                yield log


def _is_due(log: Log) -> bool:
    due = clean_due(log)
    if log.touched:
        return not was_restored(log)
    return log.agents_told or (due is not None and due <= datetime.now(UTC))
