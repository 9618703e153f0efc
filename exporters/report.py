"""Results of single runs for people and tools: text, JSON and JUnit XML, as `oidcwatch probe` and the API give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table
from rich.text import Text

from probes.model import Failure, Finding, Outcome, ProbeResult, Reason, Severity
from probes.reasons import REASONS, outcome, owner_of

Json = dict[str, Any]


def results_json(results: Iterable[ProbeResult]) -> list[Json]:
    """One object for each run; keys are only ever added (docs: `oidcwatch probe --json`)."""
    return [_result_json(result) for result in results]


def _result_json(result: ProbeResult) -> Json:
    failure = result.failure
    return {
        "check": result.check.name,
        "region": result.region,
        "ok": result.ok,
        "outcome": outcome(failure.reason if failure else None).value,
        "stage": failure.stage.value if failure else None,
        "reason": failure.reason.value if failure else None,
        "detail": failure.detail if failure else None,
        "owner": owner_of(failure.reason, result.check.issuer.owner) if failure else None,
        "what_to_do": REASONS[failure.reason].confirm if failure else None,
        "runbook": REASONS[failure.reason].runbook if failure else None,
        "oauth_error": (failure.oauth_error or None) if failure else None,
        "first_try": result.first_try.reason.value if result.first_try else None,
        "run_id": result.run_id,
        "started_at": result.started_at.isoformat(),
        "seconds": round(result.seconds, 6),
        "steps": [
            {
                "name": step.name.value,
                "seconds": round(step.seconds, 6),
                "ok": step.ok,
                "attributes": dict(step.attributes),
            }
            for step in result.steps
        ],
        "findings": [
            {
                "id": finding.check_id,
                "severity": finding.severity.value,
                "message": finding.message,
                "citation": finding.citation,
            }
            for finding in result.findings
        ],
        "artifacts": [artifact.name for artifact in result.artifacts],
    }


def exit_code(results: Iterable[ProbeResult]) -> int:
    """0 when all are ok, 1 when one failed, 3 when only probes themselves broke (2 is for bad calls)."""
    reasons = {result.failure.reason for result in results if result.failure}
    if not reasons:
        return 0
    return 3 if reasons == {Reason.PROBE_ERROR} else 1


def printable(text: str) -> str:
    """The text without control characters: what a provider sends must not drive a terminal or break XML."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


# --- JUnit ------------------------------------------------------------------------------------------------------------


def junit(results: Sequence[ProbeResult]) -> str:
    """JUnit XML: a suite for each region, a case for each check; a broken probe is an error, not a failure."""
    root = ElementTree.Element("testsuites", name="oidcwatch")
    for region in dict.fromkeys(result.region for result in results):
        _suite(root, region, [result for result in results if result.region == region])
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, region: str, results: Sequence[ProbeResult]) -> None:
    broken = sum(1 for result in results if result.failure and result.failure.reason is Reason.PROBE_ERROR)
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=f"oidcwatch.{region}",
        tests=str(len(results)),
        failures=str(sum(not result.ok for result in results) - broken),
        errors=str(broken),
        skipped="0",
        time=f"{sum(result.seconds for result in results):.3f}",
        # JUnit's schema has no offset here; the time is UTC.
        timestamp=min(result.started_at for result in results).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
    )
    for result in results:
        _case(suite, result)


def _case(suite: ElementTree.Element, result: ProbeResult) -> None:
    check = result.check
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"{check.issuer.name}/{check.target}",
        name=check.probe,
        time=f"{result.seconds:.3f}",
    )
    properties = ElementTree.SubElement(case, "properties")
    for name, value in (("check", check.name), ("region", result.region), ("run_id", result.run_id)):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for step in result.steps:
        ElementTree.SubElement(properties, "property", name=f"step.{step.name}", value=f"{step.seconds:.3f}")
    if result.failure:
        _problem(case, properties, result, result.failure)
    if result.findings:
        lines = [_finding_line(finding) for finding in result.findings]
        ElementTree.SubElement(case, "system-out").text = printable("\n".join(lines))


def _problem(case: ElementTree.Element, properties: ElementTree.Element, result: ProbeResult, failure: Failure) -> None:
    row = REASONS[failure.reason]
    facts = {
        "reason": failure.reason.value,
        "stage": failure.stage.value,
        "owner": owner_of(failure.reason, result.check.issuer.owner),
        "runbook": row.runbook,
    }
    for name, value in facts.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    tag = "error" if failure.reason is Reason.PROBE_ERROR else "failure"
    problem = ElementTree.SubElement(
        case, tag, type=failure.reason.value, message=printable(f"{failure.stage}: {failure.detail}")
    )
    problem.text = printable(
        "\n".join(
            (
                row.meaning,
                *(f"{name}: {value}" for name, value in facts.items()),
                f"detail: {failure.detail}",
                f"cause: {row.cause}",
                f"confirm: {row.confirm}",
            )
        )
    )


def _finding_line(finding: Finding) -> str:
    return f"{finding.severity} {finding.check_id}: {finding.message} [{finding.citation}]"


# --- text -------------------------------------------------------------------------------------------------------------


def print_report(results: Sequence[ProbeResult], console: Console) -> None:
    """A table of all runs, then what to do about each that failed. Nothing from outside is taken as markup."""
    table = Table(box=None, pad_edge=False)
    for title in ("check", "region", "result", "stage", "reason"):
        table.add_column(title, overflow="fold")
    table.add_column("seconds", justify="right")
    for result in results:
        table.add_row(*_cells(result))
    console.print(table)
    for result in results:
        if result.failure:
            _print_failure(result, result.failure, console)
        for finding in result.findings:
            if finding.severity is not Severity.INFO:
                console.print(Text(printable(f"{result.check.name}: {_finding_line(finding)}"), "yellow"))


_VERDICTS: Mapping[Outcome, Text] = MappingProxyType(
    {
        Outcome.SUCCESS: Text("ok", "green"),
        Outcome.FAILURE: Text("failed", "bold red"),
        Outcome.EXCLUDED: Text("excluded", "yellow"),
    }
)


def _cells(result: ProbeResult) -> tuple[Text, ...]:
    failure = result.failure
    verdict = _VERDICTS[outcome(failure.reason if failure else None)]
    return (
        Text(result.check.name),
        Text(result.region),
        verdict,
        Text(failure.stage if failure else ""),
        Text(failure.reason if failure else ""),
        Text(f"{result.seconds:.2f}"),
    )


def _print_failure(result: ProbeResult, failure: Failure, console: Console) -> None:
    row = REASONS[failure.reason]
    console.print()
    console.print(Text(f"{result.check.name} from {result.region} failed at {failure.stage}: {failure.reason}", "bold"))
    for name, value in (
        ("meaning", row.meaning),
        ("detail", failure.detail),
        ("likely", row.cause),
        ("owner", owner_of(failure.reason, result.check.issuer.owner)),
        ("confirm", row.confirm),
        ("run", f"{result.run_id} at {_clock_time(result.started_at)}"),
    ):
        console.print(Text.assemble((f"  {name:<8} ", "dim"), printable(value)))


def _clock_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
