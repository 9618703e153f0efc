"""Turns results of probes into Prometheus series: all of them from configuration on, none after a check has left."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from prometheus_client import CollectorRegistry

from exporters import metrics as m
from exporters.findings import PROBE, TOLD_ONCE, levels_of
from exporters.metric_set import MetricSet
from exporters.metrics import Initial, Metric, MetricType, ProbeKind
from probes.model import Check, Measurement, Outcome, ProbeResult
from probes.probe import Clock
from probes.reasons import outcome
from probes.subjects import Region

_log = logging.getLogger(__name__)

Values = tuple[str, ...]
_LARGEST = 1e300
_SHOWN = 300.0
"""Seconds for which a finding of one run stays: Prometheus forgets a series after as long without a scrape."""
_UNKNOWN_AFTER = 3.0
"""Intervals after which nobody knows any more what no run could judge: a blind region must not outvote one that sees."""
_Key = tuple[str, str, bool]
"""Check, region, and whether it is a drill's."""


@dataclass(slots=True)
class _Watched:
    """One check in one region: its base label values and the series that exist for it."""

    kind: ProbeKind
    base: Values
    series: set[tuple[Metric, Values]] = field(default_factory=set)
    told: dict[str, float] = field(default_factory=dict)
    """When each change was told of, in UNIX seconds, by the id of its check."""
    judged: dict[str, float] = field(default_factory=dict)
    """When a run last judged each check, in UNIX seconds, by its id."""


class PrometheusExporter:
    """Series of the configured checks. May be scraped from any thread at any time; a scrape sees whole results.

    `regions` are the agent's; a check without regions of its own runs in all of them. `kinds` is
    `probes.registry.PROBES`, or anything like it.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        regions: Sequence[Region],
        now: Clock,
        *,
        kinds: Mapping[str, ProbeKind],
    ) -> None:
        self._set = MetricSet((*m.PROBE_METRICS, m.REGION_INFO), registry)
        self._regions = tuple(region.name for region in regions)
        self._now = now
        self._kinds = kinds
        self._watched: dict[_Key, _Watched] = {}
        self._complained: set[tuple[str, str]] = set()
        for region in regions:
            self._set.set(m.REGION_INFO, (region.name, region.geohash, region.country), 1)

    def configure(self, checks: Iterable[Check], drilled: Collection[str] = ()) -> None:
        """Watch exactly these checks: new ones get their series, those that are gone lose theirs, others keep counts.

        Checks of the issuers in `drilled` have series of their own with drill="true" for that time; the others stand
        still. Raises KeyError for a kind of probe that is not among `kinds`; nothing is changed then.
        """
        wanted = {
            (check.name, region, drill): (check, self._kinds[check.probe])
            for check in checks
            for region in check.regions or self._regions
            for drill in (False, *((True,) if check.issuer.name in drilled else ()))
        }
        with self._set.lock:
            for key in self._watched.keys() - wanted.keys():
                self._remove(key)
            for key, (check, kind) in wanted.items():
                watched = self._watched.get(key) or self._begin(check, key, kind)
                self._watched[key] = watched
                self._gauge(watched, m.INTERVAL, (), check.interval)

    def _remove(self, key: _Key) -> None:
        for row, values in self._watched.pop(key).series:
            self._set.remove(row, values)
        check, region, drill = key
        real = self._watched.get((check, region, False))
        if drill and real:
            # Watched again from here on: what was last seen before the drill is neither news nor overdue.
            self._forget(real, m.SUCCESS)
            for row, values in [series for series in real.series if series[0].initial is Initial.NOW]:
                self._set.set(row, values, self._now().timestamp())

    def _begin(self, check: Check, key: _Key, kind: ProbeKind) -> _Watched:
        _, region, drill = key
        watched = _Watched(kind, (check.issuer.name, check.target, check.probe, region, str(drill).lower()))
        for row in m.metrics_of(kind):
            for own in itertools.product(*(map(str, label.values(kind)) for label in row.labels)):
                if row.initial is Initial.ZERO:
                    self._set.create(row, self._series(watched, row, own))
                elif row.initial is Initial.NOW:
                    self._gauge(watched, row, own, self._now().timestamp())
        return watched

    def publish(self, result: ProbeResult, *, drill: bool = False) -> None:
        """Record one finished run. A run of a check that has left the configuration, or of a drill that has ended, is
        dropped.
        """
        with self._set.lock:
            watched = self._watched.get((result.check.name, result.region, drill))
            if watched is None:
                return
            self._run(watched, result)
            if watched.kind.name == PROBE:
                self._levels(watched, result)
            for measurement in result.measurements:
                self._measurement(watched, measurement, result.run_id)

    def _run(self, watched: _Watched, result: ProbeResult) -> None:
        trace = result.run_id
        verdict = outcome(result.failure.reason if result.failure else None)
        first = outcome(result.first_try.reason if result.first_try else None)
        ended = (result.started_at + timedelta(seconds=result.seconds)).timestamp()
        self._count(watched, m.RUNS, (verdict,), 1, trace)
        self._count(watched, m.FIRST_TRIES, (first,), 1, trace)
        if result.failure:
            self._count(watched, m.FAILURES, (result.failure.reason,), 1, trace)
            self._count(watched, m.FAILED_STEPS, (result.failure.stage,), 1, trace)
        self._gauge(watched, m.LAST_RUN, (), ended)
        if verdict is Outcome.SUCCESS:
            self._gauge(watched, m.LAST_SUCCESS, (), ended)
        if verdict is Outcome.EXCLUDED:
            self._forget(watched, m.SUCCESS)
        else:
            self._gauge(watched, m.SUCCESS, (), float(verdict is Outcome.SUCCESS))
        self._set.observe(m.DURATION, self._series(watched, m.DURATION, ()), result.seconds, trace)
        for step in result.steps:
            if step.ok:
                self._set.observe(
                    m.STEP_DURATION, self._series(watched, m.STEP_DURATION, (step.name,)), step.seconds, trace
                )

    def _levels(self, watched: _Watched, result: ProbeResult) -> None:
        now = self._now().timestamp()
        for check, level in levels_of(result).items():
            if level and check in TOLD_ONCE:
                watched.told[check] = now
            watched.judged[check] = now
            if level or now - watched.told.get(check, 0.0) >= _SHOWN:
                self._gauge(watched, m.FINDING_LEVEL, (check,), level)
        patience = max(_UNKNOWN_AFTER * result.check.interval, _SHOWN)
        for check in [id for id, when in watched.judged.items() if now - when >= patience]:
            del watched.judged[check]
            self._forget(watched, m.FINDING_LEVEL, (check,))

    def _measurement(self, watched: _Watched, measurement: Measurement, trace: str) -> None:
        given = dict(measurement.labels)
        for row in m.BY_QUANTITY[measurement.quantity]:
            if any(given.get(label.name) == "" for label in row.labels):
                continue  # a validation that succeeded has no reason
            own = tuple(given.get(label.name, "") for label in row.labels)
            declared = all(value in label.values(watched.kind) for label, value in zip(row.labels, own, strict=True))
            # Also false for NaN. A provider may send a lifetime that is no float at all.
            if not (declared and abs(measurement.value) < _LARGEST):
                self._complain(watched.kind.name, row.name)
            elif row.type is MetricType.COUNTER:
                self._count(watched, row, own, measurement.value, trace)
            else:
                self._gauge(watched, row, own, measurement.value)

    def _complain(self, kind: str, metric: str) -> None:
        if (kind, metric) not in self._complained:
            self._complained.add((kind, metric))
            _log.warning(
                "%s: a measurement with labels that the probe %s does not declare is not exported", metric, kind
            )

    def _series(self, watched: _Watched, row: Metric, own: Values) -> Values:
        values = watched.base + own
        watched.series.add((row, values))
        return values

    def _count(self, watched: _Watched, row: Metric, own: Values, amount: float, trace: str) -> None:
        self._set.add(row, self._series(watched, row, own), amount, trace)

    def _gauge(self, watched: _Watched, row: Metric, own: Values, value: float) -> None:
        self._set.set(row, self._series(watched, row, own), value)

    def _forget(self, watched: _Watched, row: Metric, own: Values = ()) -> None:
        self._set.remove(row, watched.base + own)
