"""Earlier drills: what their reports say, and whether a scenario goes better or worse than it did."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from drills.record import Record, Verdict, VerifierRecord, from_json
from drills.report.reading import agrees, asked, stays_out
from drills.scenario import Measure

REPORT = "report.json"
"""The file in a drill's folder that its record is read from."""
_NOISE = 0.1
"""Share of a time by which two drills may differ and be the same."""
_ENDED = MappingProxyType({Verdict.PASS: "passed", Verdict.FAIL: "failed"})
_LOG = logging.getLogger(__name__)


class Change(StrEnum):
    """A drill beside the one before it."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Trend:
    """One drill as a row of the history. Spans are seconds; None: not measured, or it did not come."""

    id: str
    scenario: str
    issuer: str
    started: datetime
    verdict: Verdict
    measure: Measure | None
    decisive: float | None
    """The observed time that decides: the slowest T_accept or T_reject, the soonest T_outage, of those that came."""
    detect: float | None
    page: float | None
    recover: float | None
    as_predicted: int
    """How many verifiers did what the scenario foresees."""
    verifiers: int
    """How many it is known of: none when the drill was aborted before its clock started."""
    change: Change | None
    """Against the drill before of the same scenario and issuer; None without one, or when either was aborted."""
    why: str
    """What changed, in words; empty when nothing did."""

    @property
    def share(self) -> float | None:
        """Of verifiers that did what was predicted; None without verifiers."""
        return self.as_predicted / self.verifiers if self.verifiers else None


def records(folder: Path, broken: Callable[[str], None] = _LOG.warning) -> tuple[Record, ...]:
    """The records of every drill under the folder, newest last. `broken` is told of each file that cannot be read."""
    found = []
    for file in sorted(folder.glob(f"*/{REPORT}")):
        try:
            found.append(read_record(file))
        except (OSError, ValueError) as error:
            broken(str(error))
    return tuple(sorted(found, key=lambda record: (record.started, record.id)))


def read_record(file: Path) -> Record:
    """One record. Raises ValueError that names the file for what is no record, OSError for what cannot be read."""
    try:
        return from_json(json.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole file"
        raise ValueError(f"{file} is no report of a drill: {place}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no report of a drill: {error}") from None


def trend(drills: Iterable[Record]) -> tuple[Trend, ...]:
    """A row for each drill in the order of time, compared with the one before of its scenario and issuer."""
    before: dict[tuple[str, str], Record] = {}
    rows = []
    for record in sorted(drills, key=lambda record: (record.started, record.id)):
        rows.append(_row(record, before.get((record.scenario, record.issuer))))
        if record.verdict is not Verdict.ABORTED:
            before[record.scenario, record.issuer] = record
    return tuple(rows)


def before(record: Record, drills: Iterable[Record]) -> tuple[Record, ...]:
    """Those of the same scenario on the same issuer that were started earlier, newest last."""
    kin = (
        other
        for other in drills
        if (other.scenario, other.issuer) == (record.scenario, record.issuer)
        and other.id != record.id
        and other.started <= record.started
    )
    return tuple(sorted(kin, key=lambda other: (other.started, other.id)))


def _row(record: Record, earlier: Record | None) -> Trend:
    change, why = _compared(record, earlier)
    seen = [verifier for verifier in record.verifiers if asked(record, verifier)]
    return Trend(
        id=record.id,
        scenario=record.scenario,
        issuer=record.issuer,
        started=record.started,
        verdict=record.verdict,
        measure=record.measure,
        decisive=decisive(record),
        detect=record.detect_seconds,
        page=record.page_seconds,
        recover=record.recover_seconds,
        as_predicted=sum(agrees(record, verifier) for verifier in seen),
        verifiers=len(seen),
        change=change,
        why=why,
    )


_DECIDES: Mapping[Measure, Callable[[Sequence[float]], float]] = MappingProxyType(
    {Measure.ACCEPT: max, Measure.REJECT: max, Measure.OUTAGE: min}
)


def decisive(record: Record) -> float | None:
    """The observed time in seconds that users feel: see `Trend.decisive`."""
    if record.measure is None:
        return None
    times = [time for verifier in record.verifiers if (time := verifier.observed.of(record.measure)) is not None]
    return _DECIDES[record.measure](times) if times else None


def _compared(record: Record, earlier: Record | None) -> tuple[Change | None, str]:
    """What matters most decides: the verdict, then the share as predicted, then times that differ by more than noise."""
    if earlier is None or Verdict.ABORTED in (record.verdict, earlier.verdict):
        return None, ""
    if record.verdict is not earlier.verdict:
        passed = record.verdict is Verdict.PASS
        return (
            Change.BETTER if passed else Change.WORSE
        ), f"{_ENDED[earlier.verdict]} before, {_ENDED[record.verdict]} now"
    for name, old, new, more_is_better in _figures(earlier, record):
        if old is not None and new is not None and abs(new - old) > _noise(name, old, record):
            gained = (new > old) is more_is_better
            return (
                Change.BETTER if gained else Change.WORSE
            ), f"{name} {_said(name, old)} before, {_said(name, new)} now"
    return Change.SAME, ""


_SHARE, _OUT, _NEVER = "as predicted", "not recovered", "never came"
"""Figures that are shares of the verifiers; the others are seconds."""
_Figure = tuple[str, float | None, float | None, bool]


def _figures(earlier: Record, record: Record) -> tuple[_Figure, ...]:
    """What is compared: a name, the value of each drill, and whether more is better; the most telling first."""
    outage = record.measure is Measure.OUTAGE
    old, new = (_survived(earlier), _survived(record)) if outage else (decisive(earlier), decisive(record))
    return (
        (_SHARE, _share(earlier, agrees), _share(record, agrees), True),
        (_OUT, _share(earlier, _is_out), _share(record, _is_out), False),
        ("recovery", earlier.recover_seconds, record.recover_seconds, False),
        # Where it never came is no time, and worse than any, but for an outage.
        *(() if outage else ((_NEVER, _share(earlier, _never_came), _share(record, _never_came), False),)),
        ("the deciding time", old, new, outage),
        ("detection", earlier.detect_seconds, record.detect_seconds, False),
        ("page", earlier.page_seconds, record.page_seconds, False),
    )


def _share(record: Record, of: Callable[[Record, VerifierRecord], bool]) -> float | None:
    seen = [of(record, verifier) for verifier in record.verifiers if asked(record, verifier)]
    return sum(seen) / len(seen) if seen else None


def _is_out(_: Record, verifier: VerifierRecord) -> bool:
    return stays_out(verifier)


def _never_came(record: Record, verifier: VerifierRecord) -> bool:
    return record.measure is not None and verifier.observed.of(record.measure) is None


def _survived(record: Record) -> float | None:
    """T_outage of the drill: endless when every verifier went on without the key set."""
    return math.inf if _share(record, _never_came) == 1.0 else decisive(record)


def _noise(name: str, old: float, record: Record) -> float:
    """Two polls, or a tenth: less says nothing."""
    if name in (_SHARE, _OUT, _NEVER) or math.isinf(old):
        return 0.0
    return max(2 * record.poll, _NOISE * old)


def _said(name: str, value: float) -> str:
    if name in (_SHARE, _OUT, _NEVER):
        return f"{value:.0%}"
    return "never" if math.isinf(value) else f"{value:.1f} s"
