"""Whether a drill has passed, and the sentences that say why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from drills.journal import Entry, Log
from drills.judgement import how_to_see
from drills.record import Alerts, Detected, Verdict, VerifierRecord
from drills.running import OLD_ENDED
from drills.scenario import ASKED, Generation, Judge, Measure, Scenario
from drills.subject import Sample

_BREAKS = frozenset({"ROT-05", "ROT-06", "ROT-07"})
"""Findings that say that valid tokens are refused."""


def verdict_of(
    log: Log, scenario: Scenario, verifiers: Sequence[VerifierRecord], detected: Sequence[Detected], alerts: Alerts
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and why: the decisive sentence first."""
    end = log.last(Entry.ENDED)
    ending = str(end.said.get("ending", "")) if end else "the process that ran it has ended before its time"
    silent = _silent(log)
    hurt = tuple(_of_impact(scenario, verifiers, detected, alerts, log))
    if ending and hurt and log.last(Entry.MOVED):
        return Verdict.FAIL, (*hurt, f"It was ended and rolled back: {ending}.")
    if ending:
        return Verdict.ABORTED, (f"Aborted: {ending}.",)
    problems = (
        *hurt,
        *(f"{name} could not be asked any more: {error}" for name, error in silent.items()),
        *_of_verifiers(scenario, [each for each in verifiers if each.name not in silent], token_ended(log)),
        *_of_those_out(scenario, verifiers, log),
        *_of_detection(scenario, detected),
        *(f"{name} was expected and did not fire." for name in alerts.missing),
    )
    if problems:
        return Verdict.FAIL, problems
    return Verdict.PASS, tuple(_well(scenario, verifiers, detected, alerts))


def _of_impact(
    scenario: Scenario,
    verifiers: Sequence[VerifierRecord],
    detected: Sequence[Detected],
    alerts: Alerts,
    log: Log,
) -> Iterator[str]:
    """What disturbed somebody in a drill that must disturb nobody."""
    if scenario.judge is not Judge.NO_IMPACT:
        return
    refused = {sample.verifier for sample in log.samples if not sample.ok and sample.answered}
    yield from (f"{each.name} refused valid tokens: {_first(each)}" for each in verifiers if each.name in refused)
    for each in detected:
        broken = sorted(_BREAKS.intersection(each.findings))
        if broken:
            yield f"The probe {each.by} found {', '.join(broken)}: valid tokens were refused, or would have been."
    for alert in alerts.seen:
        if alert.name in alerts.unexpected and alert.severity == "page":
            yield f"{alert.name} fired, which pages, in a drill that disturbs nobody: its runbook says what is wrong."


def _of_verifiers(scenario: Scenario, verifiers: Sequence[VerifierRecord], ended: float | None) -> Iterator[str]:
    measure = scenario.measures
    if measure is None or scenario.judge is Judge.DETECTED:
        return
    unseen = []
    for each in verifiers:
        if not _asked(each, measure):
            yield f"{each.name} was not asked about the token that shows it: nothing is known of it."
        elif scenario.judge is Judge.AS_PREDICTED and not each.ok and not each.watched:
            unseen.append(each)
        elif scenario.judge is Judge.AS_PREDICTED and not each.ok:
            yield each.said
        elif measure is Measure.ACCEPT and each.observed.accept is None:
            never = each.known and each.bounds.accept is None
            way = "never accepted a token of the new key: it needs a restart or new settings"
            yield f"{each.name} {way}." if never else f"{each.said}."
    if unseen:
        # What was not waited for proves nothing, and a drill that passes says that all was as predicted.
        listed = ", ".join(f"{each.name} (predicted {each.predicted.of(measure):.1f} s)" for each in unseen)
        way = how_to_see(measure, lives=True, token_ended=ended)
        yield f"{_not_watched(unseen, len(verifiers))}: {listed}; {way}."


def _not_watched(unseen: Sequence[VerifierRecord], all_: int) -> str:
    return f"{len(unseen)} of {all_} verifiers {'was' if len(unseen) == 1 else 'were'} not watched for long enough"


def _asked(each: VerifierRecord, measure: Measure) -> bool:
    """Whether there is an answer after the clock's start about the token that the measure is about."""
    return any(point.generation is ASKED[measure] and point.seconds >= 0 for point in each.curve)


def _silent(log: Log) -> Mapping[str, str]:
    """Verifiers that ended or failed in the midst of the drill, with what was said of it."""
    return {sample.verifier: sample.error for sample in log.samples if not sample.answered}


def _of_those_out(scenario: Scenario, verifiers: Sequence[VerifierRecord], log: Log) -> Iterator[str]:
    """Verifiers that did not get well again."""
    if scenario.judge is Judge.DETECTED:
        return
    for each in verifiers:
        for generation in out_at_last(log, scenario, each.name):
            yield f"{each.name} still refused the {generation} token in the end."
        for generation in _unknown_at_last(log, scenario, each.name):
            yield f"{each.name} refused the {generation} token, and was not asked again when the fault was over."


def out_at_last(log: Log, scenario: Scenario, name: str) -> tuple[Generation, ...]:
    """The tokens that a verifier still refused in the end, though they were valid."""
    healed = log.marked("healed") or 0.0  # what was refused before says nothing of the end
    return tuple(generation for generation, last in _lasts(log, scenario, name) if not last.ok and last.at >= healed)


def _unknown_at_last(log: Log, scenario: Scenario, name: str) -> tuple[Generation, ...]:
    healed = log.marked("healed") or 0.0
    return tuple(generation for generation, last in _lasts(log, scenario, name) if not last.ok and last.at < healed)


def _lasts(log: Log, scenario: Scenario, name: str) -> Iterator[tuple[Generation, Sample]]:
    """The last answer about each token, but for one whose key is gone for good."""
    gone = scenario.keeps and log.last(Entry.RESTORED) is None
    last = {each.generation: each for each in log.samples if each.verifier == name and each.answered}
    yield from ((each, last[each]) for each in Generation if each in last and not (gone and each is Generation.OLD))


def token_ended(log: Log) -> float | None:
    """Seconds from the clock's start until there was no token of the old key to ask about; None when there always was."""
    clock, ended = log.last(Entry.CLOCK), log.marked(OLD_ENDED)
    return ended - float(clock.said["started"]) if clock and ended is not None else None


def _of_detection(scenario: Scenario, detected: Sequence[Detected]) -> Iterator[str]:
    wanted = scenario.detects
    if scenario.judge is not Judge.DETECTED or wanted is None or any(each.expected for each in detected):
        return
    reasons = " or ".join(sorted(wanted.reasons))
    seen = ", ".join(sorted({f"{each.reason} ({each.owner})" for each in detected})) or "nothing"
    yield f"Nobody saw {reasons} of the {wanted.owner}; what was seen: {seen}."


def _well(
    scenario: Scenario, verifiers: Sequence[VerifierRecord], detected: Sequence[Detected], alerts: Alerts
) -> Iterator[str]:
    match scenario.judge:
        case Judge.NO_IMPACT:
            yield f"None of {len(verifiers)} verifiers refused a valid token."
        case Judge.AS_PREDICTED:
            yield _as_predicted(verifiers)
        case Judge.DETECTED:
            seen = [each for each in detected if each.expected]
            # The incident is about certain verifiers: what others did is not what it shows.
            first = next((each for each in seen if each.by in scenario.verifiers), seen[0])
            yield f"{first.by} said {first.reason}, of the {first.owner}."
    judged = [name for name in alerts.expected if name not in alerts.not_judged]
    if alerts.looked and judged:
        yield f"Every expected alert fired: {', '.join(judged)}."
    if alerts.not_judged:
        yield f"Not judged, as it fired already before the first move: {', '.join(alerts.not_judged)}."
    if alerts.unexpected:
        yield f"Nobody expected {', '.join(alerts.unexpected)}."


def _as_predicted(verifiers: Sequence[VerifierRecord]) -> str:
    unseen = [each for each in verifiers if not each.watched]
    if not unseen:
        return f"All {len(verifiers)} verifiers did what was predicted."
    names = ", ".join(each.name for each in unseen)
    return (
        f"{len(verifiers) - len(unseen)} of {len(verifiers)} verifiers did what was predicted; "
        f"{_not_watched(unseen, len(verifiers))}, but dropped the key at a token of the new one: {names}."
    )


def _first(each: VerifierRecord) -> str:
    spans = [f"the {generation} token" for generation in Generation if _refused(each, generation)]
    return f"{' and '.join(spans)}; {each.refusals[0]}" if each.refusals else " and ".join(spans)


def _refused(each: VerifierRecord, generation: Generation) -> bool:
    return any(not point.ok and point.generation is generation for point in each.curve)
