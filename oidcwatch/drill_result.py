"""Prints how a drill ended: predicted against observed for each verifier, alerts, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drills.history import Trend, trend
from drills.record import Alerts, Checked, Record, Verdict, VerifierRecord
from drills.report.reading import asked, holds
from drills.report.verifier_rows import observed_text, predicted_text
from drills.report.words import KINDS, MEASURES, VERDICTS, span
from exporters.report import printable

if TYPE_CHECKING:
    from rich.console import Console


class Ending(IntEnum):
    """Exit codes of commands that run or settle drills."""

    PASSED = 0
    FAILED = 1
    BAD_CALL = 2
    NOT_RUN = 3
    """The preflight, the provider or a lab did not let it start. Nothing was changed."""
    ABORTED = 4
    """It was rolled back before its time."""
    NOT_RESTORED = 5
    """The provider is not as it was before: somebody must look at once."""


CODES: Mapping[Verdict, Ending] = MappingProxyType(
    {Verdict.PASS: Ending.PASSED, Verdict.FAIL: Ending.FAILED, Verdict.ABORTED: Ending.ABORTED}
)


def print_record(record: Record, report: Path, out: Console) -> None:
    """The end of a drill, on a screen."""
    _print_verifiers(record, out)
    lines = (*_alerts(record.alerts), *_spans(record), "", *_verdict(record), *_follow_ups(record), f"report: {report}")
    for line in lines:
        out.print(printable(line), highlight=False, markup=False, soft_wrap=True)


def print_preflight(checks: Iterable[Checked], out: Console) -> None:
    """What was looked at before a drill that must not start."""
    for check in checks:
        line = f"{'ok ' if check.ok else 'NOT'} {check.name}: {check.text}"
        out.print(printable(line), highlight=False, markup=False, soft_wrap=True)


def summary_line(record: Record, report: Path) -> str:
    """One drill of many in one line."""
    because = record.because[0] if record.because else ""
    return printable(f"{record.started:%Y-%m-%d %H:%M:%SZ} {record.scenario}: {record.verdict}: {because} ({report})")


def print_history(drills: Iterable[Record], out: Console) -> None:
    """A line for each drill, and how it compares with the one before it."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("drill", "issuer", "verdict", "as predicted", "decisive", "detect", "page", "recover", "change"):
        table.add_column(title, overflow="fold")
    for row in trend(drills):
        table.add_row(*(Text(printable(cell)) for cell in _trend_cells(row)))
    out.print(table)


def trend_json(row: Trend) -> dict[str, Any]:
    """A row of the history; spans in seconds."""
    return {
        "id": row.id,
        "scenario": row.scenario,
        "issuer": row.issuer,
        "started": row.started.isoformat(),
        "verdict": row.verdict,
        "measure": row.measure,
        "decisive": row.decisive,
        "detect": row.detect,
        "page": row.page,
        "recover": row.recover,
        "as_predicted": row.as_predicted,
        "verifiers": row.verifiers,
        "change": row.change,
        "why": row.why,
    }


def _trend_cells(row: Trend) -> tuple[str, ...]:
    spans = (_span(each) for each in (row.decisive, row.detect, row.page, row.recover))
    change = f"{row.change}{f': {row.why}' if row.why else ''}" if row.change else "-"
    return row.id, row.issuer, row.verdict, f"{row.as_predicted} of {row.verifiers}", *spans, change


def _print_verifiers(record: Record, out: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    if not record.verifiers:
        return
    measure = f" {MEASURES[record.measure][0]}" if record.measure else ""
    table = Table(box=None, pad_edge=False)
    for title in ("verifier", "version", "kind", f"predicted{measure}", f"observed{measure}", "", "judgement"):
        table.add_column(title, overflow="fold")
    for each in record.verifiers:
        table.add_row(*(Text(printable(cell)) for cell in _cells(record, each)))
    out.print(table)


def _cells(record: Record, each: VerifierRecord) -> tuple[str, ...]:
    unknown = not asked(record, each) or (record.verdict is Verdict.ABORTED and not each.watched)
    mark = "-" if unknown else "ok" if holds(record, each) else "NOT"
    times = predicted_text(record, each), observed_text(record, each)
    return each.name, each.version, KINDS[each.kind], *times, mark, each.said


def _alerts(alerts: Alerts) -> Iterator[str]:
    if not alerts.looked:
        yield "alerts: nobody looked (--prometheus URL, or alerting.prometheus_url)"
        return
    for name in ("expected", "fired", "missing", "unexpected"):
        yield f"alerts {name}: {', '.join(getattr(alerts, name)) or 'none'}"
    if alerts.consequences:
        yield f"alerts that follow from those expected, or disturbed nobody: {', '.join(alerts.consequences)}"
    if alerts.not_judged:
        yield f"alerts not judged, as they fired before the first move: {', '.join(alerts.not_judged)}"


def _spans(record: Record) -> Iterator[str]:
    spans = (("detected", record.detect_seconds), ("paged", record.page_seconds), ("recovered", record.recover_seconds))
    told = [f"{name} after {span(seconds)}" for name, seconds in spans if seconds is not None]
    if told:
        yield ", ".join(told)
    first = next((each for each in record.detected if each.expected), None)
    if first is not None:
        yield f"{first.by} says {first.reason}, owner {first.owner}"


def _verdict(record: Record) -> Iterator[str]:
    first, *others = record.because or ("",)
    verdict = VERDICTS[record.verdict]
    yield f"{verdict}: {first.removeprefix(f'{verdict}: ')}"
    yield from (f"  {sentence}" for sentence in others)


def _follow_ups(record: Record) -> Iterator[str]:
    yield from (f"to do: {sentence}" for sentence in record.follow_ups)


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else span(seconds)
