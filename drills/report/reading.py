"""What follows from a record without being written in it."""

from __future__ import annotations

from datetime import datetime

from drills.record import Record, VerifierRecord
from drills.scenario import Generation, Judge, Measure


def asked(record: Record, verifier: VerifierRecord) -> bool:
    """Whether there is anything to judge: it was asked, and after the clock had started where there is one."""
    if record.measure is None:
        return bool(verifier.curve)
    return record.clock_started is not None and any(point.seconds >= 0 for point in verifier.curve)


def agrees(record: Record, verifier: VerifierRecord) -> bool:
    """Whether it did what the scenario foresees of verifiers."""
    return holds(record, verifier) and (record.judge is Judge.NO_IMPACT or verifier.watched)


def holds(record: Record, verifier: VerifierRecord) -> bool:
    """Whether the drill could pass with it."""
    return not refused(verifier) if record.judge is Judge.NO_IMPACT else verifier.ok


def never_accepts(record: Record, verifier: VerifierRecord) -> bool:
    """Whether it fails the drill even if that was predicted (see `Judge.AS_PREDICTED`)."""
    measured = record.judge is Judge.AS_PREDICTED and record.measure is Measure.ACCEPT and asked(record, verifier)
    return measured and verifier.observed.accept is None


def refused(verifier: VerifierRecord) -> bool:
    """Whether it ever refused a token."""
    return any(not point.ok for point in verifier.curve)


def stays_out(verifier: VerifierRecord) -> bool:
    """Whether it did not recover: also by its last answer, about the new token, or where there is none, about the old."""
    if verifier.out:
        return True
    for generation in (Generation.NEW, Generation.OLD):
        points = [point for point in verifier.curve if point.generation is generation]
        if points:
            return not max(points, key=lambda point: point.seconds).ok
    return False


def measured_until(record: Record) -> float | None:
    """Seconds from the report's zero until which answers count for the measured time; None: all do.

    A flush ends it as well as the end of the fault: a token of the new key makes verifiers fetch.
    """
    return fault_ended(record) if record.flushed is None else _since_zero(record, record.flushed)


def fault_ended(record: Record) -> float | None:
    """Seconds from the report's zero until the provider was as before, or as it is to stay; None when it never was."""
    return None if record.healed is None else _since_zero(record, record.healed)


def _since_zero(record: Record, moment: datetime) -> float:
    return (moment - (record.clock_started or record.started)).total_seconds()
