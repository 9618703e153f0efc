"""Unit tests for every finding about a key rotation: it is told, a change is not missed, and one region wakes nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from alerts.model import ROLE, Alert, Role
from alerts.rotation import ROTATION_ALERTS, RotationAlert
from alerts.rotation_table import ROTATION, RotationRow, Seen
from alerts.scenarios import Series, series
from alerts.unit_tests_cases import Case, Expected, Material
from exporters import metrics as m
from exporters.findings import LEVELS, PROBE
from exporters.slis import Matcher
from probes.model import Check, Severity

_END = 10
"""Minutes: more than a run of one check, less than the half hour for which a change is told."""
_BLIND = 2
"""The minute in which all regions but one lose their sight."""
_FAILURE = LEVELS[Severity.FAILURE]

Level = Callable[[RotationRow, int, int], int | None]
"""Of a finding, in the region with that number, in that minute; None where nobody knows."""


def rotation_stories(material: Material) -> Iterator[Case]:
    """All findings at once, since each is told apart by its label."""
    for check in material.checks:
        if check.probe == PROBE:
            yield _everywhere(material, check)
            yield _once(material, check)
            yield _sound(material, check)
            if len(_regions(material, check)) > 1:
                yield _one_region(material, check)
                yield _blind_region(material, check)


def _everywhere(material: Material, check: Check) -> Case:
    told = _levels(material, check, lambda row, place, minute: _FAILURE)
    expected = [_firing(material, check, alert, row) for alert, row in _told(material, check)]
    return Case("each broken rule of a rotation is told", told, tuple(expected))


def _once(material: Material, check: Check) -> Case:
    told = _levels(material, check, lambda row, place, minute: _FAILURE if minute == 1 else 0)
    expected = [_firing(material, check, alert, row) for alert, row in _told(material, check) if row.seen is Seen.ONCE]
    return Case("a change that one run tells of is told after minutes", told, tuple(expected))


def _sound(material: Material, check: Check) -> Case:
    told = _levels(material, check, lambda row, place, minute: 0)
    return Case(
        "a sound rotation is told of to nobody", told, (material.quiet(_END, Matcher(ROLE, "=", Role.FINDING)),)
    )


def _one_region(material: Material, check: Check) -> Case:
    told = _levels(material, check, lambda row, place, minute: 0 if place else _FAILURE)
    expected = [
        material.quiet(_END, Matcher("alertname", "=", alert.name), Matcher(m.FINDING.name, "=", row.id))
        if alert.needs_most(row)
        else _firing(material, check, alert, row)
        for alert, row in _told(material, check)
    ]
    return Case(
        "a broken rule that one region of several sees wakes nobody where most must see it", told, tuple(expected)
    )


def _blind_region(material: Material, check: Check) -> Case:
    """One has never judged, as behind a proxy that is down; others found all sound and have lost their sight since."""

    def level(row: RotationRow, place: int, minute: int) -> int | None:
        if not place:
            return _FAILURE
        return 0 if place > 1 and minute < _BLIND else None

    expected = [_firing(material, check, alert, row) for alert, row in _told(material, check)]
    return Case(
        "regions that are blind do not outvote the one that sees", _levels(material, check, level), tuple(expected)
    )


def _told(material: Material, check: Check) -> Iterator[tuple[RotationAlert, RotationRow]]:
    on_https = check.issuer.url.startswith("https:")
    for alert in ROTATION_ALERTS:
        if alert.name in material.alerts:
            yield from ((alert, row) for row in alert.rows if on_https or not row.of_https)


def _firing(material: Material, check: Check, told: RotationAlert, row: RotationRow) -> Expected:
    alert: Alert = material.alerts[told.name]
    return material.firing(_END, alert, check, finding=row.id)


def _levels(material: Material, check: Check, level: Level) -> tuple[Series, ...]:
    base = {m.ISSUER: check.issuer.name, m.PROBE: check.probe, m.DRILL: "false"}
    return tuple(
        series(
            m.FINDING_LEVEL,
            {**base, m.REGION: region, m.FINDING.name: row.id},
            [level(row, place, minute) for minute in range(_END + 1)],
        )
        for place, region in enumerate(_regions(material, check))
        for row in ROTATION.values()
    )


def _regions(material: Material, check: Check) -> tuple[str, ...]:
    return check.regions or tuple(region.name for region in material.deployment.regions)
