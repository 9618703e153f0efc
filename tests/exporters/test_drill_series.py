"""Runs of a drill have series of their own for its time, and leave the others alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from exporters import metrics as m
from exporters.prometheus import PrometheusExporter
from probes.model import Check, Reason
from probes.registry import PROBES

if TYPE_CHECKING:
    from tests.exporters.conftest import Make, SetClock


@pytest.fixture
def check(make: Make) -> Check:
    return make.check("login")


def value(registry: CollectorRegistry, row: m.Metric, *, drill: bool, **labels: str) -> float | None:
    base = {"issuer": "acme", "target": "portal", "probe": "login", "region": "eu", "drill": str(drill).lower()}
    return registry.get_sample_value(row.name, base | labels)


def test_a_drill_begins_with_every_series_at_zero(
    exporter: PrometheusExporter, registry: CollectorRegistry, check: Check
) -> None:
    exporter.configure([check], drilled={"acme"})

    assert {value(registry, m.FAILURES, drill=True, reason=reason) for reason in PROBES["login"].reasons} == {0}
    assert value(registry, m.RUNS, drill=True, result="success") == 0
    assert value(registry, m.INTERVAL, drill=True) == check.interval


def test_an_issuer_that_is_not_under_drill_gets_no_drill_series(
    exporter: PrometheusExporter, registry: CollectorRegistry, check: Check
) -> None:
    exporter.configure([check], drilled={"other"})

    assert value(registry, m.RUNS, drill=True, result="success") is None


def test_a_run_of_a_drill_counts_for_the_drill_alone(
    exporter: PrometheusExporter, registry: CollectorRegistry, check: Check, make: Make
) -> None:
    exporter.configure([check])
    exporter.publish(make.result(check))
    exporter.configure([check], drilled={"acme"})

    exporter.publish(make.result(check, reason=Reason.KID_UNKNOWN), drill=True)

    assert value(registry, m.RUNS, drill=True, result="failure") == 1
    assert value(registry, m.RUNS, drill=False, result="failure") == 0
    assert value(registry, m.RUNS, drill=False, result="success") == 1
    assert value(registry, m.SUCCESS, drill=False) == 1


def test_the_series_of_a_drill_end_with_it(
    exporter: PrometheusExporter, registry: CollectorRegistry, check: Check, make: Make
) -> None:
    exporter.configure([check], drilled={"acme"})
    exporter.publish(make.result(check), drill=True)

    exporter.configure([check])

    drills = [s for family in registry.collect() for s in family.samples if s.labels.get("drill") == "true"]
    assert drills == []


def test_a_run_that_ends_after_its_drill_is_counted_nowhere(
    exporter: PrometheusExporter, registry: CollectorRegistry, check: Check, make: Make
) -> None:
    exporter.configure([check], drilled={"acme"})
    exporter.configure([check])

    exporter.publish(make.result(check, reason=Reason.KID_UNKNOWN), drill=True)

    assert value(registry, m.RUNS, drill=True, result="failure") is None
    assert value(registry, m.RUNS, drill=False, result="failure") == 0


def test_after_a_drill_no_check_is_overdue_and_no_old_result_counts_as_fresh(
    exporter: PrometheusExporter, registry: CollectorRegistry, check: Check, make: Make, clock: SetClock
) -> None:
    exporter.configure([check])
    exporter.publish(make.result(check))
    exporter.configure([check], drilled={"acme"})
    clock.forward(hours=1)

    exporter.configure([check])

    assert value(registry, m.LAST_RUN, drill=False) == clock().timestamp()
    assert value(registry, m.SUCCESS, drill=False) is None
    assert value(registry, m.RUNS, drill=False, result="success") == 1
