"""Reads from a Prometheus what an objective saw: counters and results minute by minute, for `oidcwatch slo backtest`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from alerts import series as s
from alerts.backtest import Timelines, Watched
from alerts.deployment import Deployment, Slo
from alerts.measurability import subject_of
from alerts.model import Recording
from alerts.promql import selected
from alerts.recording import objective_groups
from alerts.timeline import MINUTE, Slicing, Timeline, aligned, slicing_of
from exporters import metrics as m
from exporters.slis import Freshness, Latency, Selector
from probes.classify import classify

_CHUNK = timedelta(days=1)
"""A query for more would be large; Prometheus gives no more than 11,000 points of a series at once."""
_MAX_BODY = 64 * 1024 * 1024
_SECONDS = 60.0
_STEP = 60  # seconds

_Key = tuple[str, str, bool, str]
"""Issuer, target, drill, region."""
_Points = list[tuple[int, float]]
"""(minute, value), ascending."""


class PrometheusError(Exception):
    """The history could not be read; the message says why and holds no credentials."""


@dataclass(slots=True)
class _Count:
    """What one kind of counter grew by, by key and minute."""

    minutes: int
    grown: dict[_Key, list[int]] = field(default_factory=dict)

    def add(self, key: _Key, points: _Points) -> None:
        """The growth of one series. A counter that is less than before has begun anew (as increase() has it)."""
        counts = self.grown.setdefault(key, [0] * self.minutes)
        before: float | None = None
        for minute, value in points:
            if before is not None and 1 <= minute <= self.minutes:
                counts[minute - 1] += round(value - before if value >= before else value)
            before = value


@dataclass(frozen=True, slots=True)
class PrometheusHistory:
    """The range queries of a Prometheus (HTTP API v1). `url` may hold a user and a password."""

    client: httpx.Client
    url: str = field(repr=False)

    def timelines(self, deployment: Deployment, since: datetime, until: datetime) -> Timelines:
        """The history of each objective. Raises PrometheusError when it is asked for."""
        start = aligned(since)
        minutes = -(-(until - start) // MINUTE)
        return lambda slo: self._timelines(deployment, slo, start, minutes)

    def _timelines(self, deployment: Deployment, slo: Slo, start: datetime, minutes: int) -> Mapping[Watched, Timeline]:
        bad, total = self._events(deployment, slo, start, minutes)
        judged = self._slices(deployment, slo, start, minutes)
        found: dict[Watched, Timeline] = {}
        for whose in sorted({key[:3] for key in (*total, *judged)}):
            issuer, target, drill = whose
            found[Watched(subject_of(slo, issuer, target), drill)] = Timeline(
                start, _by_region(bad, whose), _by_region(total, whose), judged.get((*whose, ""), [None] * minutes)
            )
        return found

    def _events(
        self, deployment: Deployment, slo: Slo, start: datetime, minutes: int
    ) -> tuple[dict[_Key, list[int]], dict[_Key, list[int]]]:
        """Bad and total by the same keys."""
        measure = slo.sli.measure
        if isinstance(measure, Freshness):
            return {}, {}
        of_good = isinstance(measure, Latency)
        selectors = (measure.good if isinstance(measure, Latency) else measure.bad, measure.total)
        first, total = (self._counted(deployment, slo, each, start, minutes) for each in selectors)
        none = [0] * minutes
        bad = {
            key: [max(0, all_of_it - some) for all_of_it, some in zip(counts, first.get(key, none), strict=True)]
            if of_good
            else first.get(key, none)
            for key, counts in total.items()
        }
        return bad, total

    def _counted(
        self, deployment: Deployment, slo: Slo, selector: Selector, start: datetime, minutes: int
    ) -> dict[_Key, list[int]]:
        counts = _Count(minutes)
        query = str(selected(selector, deployment.matchers_of(slo)))
        for labels, points in self._series(query, start, minutes):
            counts.add(_key(slo, labels), points)
        return counts.grown

    def _slices(
        self, deployment: Deployment, slo: Slo, start: datetime, minutes: int
    ) -> dict[_Key, list[int | None]]:  # fmt: skip
        """By key without a region, the verdict over all of them."""
        query = _region_results(deployment, slo)
        if not query:
            return {}
        slicing = slicing_of(deployment, slo)
        regions: dict[tuple[str, str, bool], list[dict[int, float]]] = {}
        for labels, points in self._series(query, start, minutes):
            issuer, target, drill, _ = _key(slo, labels)
            regions.setdefault((issuer, target, drill), []).append(dict(points))
        return {(*key, ""): _verdicts(slicing, results, minutes) for key, results in regions.items()}

    def _series(self, query: str, start: datetime, minutes: int) -> Iterator[tuple[Mapping[str, str], _Points]]:
        """Every series of the query with its points from the start to so many minutes later."""
        found: dict[frozenset[tuple[str, str]], _Points] = {}
        begin, end = start, start + minutes * MINUTE
        while begin <= end:
            last = min(begin + _CHUNK - MINUTE, end)
            for series in self._asked(query, begin, last):
                labels, values = _parsed(series)
                found.setdefault(frozenset(labels.items()), []).extend(
                    (round((at - start.timestamp()) / _STEP), value) for at, value in values if math.isfinite(value)
                )
            begin = last + MINUTE
        return ((dict(labels), points) for labels, points in found.items())

    def _asked(self, query: str, begin: datetime, end: datetime) -> list[Any]:
        form = {"query": query, "start": str(begin.timestamp()), "end": str(end.timestamp()), "step": str(_STEP)}
        try:
            with self.client.stream("POST", f"{self.url.rstrip('/')}/api/v1/query_range", data=form) as answer:
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _MAX_BODY:
                        raise PrometheusError(f"the answer is larger than {_MAX_BODY} bytes")
            document = json.loads(body)
            if document["status"] != "success":
                raise PrometheusError(f"Prometheus refuses the query: {str(document.get('error', ''))[:300]!r}")
            result: list[Any] = document["data"]["result"]
            return result
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PrometheusError(f"Prometheus cannot be asked: {classify(error).detail}") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise PrometheusError(f"status {answer.status_code}, and no answer of Prometheus's query_range") from error


def prometheus_client() -> httpx.Client:
    """A client with time limits, which follows no redirect."""
    return httpx.Client(timeout=_SECONDS)


def _parsed(series: Any) -> tuple[dict[str, str], list[tuple[float, float]]]:
    """Raises PrometheusError for what is no series of a matrix."""
    try:
        labels = {str(name): str(value) for name, value in series["metric"].items()}
        return labels, [(float(at), float(value)) for at, value in series["values"]]
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise PrometheusError("the answer holds something else than series of samples") from error


def _key(slo: Slo, labels: Mapping[str, str]) -> _Key:
    subject = subject_of(slo, labels.get(m.ISSUER, ""), labels.get(m.TARGET, ""))
    return subject.issuer, subject.target, labels.get(m.DRILL) == "true", labels.get(m.REGION, "")


def _region_results(deployment: Deployment, slo: Slo) -> str:
    """The expression of the recording rule, so that history needs no recorded series; empty when there is none."""
    rules = (rule for group in objective_groups(deployment, slo, ()) for rule in group.rules)
    return next((rule.expr for rule in rules if isinstance(rule, Recording) and rule.record == s.REGION_OK), "")


def _by_region(counts: Mapping[_Key, list[int]], whose: tuple[str, str, bool]) -> dict[str, list[int]]:
    return {key[3]: each for key, each in sorted(counts.items()) if key[:3] == whose}


def _verdicts(slicing: Slicing, regions: list[dict[int, float]], minutes: int) -> list[int | None]:
    verdicts: list[int | None] = [None] * minutes
    for minute in range(slicing.length, minutes + 1, slicing.length):
        results = [region[minute] for region in regions if minute in region]
        verdicts[minute - 1] = slicing.judged(sum(result == 0 for result in results), len(results))
    return verdicts
