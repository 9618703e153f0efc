"""What somebody should do after a drill: from what it showed of verifiers and alerts, and from what it left behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drills.alert_watch import ALWAYS
from drills.journal import Entry, Log
from drills.moving import ROW
from drills.prediction import flushes
from drills.record import Alerts, Detected, VerifierRecord
from drills.recovery import clean_due
from drills.scenario import Measure, Scenario
from drills.subject import Kind


def runbook_steps(log: Log, alerts: Alerts) -> tuple[str, ...]:
    """The checks of the runbook of every alert that fired, or should have; as commands."""
    names = alerts.fired if cut_short(log) else (*alerts.fired, *alerts.missing)
    return tuple(_runbook(log, name) for name in names if name != ALWAYS)


def _runbook(log: Log, alert: str) -> str:
    return f"oidcwatch runbook run {alert} --issuer {log.opened.get('issuer', '')}"


def follow_ups(
    log: Log,
    scenario: Scenario,
    verifiers: Sequence[VerifierRecord],
    detected: Sequence[Detected],
    alerts: Alerts,
) -> tuple[str, ...]:
    """Sentences, the most pressing first. One that was cut short says nothing of verifiers, probes and alerts."""
    if cut_short(log):
        return tuple(_of_provider(log))
    return (
        *_of_provider(log),
        *_of_verifiers(scenario, verifiers, _flushable(log)),
        *_of_detection(scenario, detected),
        *_of_alerts(log, alerts),
        *_of_emulated(verifiers),
    )


def cut_short(log: Log) -> bool:
    """Whether the drill was ended before its time, or has not ended."""
    end = log.last(Entry.ENDED)
    return end is None or bool(end.said.get("ending"))


def _of_provider(log: Log) -> Iterator[str]:
    if log.touched:
        yield f"The provider is not as it was before: oidcwatch drill abort {log.id}"
    due = clean_due(log)
    if due is not None:
        when = f"{due:%Y-%m-%d %H:%M} UTC"
        yield f"Remove the drill's key after {when}, when its tokens have expired: oidcwatch drill abort {log.id}"
    if log.agents_told:
        yield f"Agents may still take the issuer's runs for a drill's: oidcwatch drill abort {log.id}"


def _of_verifiers(scenario: Scenario, verifiers: Sequence[VerifierRecord], flushable: frozenset[str]) -> Iterator[str]:
    measure = scenario.measures
    for each in verifiers:
        never = measure is not None and each.observed.of(measure) is None and each.bounds.of(measure) is None
        if measure is Measure.ACCEPT and never:
            yield f"Restart {each.name} before a new key signs, or make it fetch the key set again."
        elif measure is Measure.REJECT and never:
            way = "send each process one token of a new key, or restart it" if each.name in flushable else "restart it"
            yield f"{each.name} went on accepting a removed key: in an emergency {way}."
        elif not each.ok and not each.watched:
            yield f"Watch {each.name} for longer: {each.said}"
        elif not each.ok:
            yield f"Find out why {each.name} did not do what was predicted: {each.said}"
        elif each.out:
            yield f"Restart {each.name} after such a fault, and find out why it does not recover by itself."


def _flushable(log: Log) -> frozenset[str]:
    """Verifiers that a token with an unknown kid rids of a removed key."""
    rows = (ROW.validate_python(said["row"]) for said in log.predicted)
    return frozenset(row.name for row in rows if flushes(row))


def _of_detection(scenario: Scenario, detected: Sequence[Detected]) -> Iterator[str]:
    wanted = scenario.detects
    if wanted is not None and not any(each.expected for each in detected):
        ids = f" ({', '.join(sorted(wanted.findings))})" if wanted.findings else ""
        yield f"Find out why no probe said {' or '.join(sorted(wanted.reasons))}{ids}: the policy may not ask for it."


def _of_alerts(log: Log, alerts: Alerts) -> Iterator[str]:
    for name in alerts.missing:
        yield f"Find out why {name} did not fire: oidcwatch slo explain, and the rules in Prometheus."
    for name in alerts.unexpected:
        yield f"Decide whether {name} should have fired: {_runbook(log, name)}"


def _of_emulated(verifiers: Sequence[VerifierRecord]) -> Iterator[str]:
    emulated = [each.name for each in verifiers if each.kind is Kind.EMULATED]
    if emulated:
        were = "was" if len(emulated) == 1 else "were"
        yield f"Confirm with the real thing what the table says: {', '.join(emulated)} {were} emulated."
