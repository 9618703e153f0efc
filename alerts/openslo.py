"""The objectives in OpenSLO's words (openslo/v1), for tools that read those."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from alerts import series as s
from alerts.deployment import Deployment, Slo
from alerts.promql import number
from alerts.recording import of, slice_length, spends_slices
from alerts.rules_file import dump
from exporters import metrics as m
from exporters.slis import Freshness, Latency, Matcher, Selector, Slices

DATA_SOURCE = "prometheus"
_VERSION = "openslo/v1"
_REAL = Matcher(m.DRILL, "=", "false")
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


def openslo_yaml(deployment: Deployment) -> str:
    """A DataSource, a Service for each issuer, and an SLO for each of its objectives that a check feeds.

    Specification: OpenSLO v1, "Object Types". Alert policies are left out: ours need evidence that its conditions
    cannot ask for.
    """
    return "---\n".join(dump(document) for document in _documents(deployment))


def _documents(deployment: Deployment) -> Iterator[dict[str, Any]]:
    url = deployment.alerting.prometheus_url or "http://prometheus:9090"
    source = {"type": "Prometheus", "connectionDetails": {"url": url}}
    yield _object("DataSource", DATA_SOURCE, "Prometheus", source)
    for issuer in deployment.issuers:
        yield _object("Service", issuer.name, issuer.name, {"description": f"Sign-in and tokens of {issuer.url}"})
    for slo in deployment.fed():
        # Checks come in the order of the configuration; an issuer has many of them.
        for name in dict.fromkeys(check.issuer.name for check in deployment.checks_of(slo)):
            yield _object("SLO", f"{name}-{slo.name}", slo.sli.title, _slo(deployment, slo, name))


def _object(kind: str, name: str, title: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": _VERSION, "kind": kind, "metadata": {"name": name, "displayName": title}, "spec": spec}


def _slo(deployment: Deployment, slo: Slo, issuer: str) -> dict[str, Any]:
    # As text, then a float: YAML writes its shortest digits, which are those of the Decimal.
    objective: dict[str, Any] = {"displayName": slo.sli.title, "targetPercent": float(number(slo.objective))}
    if spends_slices(slo):
        # A slice is good or bad as a whole, so that all of what is measured in it must be good.
        objective |= {"timeSliceTarget": 1.0, "timeSliceWindow": _shorthand(slice_length(deployment, slo))}
    return {
        "description": slo.sli.good,
        "service": issuer,
        "indicator": {
            "metadata": {"name": f"{issuer}-{slo.sli.name}", "displayName": slo.sli.title},
            "spec": {"ratioMetric": _ratio(slo, Matcher(m.ISSUER, "=", issuer))},
        },
        "timeWindow": [{"duration": _shorthand(slo.window), "isRolling": True}],
        "budgetingMethod": "Timeslices" if spends_slices(slo) else "Occurrences",
        "objectives": [objective],
    }


def _shorthand(length: timedelta) -> str:
    """OpenSLO's durations: one number and one unit, of which a minute is the smallest; rounded up to whole ones."""
    days, rest = divmod(length, _DAY)
    return f"{-(-length // _MINUTE)}m" if rest else f"{days}d"


def _ratio(slo: Slo, issuer: Matcher) -> dict[str, Any]:
    if spends_slices(slo):
        # The quorum of the regions is a recorded series, 1 for a bad slice.
        return {"counter": False, "rawType": "failure", "raw": _query(f"max({of(s.SLICE_BAD, slo, _REAL, issuer)})")}

    def total(selector: Selector) -> dict[str, Any]:
        return _query(f"sum({Selector(selector.metric, (*selector.matchers, issuer), selector.suffix)})")

    match slo.sli.measure:
        case Latency(good=good, total=all_of_them):
            return {"counter": True, "good": total(good), "total": total(all_of_them)}
        case measure:
            assert not isinstance(measure, Freshness | Slices)  # noqa: S101 - those are slices
            return {"counter": True, "bad": total(measure.bad), "total": total(measure.total)}


def _query(text: str) -> dict[str, Any]:
    return {"metricSource": {"metricSourceRef": DATA_SOURCE, "type": "Prometheus", "spec": {"query": text}}}
