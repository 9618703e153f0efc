"""Unit tests for every objective: outage and its end, noise, one region, a stalled prober, young series, a drill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from alerts import series as s
from alerts.arithmetic import wilson_lower
from alerts.burn import burn_threshold, camel
from alerts.deployment import Slo
from alerts.model import ANY, ROLE, SEVERITY, SLO, Alert, Role
from alerts.recording import has_events, has_slices, of, short_window, spends_slices
from alerts.scenarios import Fault, State, minutes_between_runs
from alerts.unit_tests_cases import Case, Expected, Material, region_of
from alerts.watching import WATCHDOG
from alerts.windows import FAST, Severity
from exporters import metrics as m
from exporters.slis import Matcher
from probes.model import Check

_MINUTE = timedelta(minutes=1)
_FAULT = Fault()
_MARGIN = 4  # minutes: rules that read other groups' series are a step behind
_PAGE = Matcher(SEVERITY, "=", Severity.PAGE)


def objective_stories(material: Material) -> Iterator[Case]:
    """One case for each thing that may happen, with what each objective makes of it."""
    yield _outage(material)
    yield _noise(material)
    if len(material.deployment.regions) > 1:
        yield _one_region(material)
    yield _stalled(material)
    yield _young(material)
    yield _drill(material)


def _lead(material: Material) -> int:
    return max(5, material.pace)


def _length(material: Material) -> int:
    return max(26, 5 * material.pace + 2)


def _fast(material: Material, slo: Slo) -> Alert | None:
    return material.alerts.get(f"Oidc{camel(slo.name)}Burn{FAST.name.capitalize()}")


def _pages(material: Material, slo: Slo, checks: tuple[Check, ...]) -> Alert | None:
    """The page that a total outage must lead to; None where too few regions look, or more than all must be bad."""
    alert = _fast(material, slo)
    if alert is None or not material.looks_from_enough(checks):
        return None
    lead, length, threshold = _lead(material), _length(material), float(burn_threshold(slo, FAST))
    slices = has_slices(slo) and (length - material.pace - _MARGIN) / (lead + length) > threshold
    return alert if slices or _sure(material, slo, length, lead + length) > threshold else None


def _sure(material: Material, slo: Slo, bad: int, total: int) -> float:
    """The share of bad events that is certain after so many bad minutes, for one region's runs."""
    if not has_events(slo):
        return 0
    return wilson_lower(bad // material.pace, total // material.pace)


def _of(slo: Slo) -> Matcher:
    return Matcher(SLO, "=", slo.name)


def _target(slo: Slo) -> str:
    return ANY if slo.sli.issuer_wide else ""


def _outage(material: Material) -> Case:
    start = _lead(material)
    end = start + _length(material)
    ended, expected = end, list[Expected]()
    for slo, checks in material.slos.items():
        alert = _pages(material, slo, checks)
        expected.append(material.quiet(start, _of(slo), _PAGE))
        if alert is None:
            continue
        over = end + short_window(material.deployment, slo, FAST) // _MINUTE + alert.keep_firing // _MINUTE
        over += _MARGIN + material.pace
        expected.append(material.firing(end, alert, checks[0], target=_target(slo)))
        expected.append(material.quiet(over, _of(slo), Matcher("alertname", "=", alert.name)))
        ended = max(ended, over)
    told = material.told(lambda _, minute: State.BAD if start < minute <= end else State.GOOD, ended, _FAULT)
    return Case("a total outage fires, and its end resolves", told, tuple(expected))


def _noise(material: Material) -> Case:
    start, pace = _lead(material), material.pace
    end = start + pace + 7

    def story(place: int, minute: int) -> State:
        return State.NOISE if place == 0 and start < minute <= start + pace else State.GOOD

    told = material.told(story, end, _FAULT)
    quiet = [
        material.quiet(minute, _of(slo), each)
        for slo in material.slos
        for minute in (start + pace + 2, end)
        for each in (_PAGE, Matcher(ROLE, "=", Role.REGION))
    ]
    well = material.quiet(start, Matcher("alertname", "!=", WATCHDOG))
    causes = material.quiet(start + pace + 2, Matcher(ROLE, "=", Role.CAUSE))
    return Case("one failed run of each check stays quiet", told, (well, causes, *quiet))


def _one_region(material: Material) -> Case:
    start = _lead(material)
    end = start + _length(material)
    first = material.deployment.regions[0].name
    told = material.told(lambda place, minute: State.BAD if place == 0 and minute > start else State.GOOD, end, _FAULT)
    expected = []
    for slo, checks in material.slos.items():
        if not all(len(check.regions or material.deployment.regions) > 1 for check in checks):
            continue
        expected.append(material.quiet(end, _of(slo), _PAGE))
        alert = material.alerts.get(f"Oidc{camel(slo.name)}Region")
        sure = _sure(material, slo, end - start, end) > burn_threshold(slo, FAST)
        if alert and sure and region_of(material.deployment, checks[0]) == first:
            expected.append(material.firing(end, alert, checks[0], region=first, target=_target(slo)))
    return Case("one region alone is a ticket and no page", told, tuple(expected))


def _stalled(material: Material) -> Case:
    start = _lead(material)
    quickest = min(minutes_between_runs(material.deployment, check) for check in material.checks)
    end = start + max(12, int(3 * quickest) + 5)
    told = material.told(lambda _, minute: State.STILL if minute > start else State.GOOD, end, _FAULT)
    felt = Matcher(ROLE, "=~", f"{Role.SYMPTOM}|{Role.REGION}")
    quiet = (material.quiet(end, _of(slo), felt) for slo in material.slos)
    stalled = material.firing(end, material.alerts["OidcRegionStalled"], material.checks[0])
    return Case("a stalled prober is told, and no outage", told, (*quiet, stalled))


def _young(material: Material) -> Case:
    pace = material.pace
    end = 2 * pace + 4

    def story(place: int, minute: int) -> State:
        return State.NOISE if place == 0 and minute <= 2 * pace + 1 and minute != pace + 1 else State.GOOD

    minutes = (pace + 1, 2 * pace + 2, end)
    quiet = (material.quiet(minute, _of(slo), _PAGE) for slo in material.slos for minute in minutes)
    told = material.told(story, end, _FAULT)
    return Case("first runs that fail stay quiet", told, tuple(quiet))


def _drill(material: Material) -> Case:
    start = _lead(material)
    end = start + _length(material)
    real = material.told(lambda _, minute: State.GOOD, end, _FAULT)
    drill = material.told(lambda _, minute: State.BAD if minute > start else State.GOOD, end, _FAULT, drill=True)
    # The series of the regions are the same in both.
    told: Mapping[str, dict[str, str]] = {each["series"]: each for each in (*real, *drill)}
    no_drill = Matcher(m.DRILL, "=", "false")
    expected = [material.firing(end, material.alerts["OidcDrillRunning"], material.checks[0], drill=True)]
    for slo, checks in material.slos.items():
        alert = _pages(material, slo, checks)
        if alert is not None:
            expected.append(material.firing(end, alert, checks[0], target=_target(slo), drill=True))
        expected.append(material.quiet(end, _of(slo), no_drill))
        if material.looks_from_enough(checks) or not spends_slices(slo):
            left = of(s.BUDGET_LEFT, slo, no_drill)
            expected.append(Expected(end, f"count({left} == 1) > bool 0", ("{}",)))
    return Case("a drill fires as a drill and spends no budget", tuple(told.values()), tuple(expected))
