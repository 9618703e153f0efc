"""Asks a Prometheus for evidence: instant queries over its HTTP API, and the failures that it counted lately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from exporters import metrics as m
from probes.documents import JsonObject, json_object, text
from probes.http import Http
from probes.model import ProbeFailure, Reason, Stage
from probes.reasons import REASONS
from probes.registry import PROBES
from runbooks.diagnosis import Sighting, Source

_SERIES = 5_000


class PrometheusError(RuntimeError):
    """Prometheus could not be asked, or did not answer as its API says. The text is fit to be shown once redacted."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant vector."""

    labels: Mapping[str, str]
    value: float


async def instant(http: Http, base: str, query: str) -> tuple[Sample, ...]:
    """The query's value now. Raises PrometheusError."""
    try:
        # POST, because an alert's expression can be longer than what proxies take as a URL.
        answer = await http("POST", f"{base.rstrip('/')}/api/v1/query", form={"query": query})
        document = json_object(answer.body)
    except ProbeFailure as failure:
        raise PrometheusError(failure.detail) from failure
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise PrometheusError(str(error) or type(error).__name__) from error
    if document.get("status") != "success":
        said = text(document, "error")[:200] or f"HTTP status {answer.status}"
        raise PrometheusError(said)
    return tuple(_samples(document))


def _samples(document: JsonObject) -> Iterator[Sample]:
    data = document.get("data")
    found = data.get("result") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise PrometheusError("the answer is no instant vector")
    for entry in found[:_SERIES]:
        try:
            labels, value = entry["metric"], float(entry["value"][1])
        except (KeyError, IndexError, TypeError, ValueError):
            raise PrometheusError("the answer is no instant vector") from None
        if isinstance(labels, dict):
            yield Sample({str(name): str(content) for name, content in labels.items()}, value)


def sightings_of(samples: Sequence[Sample]) -> Iterator[Sighting]:
    """What the failures mean. A reason that we do not know (of a newer agent) is no evidence."""
    for sample in samples:
        labels: Mapping[str, Any] = sample.labels
        try:
            reason = Reason(labels[m.REASON.name])
        except (KeyError, ValueError):
            continue
        probe = labels.get(m.PROBE, "")
        name = f"{labels.get(m.ISSUER, '')}/{labels.get(m.TARGET, '')}/{probe}"
        yield Sighting(reason, _stage(reason, probe), labels.get(m.REGION, ""), Source.RECORDED, name)


def _stage(reason: Reason, probe: str) -> Stage | None:
    """The step, where the reason can come from one step of that probe only: the metric has no label for it."""
    kind = PROBES.get(probe)
    stages = REASONS[reason].stages & kind.stages if kind else frozenset()
    return next(iter(stages)) if len(stages) == 1 else None
