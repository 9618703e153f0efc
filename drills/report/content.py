"""What a report says, in words: every row and figure of a record, for the HTML and the Markdown alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from drills.history import Change, Trend, before, trend
from drills.record import Alerts, AlertSeen, Record, Verdict
from drills.report.figures import Figure, figures
from drills.report.verifier_rows import VerifierRow, verifier_row
from drills.report.words import (
    EVENTS,
    JUDGES,
    MEASURES,
    NOTHING,
    VERDICTS,
    after,
    day_and_time,
    since,
    span,
    time_of_day,
)
from drills.scenario import Measure

_MOST_EVENTS, _MOST_DRILLS = 300, 12
DECISIVE: Mapping[Measure | None, str] = MappingProxyType(
    {
        Measure.ACCEPT: "slowest T_accept",
        Measure.REJECT: "slowest T_reject",
        Measure.OUTAGE: "soonest T_outage",
        None: "deciding time",
    }
)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert that fired, or ought to have."""

    name: str
    state: str
    well: bool
    severity: str
    when: str
    notified: str
    runbook: str
    """A URL that may be linked; empty for none."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line with a sign: in the preflight, of what the probes said, in the timeline."""

    when: str
    after: str
    kind: str
    text: str
    ok: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """A drill in the history. Everything in words."""

    when: str
    verdict: str
    figures: tuple[str, ...]
    share: str
    change: str
    newest: bool


@dataclass(frozen=True, slots=True)
class Content:
    """The whole report."""

    record: Record
    verdict: str
    decisive: str
    because: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    judge: str
    measure: str
    """What the clock measures, in a sentence; empty when it measures nothing."""
    zero: str
    """What the times count from."""
    figures: tuple[Figure, ...]
    verifiers: tuple[VerifierRow, ...]
    detected: tuple[Row, ...]
    alerts: tuple[AlertRow, ...]
    no_alerts: str
    """Why there is no table of alerts."""
    events: tuple[Row, ...]
    events_left_out: int
    past: tuple[Past, ...]
    trend: tuple[Trend, ...]
    decisive_name: str


def content(record: Record, earlier: Sequence[Record] = ()) -> Content:
    """Of a record that is clean (see `drills.report.clean`); of `earlier` those of its scenario and issuer count."""
    drills = trend((*before(record, earlier), record))[-_MOST_DRILLS:]
    first, *rest = record.because or ("No reason was recorded.",)
    name, meaning = MEASURES[record.measure] if record.measure else ("", "")
    return Content(
        record=record,
        verdict=VERDICTS[record.verdict],
        decisive=first,
        because=tuple(rest),
        facts=tuple(_facts(record)),
        judge=JUDGES[record.judge],
        measure=f"The clock measures {name}: {meaning}." if name else "",
        zero=_zero(record),
        figures=figures(record),
        verifiers=tuple(verifier_row(record, verifier) for verifier in record.verifiers),
        detected=tuple(_detected(record)),
        alerts=tuple(_alerts(record)),
        no_alerts=_no_alerts(record),
        events=tuple(_events(record))[:_MOST_EVENTS],
        events_left_out=max(0, len(record.events) - _MOST_EVENTS),
        past=tuple(_past(drill, drill.id == record.id) for drill in drills),
        trend=drills,
        decisive_name=DECISIVE[record.measure],
    )


def _no_alerts(record: Record) -> str:
    if record.alerts.looked:
        return "No alert was expected, and none fired."
    expected = f" Expected would have been {', '.join(record.alerts.expected)}." if record.alerts.expected else ""
    return f"Nobody looked at alerts in this drill: it was not told of a Prometheus.{expected}"


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "scenario", record.scenario
    yield "issuer", record.issuer
    yield "provider", record.provider
    yield "started", day_and_time(record.started)
    yield "took", span((record.ended - record.started).total_seconds())
    yield "verifiers asked", f"every {span(record.poll)}"
    yield "drill", record.id
    yield "URL of the issuer", record.url


def _zero(record: Record) -> str:
    if record.clock_started:
        return f"Times count from the start of the drill's clock, {day_and_time(record.clock_started)}."
    if record.measure:
        return "The drill's clock never started; times count from the start of the drill."
    return "Times count from the start of the drill."


def _detected(record: Record) -> Iterator[Row]:
    measured_ones = {verifier.name for verifier in record.verifiers}
    for seen in sorted(record.detected, key=lambda seen: seen.at):
        findings = f" ({', '.join(seen.findings)})" if seen.findings else ""
        text = f"{seen.reason} at {seen.stage}, owner: {seen.owner}{findings}"
        # What a verifier refuses is the measurement itself, and is held against its prediction there.
        measured = record.measure is not None and seen.by in measured_ones
        note = "expected" if seen.expected else "measured above" if measured else "not expected"
        yield Row(time_of_day(seen.at), after(since(record, seen.at)), seen.by, text, seen.expected, note)


def _alerts(record: Record) -> Iterator[AlertRow]:
    alerts = record.alerts
    seen = {alert.name: alert for alert in alerts.seen}
    names = dict.fromkeys((*alerts.expected, *alerts.fired, *alerts.missing, *alerts.unexpected, *seen))
    for name in names if alerts.looked else ():
        yield _alert(record, name, *_state(alerts, name), seen.get(name))


def _state(alerts: Alerts, name: str) -> tuple[str, bool]:
    """What became of an alert, and whether that is well; as in the summary."""
    if name in alerts.unexpected:
        return "fired, not expected", False
    if name in alerts.not_judged:
        return "fired before the first move, not judged", True
    if name in alerts.missing or name not in {*alerts.fired, *(each.name for each in alerts.seen)}:
        return "expected, did not fire", False
    return ("fired, as expected" if name in alerts.expected else "a consequence"), True


def _alert(record: Record, name: str, state: str, well: bool, seen: AlertSeen | None) -> AlertRow:
    if seen is None:
        return AlertRow(name, state, well, NOTHING, NOTHING, NOTHING, "")
    linked = seen.runbook if seen.runbook.startswith(("https://", "http://")) else ""
    when = after(since(record, seen.at))
    return AlertRow(name, state, well, seen.severity, when, "yes" if seen.notified else "no", linked)


def _events(record: Record) -> Iterator[Row]:
    for event in sorted(record.events, key=lambda event: event.at):
        yield Row(time_of_day(event.at), after(since(record, event.at)), EVENTS[event.kind], event.text)


def _past(drill: Trend, newest: bool) -> Past:
    times = (drill.decisive, drill.detect, drill.page, drill.recover)
    return Past(
        when=day_and_time(drill.started)[:16],
        verdict=VERDICTS[drill.verdict],
        figures=tuple(NOTHING if time is None else span(time) for time in times),
        share=f"{drill.as_predicted} of {drill.verifiers}" if drill.verifiers else NOTHING,
        change=_change(drill),
        newest=newest,
    )


def _change(drill: Trend) -> str:
    match drill.change:
        case None:
            return "not compared" if drill.verdict is Verdict.ABORTED else NOTHING
        case Change.SAME:
            return "same"
        case _:
            return f"{drill.change}: {drill.why}"
