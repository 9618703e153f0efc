"""The SLI catalogue names series that exist, and leaves out no kind of probe."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from exporters import metrics as m
from exporters.metrics import METRICS
from exporters.prometheus import PrometheusExporter
from exporters.slis import BY_NAME, SLIS, Latency, Selector, Sli, slis_of
from probes.registry import PROBES

if TYPE_CHECKING:
    from tests.exporters.conftest import Make

each_sli = pytest.mark.parametrize("sli", SLIS, ids=lambda sli: sli.name)


def matches(selector: Selector, labels: dict[str, str]) -> bool:
    """The few forms of matcher that the catalogue uses."""
    for matcher in selector.matchers:
        values = matcher.value.split("|") if "~" in matcher.op else [matcher.value]
        if (labels.get(matcher.label, "") in values) == matcher.op.startswith("!"):
            return False
    return True


@each_sli
def test_every_metric_and_label_that_an_sli_names_exists(sli: Sli) -> None:
    for selector in sli.measure.selectors:
        assert selector.metric in METRICS
        own = {m.LE} if selector.suffix == "_bucket" else set()
        assert {matcher.label for matcher in selector.matchers} <= {*selector.metric.label_names, *own}


@each_sli
def test_every_counter_of_an_sli_has_series_as_soon_as_its_probes_are_configured(
    sli: Sli, exporter: PrometheusExporter, registry: CollectorRegistry, make: Make
) -> None:
    exporter.configure([make.check(probe) for probe in sli.probes])

    samples = [sample for family in registry.collect() for sample in family.samples]

    for selector in sli.measure.selectors:
        if selector.metric is m.SUCCESS:
            continue  # unknown before the first run
        name = selector.metric.name + selector.suffix
        found = {s.labels["probe"] for s in samples if s.name == name and matches(selector, s.labels)}
        assert found == sli.probes, selector


def test_every_kind_of_probe_feeds_an_sli() -> None:
    idle = [name for name, kind in PROBES.items() if not slis_of(kind)]

    assert idle == []


def test_drills_spend_no_budget() -> None:
    spending = [str(s) for sli in SLIS for s in sli.measure.selectors if 'drill="false"' not in str(s)]

    assert spending == []


def test_a_latency_threshold_is_a_bound_of_its_histogram() -> None:
    measures = [sli.measure for sli in SLIS if isinstance(sli.measure, Latency)]

    assert measures
    assert all(measure.threshold in measure.good.metric.buckets for measure in measures)


def test_a_budget_is_an_exact_number() -> None:
    assert BY_NAME["login-success"].budget == Decimal("0.0005")


def test_a_selector_is_written_as_in_promql() -> None:
    sli = BY_NAME["token-latency"]

    assert [str(selector) for selector in sli.measure.selectors] == [
        'oidc_probe_step_duration_seconds_bucket{step="token",le="0.5",drill="false"}',
        'oidc_probe_step_duration_seconds_count{step="token",drill="false"}',
    ]
