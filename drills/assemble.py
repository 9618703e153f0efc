"""Makes the record of a drill from its journal, also from one that a crash has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from drills.alert_watch import summarise
from drills.curve import observed, points, recovered, refusals
from drills.expectation import Expected
from drills.follow_ups import cut_short, follow_ups, runbook_steps
from drills.journal import Entry, Line, Log
from drills.judgement import Judgement, judge
from drills.moving import ROW
from drills.prediction import Bound, flushes
from drills.record import (
    Alerts,
    AlertSeen,
    Checked,
    Detected,
    Event,
    EventKind,
    Record,
    Times,
    VerifierRecord,
)
from drills.scenario import ASKED, Generation, Judge, Measure, Scenario
from drills.subject import Kind, Sample
from drills.verdict import out_at_last, token_ended, verdict_of
from drills.verifiers import Verifier

_LATENCY = 1.0  # seconds that an answer and the fetch for it may take beside the time between two questions


def record_of(log: Log, scenario: Scenario) -> Record:
    """Everything that the journal says, judged."""
    opened = log.opened
    clock, healed = _clock(log), _healed(log)
    detected, alerts = _detected(log), _alerts(log, scenario)
    verifiers = tuple(_verifier(log, scenario, said) for said in log.predicted)
    first = log.all(Entry.MOVING)
    begun = first[0].at if first else None
    verdict, because = verdict_of(log, scenario, verifiers, detected, alerts)
    return Record(
        id=log.id,
        scenario=scenario.name,
        title=scenario.title,
        why=scenario.why,
        judge=scenario.judge,
        measure=scenario.measures,
        issuer=str(opened.get("issuer", "")),
        url=str(opened.get("url", "")),
        provider=str(opened.get("provider", "")),
        started=log.lines[0].at,
        clock_started=_time(clock),
        flushed=_time(_flushed(log)),
        healed=_time(healed),
        ended=log.lines[-1].at,
        poll=float(opened.get("poll", 1.0)),
        verdict=verdict,
        because=because,
        preflight=tuple(Checked(**each) for line in log.all(Entry.CHECKED) for each in line.said["checks"]),
        events=tuple(Event(line.at, EventKind(line.said["kind"]), line.said["text"]) for line in log.all(Entry.EVENT)),
        verifiers=verifiers,
        detected=detected,
        alerts=alerts,
        detect_seconds=_since(begun, (each.at for each in detected if each.expected)),
        page_seconds=_since(begun, (each.at for each in alerts.seen if each.severity == "page")),
        recover_seconds=_recover_seconds(verifiers),
        runbook=runbook_steps(log, alerts),
        follow_ups=follow_ups(log, scenario, verifiers, detected, alerts),
    )


def _verifier(log: Log, scenario: Scenario, said: Mapping[str, Any]) -> VerifierRecord:
    row, measure, clock = ROW.validate_python(said["row"]), scenario.measures, _clock(log)
    samples = [sample for sample in log.samples if sample.verifier == row.name]
    measured = _until(samples, _end_of_measure(log))
    came = observed(measured, measure, clock) if measure and clock is not None else None
    bounds = Times(**said["bounds"])
    expected = Expected(said["expected"], said["why"], said["known"])
    watched = samples and measure is None
    unjudged = "it was watched, nothing is predicted for it" if watched else "the drill ended before that"
    judged = Judgement(True, unjudged)
    if measure is not None and clock is not None:
        bound = Bound(bounds.of(measure), said["whys"][measure], said["known"])
        judged = judge(
            expected, bound, came, measure=measure, poll=float(log.opened["poll"]),
            window=_window(measured, measure, clock), life=_life(log), latency=_LATENCY, row=row, kind=Kind(said["kind"]),
            token_ended=token_ended(log), cut_short=cut_short(log),
        )  # fmt: skip
        if scenario.judge is Judge.DETECTED:  # what is done to the key set there is more than its row knows of
            judged = replace(judged, ok=True)
        if _flushed(log) is not None and (judged.ok or not judged.watched):
            judged = _after_flush(log, row, samples, judged)
    out = bool(out_at_last(log, scenario, row.name)) or any(not sample.answered for sample in samples[-1:])
    zero = clock if clock is not None else log.lines[0].at.timestamp()
    return VerifierRecord(
        name=row.name,
        version=said["version"],
        kind=Kind(said["kind"]),
        language=said["language"],
        predicted=_times(measure, expected.seconds),
        bounds=bounds,
        observed=_times(measure, came),
        ok=judged.ok,
        said=judged.said,
        why=expected.why or _whys(said, measure),
        known=expected.known,
        watched=judged.watched,
        recovered=_recovered(log, scenario, samples, out=out),
        out=out,
        refusals=refusals(samples),
        curve=points(samples, zero),
    )


def _recovered(log: Log, scenario: Scenario, samples: Sequence[Sample], *, out: bool) -> float | None:
    healed = _healed(log)
    if healed is None or out:
        return None
    gone = scenario.keeps and log.last(Entry.RESTORED) is None
    return recovered([sample for sample in samples if not gone or sample.generation is Generation.NEW], healed)


def _recover_seconds(verifiers: Sequence[VerifierRecord]) -> float | None:
    """Of the slowest; None when one of them did not recover at all."""
    if any(each.out for each in verifiers):
        return None
    return max((each.recovered for each in verifiers if each.recovered is not None), default=None)


def _after_flush(log: Log, row: Verifier, samples: Sequence[Sample], judged: Judgement) -> Judgement:
    """The judgement, with what a token of the new key did to the removed one.

    Whether that ends a key is what such a drill shows: it need not be watched until the key ends by itself.
    """
    flushed = _flushed(log) or 0.0
    after = [each for each in samples if each.generation is Generation.OLD and each.at > flushed]
    if not after:
        said = f"{judged.said}; what a token of the new key does was not seen, as the old one had expired"
        return replace(judged, ok=False, said=said)
    if not after[-1].ok:
        refused = next(each for each in after if not each.ok)
        said = f"{judged.said}; it refused the old key {refused.at - flushed:.1f} s after a token of the new one"
        return replace(judged, ok=True, said=said)
    said = f"{judged.said}; it accepts the old key even after a token of the new one"
    return replace(judged, ok=judged.ok and not flushes(row), said=said)


def _times(measure: Measure | None, seconds: float | None) -> Times:
    return Times(**{measure.value: seconds}) if measure else Times()


def _whys(said: Mapping[str, Any], measure: Measure | None) -> str:
    return str(said["whys"][measure]) if measure else ""


def _until(samples: Sequence[Sample], end: float | None) -> list[Sample]:
    """Those that were answered by then: what was asked before may have been answered by what came after."""
    return [sample for sample in samples if end is None or sample.at + sample.seconds <= end]


def _window(samples: Sequence[Sample], measure: Measure, clock: float) -> float:
    """Until when it was asked about the token that shows it: an old one may expire long before the end."""
    return max((sample.at for sample in samples if sample.generation is ASKED[measure]), default=clock) - clock


def _life(log: Log) -> float:
    moved = log.all(Entry.MOVING)
    return float(moved[0].said["life"]) if moved else 0.0


def _clock(log: Log) -> float | None:
    line = log.last(Entry.CLOCK)
    return float(line.said["started"]) if line else None


def _end_of_measure(log: Log) -> float | None:
    """POSIX time from which answers say nothing of the fault any more: it may be over before that is known."""
    restoring = log.all(Entry.RESTORING)
    return _flushed(log) or (restoring[0].at.timestamp() if restoring else _healed(log))


def _healed(log: Log) -> float | None:
    return log.marked("healed")


def _flushed(log: Log) -> float | None:
    return log.marked("flushed")


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _detected(log: Log) -> tuple[Detected, ...]:
    return tuple(
        Detected(
            at=datetime.fromisoformat(line.said["seen"]),
            reason=line.said["reason"],
            stage=line.said["stage"],
            owner=line.said["owner"],
            findings=tuple(line.said["findings"]),
            by=line.said["by"],
            expected=line.said["expected"],
        )
        for line in log.all(Entry.DETECTED)
    )


def _alerts(log: Log, scenario: Scenario) -> Alerts:
    if not log.opened.get("alerts_looked"):
        return Alerts(expected=tuple(sorted(scenario.alerts)))
    newest, before = {line.said["name"]: line for line in log.all(Entry.ALERT)}, log.last(Entry.FIRING)
    return summarise(
        scenario.alerts,
        [_alert(line) for line in newest.values()],
        before=before.said["names"] if before else (),
        agents=bool(log.opened["agents"]),
        alertmanager=bool(log.opened["alertmanager"]),
    )


def _alert(line: Line) -> AlertSeen:
    said = line.said
    return AlertSeen(
        said["name"], datetime.fromisoformat(said["since"]), said["severity"], said["notified"], said["runbook"],
        role=said.get("role", ""), area=said.get("area", ""),
    )  # fmt: skip


def _since(begun: datetime | None, times: Iterator[datetime]) -> float | None:
    first = min(times, default=None)
    return None if begun is None or first is None else (first - begun).total_seconds()
