"""Whether a drill has passed, and the sentences that say why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drills.journal import Entry, Log
from drills.record import Alerts, Detected, Verdict, VerifierRecord
from drills.scenario import Generation, Judge, Measure, Scenario


def verdict_of(
    log: Log, scenario: Scenario, verifiers: Sequence[VerifierRecord], detected: Sequence[Detected], alerts: Alerts
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and why: the decisive sentence first."""
    end = log.last(Entry.ENDED)
    ending = str(end.said.get("ending", "")) if end else "the process that ran it has ended before its time"
    if ending:
        return Verdict.ABORTED, (f"Aborted: {ending}.",)
    problems = (
        *_of_verifiers(scenario, verifiers, log),
        *_of_detection(scenario, detected),
        *(f"{name} was expected and did not fire." for name in alerts.missing),
    )
    if problems:
        return Verdict.FAIL, problems
    return Verdict.PASS, tuple(_well(scenario, verifiers, detected, alerts))


def _of_verifiers(scenario: Scenario, verifiers: Sequence[VerifierRecord], log: Log) -> Iterator[str]:
    match scenario.judge:
        case Judge.NO_IMPACT:
            refused = {sample.verifier for sample in log.samples if not sample.ok}
            yield from (
                f"{each.name} refused valid tokens: {_first(each)}" for each in verifiers if each.name in refused
            )
        case Judge.AS_PREDICTED:
            for each in verifiers:
                if not each.ok:
                    yield each.said
                elif _not_watched(scenario, each):
                    yield f"{each.said}: a longer --longest shows it."
                elif scenario.measures is Measure.ACCEPT and each.observed.accept is None:
                    yield f"{each.name} never accepted a token of the new key: it needs a restart or new settings."
        case Judge.DETECTED:
            pass


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
            yield f"All {len(verifiers)} verifiers did what was predicted."
        case Judge.DETECTED:
            first = next((each for each in detected if each.expected), None)
            if first is not None:
                yield f"{first.by} said {first.reason}, of the {first.owner}."
    if alerts.looked and alerts.expected:
        yield f"Every expected alert fired: {', '.join(alerts.expected)}."
    if alerts.unexpected:
        yield f"Nobody expected {', '.join(alerts.unexpected)}."


def _not_watched(scenario: Scenario, each: VerifierRecord) -> bool:
    """Whether something was predicted that was not waited for: that proves nothing."""
    measure = scenario.measures
    return measure is not None and each.predicted.of(measure) is not None and each.observed.of(measure) is None


def _first(each: VerifierRecord) -> str:
    spans = [f"the {generation} token" for generation in Generation if _refused(each, generation)]
    return f"{' and '.join(spans)}; {each.refusals[0]}" if each.refusals else " and ".join(spans)


def _refused(each: VerifierRecord, generation: Generation) -> bool:
    return any(not point.ok and point.generation is generation for point in each.curve)
