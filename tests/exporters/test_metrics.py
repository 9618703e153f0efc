"""The table of metrics is complete and keeps the rules of its field."""

from __future__ import annotations

import pytest

from exporters import metrics as m
from exporters.metrics import METRICS, PROBE_METRICS, Initial, MetricType
from probes.model import Quantity
from probes.registry import PROBES


@pytest.mark.parametrize("quantity", Quantity)
def test_every_quantity_that_a_probe_can_measure_has_a_metric(quantity: Quantity) -> None:
    rows = m.BY_QUANTITY[quantity]

    assert rows, f"{quantity} needs a row in exporters/metrics.py"


def test_no_name_is_used_twice() -> None:
    names = [row.name for row in METRICS]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_a_name_says_type_and_unit(row: m.Metric) -> None:
    counter = row.type is MetricType.COUNTER

    assert row.name.endswith("_total") == counter
    assert row.name.endswith(f"_{row.unit}") if row.unit else True
    assert bool(row.buckets) == (row.type is MetricType.HISTOGRAM)


def test_counters_and_histograms_exist_before_their_first_event() -> None:
    late = [row for row in PROBE_METRICS if row.type is not MetricType.GAUGE and row.initial is not Initial.ZERO]

    assert late == []


def test_run_and_step_histograms_are_sized_for_logins_and_have_the_latency_threshold() -> None:
    for row in (m.DURATION, m.STEP_DURATION):
        assert 0.5 in row.buckets
        assert max(row.buckets) == 60


def test_every_label_value_of_a_kind_is_known_before_the_first_run() -> None:
    empty = [
        (kind.name, row.name)
        for kind in PROBES.values()
        for row in m.metrics_of(kind)
        for label in row.labels
        if not label.values(kind)
    ]

    assert empty == []
