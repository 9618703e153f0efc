"""What a report says of each verifier: what was predicted, what came, and what it said itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drills.record import Record, VerifierRecord
from drills.report.reading import agrees, asked, holds, measured_until, never_accepts, stays_out
from drills.report.words import KINDS, NOTHING, span, within
from drills.scenario import ASKED, Generation, Judge

_LONGEST_REFUSAL = 300  # characters; all of it is in report.json
_JUDGED: Mapping[Judge, tuple[str, str]] = MappingProxyType(
    {
        Judge.NO_IMPACT: ("no impact", "impact"),
        Judge.AS_PREDICTED: ("as predicted", "differs"),
        Judge.DETECTED: ("watched", "differs"),
    }
)


@dataclass(frozen=True, slots=True)
class VerifierRow:
    """One verifier in the table."""

    name: str
    what: str
    predicted: str
    bound: str
    observed: str
    judged: str
    ok: bool | None
    """None: not judged, or not measured."""
    said: str
    why: str
    """Empty, or the rest of a sentence that begins with: predicted because."""
    recovery: str
    """A sentence, or empty."""
    refusals: tuple[str, ...]


def predicted_text(record: Record, verifier: VerifierRecord) -> str:
    """The predicted time of this drill."""
    if record.measure is None:
        return NOTHING
    predicted = verifier.predicted.of(record.measure)
    if predicted is not None:
        return span(predicted)
    if record.clock_started is None:
        return NOTHING
    return "never" if verifier.known else "nobody knows"


def observed_text(record: Record, verifier: VerifierRecord) -> str:
    """The observed time, or what is known instead."""
    if record.measure is None:
        refused = sum(not point.ok for point in verifier.curve)
        return f"{refused} of {len(verifier.curve)} refused" if verifier.curve else "not measured"
    observed = verifier.observed.of(record.measure)
    return _last_look(record, verifier, ASKED[record.measure]) if observed is None else span(observed)


def _last_look(record: Record, verifier: VerifierRecord, generation: Generation) -> str:
    ended = measured_until(record)
    seconds = [
        point.seconds
        for point in verifier.curve
        if point.generation is generation and point.seconds >= 0 and (ended is None or point.seconds <= ended)
    ]
    return within(max(seconds)) if seconds and record.clock_started else "not measured"


def judged(record: Record, verifier: VerifierRecord) -> str:
    """The judgement in a word or two."""
    if not asked(record, verifier):
        return "not measured"
    if record.judge is not Judge.NO_IMPACT and not verifier.watched:
        return "not watched for long enough"
    if verifier.ok and never_accepts(record, verifier):
        return "never accepts"
    return _JUDGED[record.judge][0 if agrees(record, verifier) else 1]


def well(record: Record, verifier: VerifierRecord) -> bool | None:
    """Whether the drill could pass with it; None where that is not judged, or was not measured."""
    if not asked(record, verifier):
        return None
    if record.judge is Judge.DETECTED and verifier.ok:
        return None
    return holds(record, verifier) and not never_accepts(record, verifier)


def verifier_row(record: Record, verifier: VerifierRecord) -> VerifierRow:
    """Its row of the table."""
    bound = verifier.bounds.of(record.measure) if record.measure else None
    return VerifierRow(
        name=verifier.name,
        what=" · ".join(filter(None, (KINDS[verifier.kind], verifier.language, verifier.version))),
        predicted=predicted_text(record, verifier),
        bound=NOTHING if record.measure is None else "no bound" if bound is None else span(bound),
        observed=observed_text(record, verifier),
        judged=judged(record, verifier),
        ok=well(record, verifier),
        said=_sentence(verifier.said.removeprefix(f"{verifier.name} ")),
        why=verifier.why.rstrip("."),
        recovery=_recovery(record, verifier),
        refusals=tuple(_brief(words) for words in verifier.refusals),
    )


def _recovery(record: Record, verifier: VerifierRecord) -> str:
    if verifier.recovered is not None:
        return f"It accepted every token {span(verifier.recovered)} after the end of the fault."
    return "It was not seen to recover." if record.healed and stays_out(verifier) else ""


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "!", "?")) or not words else ".")


def _brief(words: str) -> str:
    return words if len(words) <= _LONGEST_REFUSAL else f"{words[:_LONGEST_REFUSAL]}…"
