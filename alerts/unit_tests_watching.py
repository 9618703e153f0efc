"""Unit tests for the alerts about the watcher: an agent that is gone, a check that stands still, an agent's health."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.scenarios import Fault, State, input_series, minutes_between_runs, region_series, series
from alerts.unit_tests_cases import Case, Expected, Material, region_of
from alerts.watching import ENOUGH, HEALTH, WATCHDOG
from exporters.slis import Matcher
from probes.model import Check

_FAULT = Fault()


def watching_stories(material: Material) -> Iterator[Case]:
    """What is told of the watcher."""
    if len(material.deployment.regions) > 1:
        yield _killed(material)
    if len(material.checks) > 1:
        yield _one_check(material)
    yield _nothing(material)
    yield _health(material)


def _told(material: Material, minute: int, name: str) -> Expected:
    return material.firing(minute, material.alerts[name], material.checks[0])


def _killed(material: Material) -> Case:
    start = max(5, material.pace)
    end = start + 9
    told = material.told(lambda place, minute: State.GONE if place == 0 and minute > start else State.GOOD, end, _FAULT)
    names = ["OidcRegionStalled", "OidcRegionUnseen"]
    regions = len(material.deployment.regions)
    everywhere = all(len(check.regions or material.deployment.regions) == regions for check in material.checks)
    if everywhere and any(check.probe == "login" for check in material.checks) and (regions - 1) / regions < ENOUGH:
        names.append("OidcRegionCoverageLow")
    return Case("an agent is killed", told, tuple(_told(material, end, name) for name in names))


def _one_check(material: Material) -> Case:
    still, *others = sorted(material.checks, key=lambda check: check.interval)
    end = int(3 * minutes_between_runs(material.deployment, still)) + 6
    told = (
        *input_series(material.deployment, [still], lambda _, minute: State.STILL, end, _FAULT),
        *input_series(material.deployment, others, lambda _, minute: State.GOOD, end, _FAULT),
        *region_series(material.deployment, lambda _, minute: State.GOOD, end),
    )
    alert, region = material.alerts["OidcProbeStalled"], region_of(material.deployment, still)
    expected = (material.firing(end, alert, still, region=region), _quiet(material, end, "OidcRegionStalled"))
    return Case("one check stands still", told, expected if _runs_there(material, others, region) else ())


def _runs_there(material: Material, checks: list[Check], region: str) -> bool:
    names = [each.name for each in material.deployment.regions]
    return any(region in (check.regions or names) for check in checks)


def _quiet(material: Material, minute: int, name: str) -> Expected:
    return material.quiet(minute, Matcher("alertname", "=", name))


def _nothing(material: Material) -> Case:
    names = ("OidcProbeAbsent", "OidcRegionQuorumLost", "OidcRegionStalled", "OidcRegionUnseen", WATCHDOG)
    return Case("there is no data at all", (), tuple(_told(material, 8, name) for name in names))


def _health(material: Material) -> Case:
    end, expected, told = 8, list[Expected](), []
    for row in HEALTH:
        values = [0.0] * (end + 1) if row.op == "<" else [float(minute) for minute in range(end + 1)]
        told.append(series(row.metric, {"instance": "agent:9100"}, values))
        expected.append(_told(material, end, row.name))
    return Case("an agent is not well", tuple(told), tuple(expected))
