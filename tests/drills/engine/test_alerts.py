"""Alerts in a drill: what fired before the first move is no evidence of it, and is not missing either."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from drills.progress import Progress
from drills.record import AlertSeen, EventKind, Phase, Record, Verdict
from drills.scenario import Judge, Scenario
from drills.scenarios import SCENARIOS

pytestmark = pytest.mark.process

Range = Any  # of the conftest, which tests cannot import
EXPECTED = SCENARIOS["early-removal"].alerts


@dataclass
class Alerts:
    """Those that the drill expects fire while the event is set."""

    firing: threading.Event = field(default_factory=threading.Event)

    def now(self) -> tuple[AlertSeen, ...]:
        names = EXPECTED if self.firing.is_set() else ()
        return tuple(AlertSeen(name, datetime.now(UTC), "page", True, "") for name in sorted(names))


@pytest.fixture
def removed(
    range_: Range, quick: Callable[[Scenario], Scenario]
) -> Callable[[Alerts, Callable[[Progress], None]], Record]:
    """The record of an early removal that these alerts are told of."""

    def run(alerts: Alerts, tell: Callable[[Progress], None]) -> Record:
        plan = range_.plan(
            quick(SCENARIOS["early-removal"]), ("pyjwt",), alerts=alerts, longest=4.0, shorten={"ttl": 2.0}
        )
        record: Record = range_.run(plan, tell=tell).record
        return record

    return run


def test_an_expected_alert_that_fires_all_the_while_is_not_judged(removed: Callable[..., Record]) -> None:
    alerts = Alerts()
    alerts.firing.set()

    record = removed(alerts, lambda progress: None)

    assert record.verdict is Verdict.PASS, record.because
    assert record.alerts.not_judged == tuple(sorted(EXPECTED))
    assert (record.alerts.missing, record.alerts.fired, record.page_seconds) == ((), (), None)
    assert any(sentence.startswith("Not judged") for sentence in record.because)
    assert not any(sentence.startswith("Every expected alert") for sentence in record.because)


def test_a_page_that_nobody_expected_fails_a_drill_that_is_to_disturb_nobody(
    range_: Range, quick: Callable[[Scenario], Scenario]
) -> None:
    told = threading.Event()

    class Watched:
        def now(self) -> tuple[AlertSeen, ...]:
            return (AlertSeen("OidcPage", datetime.now(UTC), "page", True, ""),) if told.is_set() else ()

    def tell(progress: Progress) -> None:
        if progress.phase is Phase.OBSERVE:
            told.set()

    harmless = replace(quick(SCENARIOS["zero-lead"]), judge=Judge.NO_IMPACT)
    record = range_.run(range_.plan(harmless, ("keyfunc",), alerts=Watched()), tell=tell).record

    assert record.verdict is Verdict.FAIL, record.alerts
    assert record.because[0].startswith("OidcPage fired, which pages")


def test_the_end_of_an_earlier_drills_alerts_is_waited_for_and_their_new_beginning_counts(
    removed: Callable[..., Record],
) -> None:
    alerts = Alerts()
    alerts.firing.set()

    def play(progress: Progress) -> None:
        if any("fires from before" in event.text for event in progress.events):
            alerts.firing.clear()
        if progress.phase is Phase.OBSERVE:
            alerts.firing.set()

    record = removed(alerts, play)

    assert record.alerts.not_judged == ()
    assert record.alerts.fired == tuple(sorted(EXPECTED))
    assert record.page_seconds is not None
    assert record.page_seconds >= 0
    assert sum(event.kind is EventKind.ALERT for event in record.events) == len(EXPECTED)
