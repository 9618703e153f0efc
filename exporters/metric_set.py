"""Metrics made from rows of the table and scraped as one consistent whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from exporters.metrics import TRACE_ID, Metric, MetricType

Encoder = Callable[[CollectorRegistry], bytes]


class MetricSet(Collector):
    """Counters, gauges and histograms by row. Hold `lock` around changes that a scrape must see together."""

    def __init__(self, rows: Iterable[Metric], registry: CollectorRegistry) -> None:
        self.lock = threading.RLock()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for row in rows:
            match row.type:
                case MetricType.COUNTER:
                    self._counters[row.name] = Counter(row.name, row.help, row.label_names, registry=None)
                case MetricType.GAUGE:
                    self._gauges[row.name] = Gauge(row.name, row.help, row.label_names, unit=row.unit, registry=None)
                case MetricType.HISTOGRAM:
                    self._histograms[row.name] = Histogram(
                        row.name, row.help, row.label_names, unit=row.unit, buckets=row.buckets, registry=None
                    )
        registry.register(self)

    def add(self, row: Metric, values: tuple[str, ...], amount: float = 1.0, trace: str = "") -> None:
        """Add to a counter; `trace` becomes the exemplar."""
        counter = self._counters[row.name]
        (counter.labels(*values) if values else counter).inc(amount, _exemplar(trace))

    def set(self, row: Metric, values: tuple[str, ...], value: float) -> None:
        """Set a gauge."""
        gauge = self._gauges[row.name]
        (gauge.labels(*values) if values else gauge).set(value)

    def change(self, row: Metric, amount: float) -> None:
        """Add to a gauge without labels; the amount may be negative."""
        self._gauges[row.name].inc(amount)

    def observe(self, row: Metric, values: tuple[str, ...], value: float, trace: str = "") -> None:
        """Record one value in a histogram; `trace` becomes the exemplar of its bucket."""
        histogram = self._histograms[row.name]
        (histogram.labels(*values) if values else histogram).observe(value, _exemplar(trace))

    def create(self, row: Metric, values: tuple[str, ...]) -> None:
        """Bring the series into being at 0."""
        self._family(row).labels(*values)

    def remove(self, row: Metric, values: tuple[str, ...]) -> None:
        """End the series, if there is one."""
        self._family(row).remove(*values)

    def _family(self, row: Metric) -> Counter | Gauge | Histogram:
        return self._counters.get(row.name) or self._gauges.get(row.name) or self._histograms[row.name]

    def describe(self) -> Iterable[Family]:
        """Names only; the registry refuses a second set with the same ones."""
        return [family for metric in self._all() for family in metric.describe()]

    def collect(self) -> Iterable[Family]:
        """All samples of one moment."""
        with self.lock:
            families = [family for metric in self._all() for family in metric.collect()]
        for family in families:
            # Creation times double the number of series, and every counter exists at 0 before its first event anyway.
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        return families

    def _all(self) -> list[Counter | Gauge | Histogram]:
        return [*self._counters.values(), *self._gauges.values(), *self._histograms.values()]


def _exemplar(trace: str) -> dict[str, str] | None:
    return {TRACE_ID: trace} if trace else None


def expose(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The exposition and its content type: OpenMetrics (with exemplars) when Accept names it, else the text format."""
    types = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    if "application/openmetrics-text" in types:
        encode: Encoder = openmetrics.generate_latest  # the package leaves this function without types
        return encode(registry), openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4
