"""What a report says of each verifier: what was predicted, what came, and what it said itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drills.record import Record, VerifierRecord
from drills.report.words import ASKED, KINDS, MEASURES, span, within
from drills.scenario import Generation, Judge

_MOST_REFUSALS = 6
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
    ok: bool
    said: str
    why: str
    others: tuple[str, ...]
    """Further sentences: other times that were seen, and the recovery."""
    refusals: tuple[str, ...]
    refusals_left_out: int


def predicted_text(record: Record, verifier: VerifierRecord) -> str:
    """The predicted time of this drill."""
    if record.measure is None:
        return "–"
    predicted = verifier.predicted.of(record.measure)
    return "never" if predicted is None else span(predicted)


def observed_text(record: Record, verifier: VerifierRecord) -> str:
    """The observed time, or what is known instead."""
    if record.measure is None:
        refused = sum(not point.ok for point in verifier.curve)
        return f"{refused} of {len(verifier.curve)} refused" if verifier.curve else "not measured"
    observed = verifier.observed.of(record.measure)
    return _last_look(verifier, ASKED[record.measure]) if observed is None else span(observed)


def _last_look(verifier: VerifierRecord, generation: Generation) -> str:
    seconds = [point.seconds for point in verifier.curve if point.generation is generation and point.seconds >= 0]
    return within(max(seconds)) if seconds else "not measured"


def judged(record: Record, verifier: VerifierRecord) -> str:
    """The judgement in a word or two."""
    return _JUDGED[record.judge][0 if verifier.ok else 1]


def verifier_row(record: Record, verifier: VerifierRecord) -> VerifierRow:
    """Its row of the table."""
    bound = verifier.bounds.of(record.measure) if record.measure else None
    return VerifierRow(
        name=verifier.name,
        what=" · ".join(filter(None, (KINDS[verifier.kind], verifier.language, verifier.version))),
        predicted=predicted_text(record, verifier),
        bound="–" if record.measure is None else "no bound" if bound is None else span(bound),
        observed=observed_text(record, verifier),
        judged=judged(record, verifier),
        ok=verifier.ok,
        said=verifier.said,
        why=verifier.why,
        others=tuple(_others(record, verifier)),
        refusals=verifier.refusals[:_MOST_REFUSALS],
        refusals_left_out=max(0, len(verifier.refusals) - _MOST_REFUSALS),
    )


def _others(record: Record, verifier: VerifierRecord) -> Iterator[str]:
    for measure, (name, _) in MEASURES.items():
        observed, predicted = verifier.observed.of(measure), verifier.predicted.of(measure)
        if measure is not record.measure and observed is not None:
            yield f"{name} was {span(observed)}, predicted {'never' if predicted is None else span(predicted)}"
    if verifier.recovered is not None:
        yield f"accepted every token {span(verifier.recovered)} after the end of the fault"
    elif record.healed and refused(verifier) and record.recover_seconds is None:
        yield "was not seen to recover"


def refused(verifier: VerifierRecord) -> bool:
    """Whether it ever did."""
    return bool(verifier.refusals) or any(not point.ok for point in verifier.curve)
