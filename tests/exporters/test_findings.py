"""The level of each check of a rotation: what a run could judge is shown, and stays until nobody can know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from exporters import metrics as m
from exporters.findings import ROTATION_CHECKS
from exporters.prometheus import PrometheusExporter
from probes.model import Check, Finding, Measurement, ProbeResult, Quantity, Reason, Severity, Stage

if TYPE_CHECKING:
    from tests.exporters.conftest import Make, SetClock

Run = Callable[..., None]
Level = Callable[..., float | None]
ACCEPTED = (Measurement(Quantity.JWKS_FETCHED, 1.7e9),)


def finding(id: str, severity: Severity = Severity.FAILURE) -> Finding:
    return Finding(id, severity, "it is so", "RFC 7517 §4.5", Reason.JWKS_INVALID)


@pytest.fixture
def check(make: Make, exporter: PrometheusExporter) -> Check:
    check = make.check("jwks")
    exporter.configure([check])
    return check


@pytest.fixture
def run(make: Make, exporter: PrometheusExporter, check: Check) -> Run:
    """Publishes a run of the key set probe: what it found, and whether the set was accepted."""

    def publish(*found: Finding, accepted: bool = True, drill: bool = False, interval: float = 30) -> None:
        result: ProbeResult = make.result(
            replace(check, interval=interval),
            reason=Reason.JWKS_INVALID if any(each.severity is Severity.FAILURE for each in found) else None,
            stage=Stage.JWKS,
            findings=found,
            measurements=ACCEPTED if accepted else (),
        )
        exporter.publish(result, drill=drill)

    return publish


@pytest.fixture
def level(registry: CollectorRegistry) -> Level:
    """The exposed level of a check; None without a series."""

    def of(id: str, *, drill: bool = False) -> float | None:
        base = {"issuer": "acme", "target": "", "probe": "jwks", "region": "eu", "drill": str(drill).lower()}
        return registry.get_sample_value(m.FINDING_LEVEL.name, {**base, m.FINDING.name: id})

    return of


def test_a_region_that_has_judged_nothing_has_no_level(run: Run, level: Level) -> None:
    run(accepted=False)

    assert {level(id) for id in ROTATION_CHECKS} == {None}


def test_every_check_is_sound_from_the_first_run_on_that_finds_nothing(run: Run, level: Level) -> None:
    run()

    assert {level(id) for id in ROTATION_CHECKS} == {0}


def test_the_worst_finding_of_a_check_is_its_level(run: Run, level: Level) -> None:
    run(finding("ROT-13", Severity.WARNING), finding("ROT-13"), finding("ROT-08", Severity.INFO))

    assert [level(id) for id in ("ROT-13", "ROT-08", "ROT-01")] == [3, 1, 0]


def test_a_run_that_accepts_the_set_clears_what_it_no_longer_finds(run: Run, level: Level) -> None:
    run(finding("ROT-05"))
    run()

    assert level("ROT-05") == 0


def test_a_run_without_a_key_set_leaves_the_levels_as_they_are(run: Run, level: Level) -> None:
    run(finding("ROT-05"))
    run(accepted=False)

    assert level("ROT-05") == 3


@pytest.mark.parametrize(("interval", "patience"), [(30.0, 300), (300.0, 900)])
def test_the_levels_of_a_region_that_judges_nothing_end(
    run: Run, level: Level, clock: SetClock, interval: float, patience: int
) -> None:
    run(finding("ROT-05"), interval=interval)
    clock.forward(seconds=patience - 1)
    run(accepted=False, interval=interval)
    before = level("ROT-05"), level("ROT-07")
    clock.forward(seconds=1)
    run(accepted=False, interval=interval)
    after = level("ROT-05"), level("ROT-07")
    run(interval=interval)

    assert (before, after, level("ROT-05")) == ((3, 0), (None, None), 0)


def test_what_a_broken_set_hides_ends_and_what_it_shows_stays(run: Run, level: Level, clock: SetClock) -> None:
    run(finding("ROT-05"))
    clock.forward(seconds=300)
    run(finding("ROT-12"), accepted=False)

    assert [level(id) for id in ("ROT-12", "ROT-13", "ROT-05")] == [3, 0, None]


def test_an_answer_that_is_none_is_told_and_judges_nothing_else(run: Run, level: Level) -> None:
    run(finding("ROT-05"))
    run(finding("ROT-17"), accepted=False)

    assert (level("ROT-17"), level("ROT-05")) == (3, 3)


def test_a_set_that_is_not_accepted_says_nothing_about_its_history(run: Run, level: Level) -> None:
    run(finding("ROT-05"), finding("ROT-13"))
    run(finding("ROT-12"), accepted=False)

    assert [level(id) for id in ("ROT-12", "ROT-13", "ROT-05")] == [3, 0, 3]


def test_a_change_that_one_run_tells_of_is_there_for_every_scrape_of_five_minutes(
    run: Run, level: Level, clock: SetClock
) -> None:
    run(finding("ROT-07"))
    clock.forward(seconds=299)
    run()
    held = level("ROT-07")
    clock.forward(seconds=1)
    run()

    assert (held, level("ROT-07")) == (3, 0)


def test_a_drill_has_levels_of_its_own_that_end_with_it(
    run: Run, level: Level, exporter: PrometheusExporter, check: Check
) -> None:
    run()
    exporter.configure([check], drilled={"acme"})
    run(finding("ROT-05"), drill=True)
    during = (level("ROT-05", drill=True), level("ROT-05"))
    exporter.configure([check])

    assert during == (3, 0)
    assert level("ROT-05", drill=True) is None


def test_levels_leave_with_the_check(run: Run, level: Level, exporter: PrometheusExporter) -> None:
    run()
    exporter.configure([])

    assert level("ROT-05") is None
