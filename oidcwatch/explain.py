"""What `oidcwatch slo explain` says: the noise that was measured, a table for people, rows for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.deployment import Slo
from alerts.measurability import Measured, Subject, TierVerdict, subject_of
from alerts.windows import Severity
from exporters.sqlite_file import StoreError
from exporters.stored_runs import lone_failures

_LOOK_BACK = timedelta(days=7)
_ENOUGH_RUNS = 1000
"""Under which a measured share says nothing about a noise of a few per mille."""

Failures = Mapping[tuple[str, str, str], tuple[int, int]]
"""By issuer, target and probe: failures that stood alone, and runs."""


@dataclass(frozen=True, slots=True)
class ObservedNoise:
    """The noise of each subject as far as it was measured, and the same assumption for all others."""

    failures: Failures
    assumed: float

    def __call__(self, slo: Slo, subject: Subject) -> float:
        """The share of runs that fail at random, to two digits."""
        alone, runs = self._counted(slo, subject)
        return float(f"{alone / runs:.2g}") if runs >= _ENOUGH_RUNS else self.assumed

    def measured(self, slo: Slo, subject: Subject) -> bool:
        """Whether it comes from the run history."""
        return self._counted(slo, subject)[1] >= _ENOUGH_RUNS

    def _counted(self, slo: Slo, subject: Subject) -> tuple[int, int]:
        found = [
            counts
            for (issuer, target, probe), counts in self.failures.items()
            if probe in slo.sli.probes and subject_of(slo, issuer, target) == subject
        ]
        return sum(alone for alone, _ in found), sum(runs for _, runs in found)


def observed(store: Path, now: datetime, assumed: float) -> ObservedNoise:
    """The noise of the last days, where an agent keeps a run history there. Raises StoreError when it is unreadable."""
    try:
        there = store.exists()
    except OSError as error:
        raise StoreError(f"{store}: {error.strerror}") from error
    return ObservedNoise(lone_failures(store, now - _LOOK_BACK, now) if there else {}, assumed)


def rows(found: Iterable[Measured]) -> list[dict[str, Any]]:
    """One object for each objective, subject and tier; keys are only ever added (docs: `oidcwatch slo explain`)."""
    return [_row(each, subject, verdict) for each in found for subject in each.subjects for verdict in each.tiers]


def _row(measured: Measured, subject: Subject, verdict: TierVerdict) -> dict[str, Any]:
    return {
        "slo": measured.slo.name,
        "issuer": subject.issuer,
        "target": subject.target,
        "objective": float(measured.slo.objective),
        "window_days": measured.slo.window.days,
        "tier": verdict.tier.name,
        "severity": verdict.tier.severity.value,
        "can_fire": verdict.can_fire,
        "why_not": verdict.obstacle or None,
        "k": verdict.k,
        "n": verdict.n,
        "unit": verdict.unit,
        "detect_outage_seconds": _seconds(verdict.outage),
        "detect_half_seconds": _seconds(verdict.half),
        "detect_fifth_seconds": _seconds(verdict.fifth),
        "false_pages_per_30d": round(verdict.false_alarms, 1),
        "noise": measured.noise,
        "regions": len(measured.shape.regions),
        "budget_runs": round(measured.budget_runs, 1),
        "budget_minutes": round(measured.budget_minutes, 1),
        "measurable": not any(advice.refuses for advice in measured.advice),
        "advice": [advice.text for advice in measured.advice],
    }


def refuses(found: Iterable[Measured]) -> bool:
    """Whether some objective cannot be measured."""
    return any(advice.refuses for each in found for advice in each.advice)


def print_explained(found: Sequence[Measured], noise: ObservedNoise, console: Console) -> None:
    """A table for each objective and way of probing, and what to do about it."""
    for measured in found:
        console.print(_headline(measured, noise))
        console.print(_table(measured))
        for advice in measured.advice:
            sign, colour = ("cannot be measured", "bold red") if advice.refuses else ("advice", "yellow")
            console.print(Text.assemble((f"  {sign}: ", colour), advice.text))
        console.print()
    console.print(
        "k of n: bad ones of those in the long window from which on the tier fires. Times run from the first bad run, in "
        "every region; a scrape, an evaluation of the rules and Alertmanager's group_wait come on top."
    )


def _headline(measured: Measured, noise: ObservedNoise) -> Text:
    slo, intervals = measured.slo, sorted({each for region in measured.shape.regions for each in region})
    origin = "measured" if noise.measured(slo, measured.subjects[0]) else "assumed"
    facts = [
        f"{slo.objective} % of {slo.window.days} d",
        f"{len(measured.shape.regions)} region{'s' * (len(measured.shape.regions) > 1)} every "
        + ", ".join(f"{interval:g} s" for interval in intervals),
        f"budget {measured.budget_minutes:.0f} min"
        + (f" or {measured.budget_runs:.0f} runs" if measured.budget_runs else ""),
        f"noise {measured.noise:.2%} ({origin})",
    ]
    return Text.assemble((slo.name, "bold"), f" for {_names(measured.subjects)}: {'; '.join(facts)}")


def _names(subjects: Sequence[Subject], shown: int = 3) -> str:
    more = f" and {len(subjects) - shown} more" if len(subjects) > shown else ""
    return ", ".join(map(str, subjects[:shown])) + more


def _table(measured: Measured) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("  tier", "severity", "fires at"):
        table.add_column(title)
    for title in ("outage", "half fail", "a fifth fails", "false in 30 d"):
        table.add_column(title, justify="right")
    for verdict in measured.tiers:
        table.add_row(*_cells(verdict))
    return table


def _cells(verdict: TierVerdict) -> Iterator[Text]:
    colour = {Severity.PAGE: "red", Severity.TICKET: "cyan"}.get(verdict.tier.severity, "")
    yield Text(f"  {verdict.tier.name}")
    yield Text(verdict.tier.severity.value, colour)
    if verdict.obstacle:
        yield Text(f"never: {verdict.obstacle}", "dim")
        return
    yield Text(f"{'slices alone' if verdict.k is None else f'{verdict.k} of {verdict.n} {verdict.unit}'}")
    for minutes in (verdict.outage, verdict.half, verdict.fifth):
        yield Text("-" if minutes is None else f"{minutes:g} min")
    yield Text(f"{verdict.false_alarms:.1f}", "yellow" if verdict.false_alarms >= 1 else "")


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else minutes * 60
