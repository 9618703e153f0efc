"""Asks a Prometheus for evidence: instant queries over its HTTP API, and the failures that it counted lately."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from exporters import metrics as m
from probes.documents import JsonObject, json_object, text
from probes.http import Http
from probes.model import ProbeFailure, Reason, Stage
from probes.reasons import REASONS
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
    steps: dict[tuple[str, str], set[str]] = {}
    for sample in samples:
        if m.FAILED_STEP.name in sample.labels:
            steps.setdefault(_place(sample), set()).add(sample.labels[m.FAILED_STEP.name])
    for sample in samples:
        try:
            reason = Reason(sample.labels[m.REASON.name])
        except (KeyError, ValueError):
            continue
        name, region = place = _place(sample)
        yield Sighting(reason, _stage(reason, steps.get(place, set())), region, Source.RECORDED, name)


def _place(sample: Sample) -> tuple[str, str]:
    issuer, target, probe, region = (sample.labels.get(name, "") for name in (m.ISSUER, m.TARGET, m.PROBE, m.REGION))
    return f"{issuer}/{target}/{probe}", region


def _stage(reason: Reason, steps: Collection[str]) -> Stage | None:
    """The step of that check and region, where only one of those that failed can have given the reason."""
    possible = [stage for stage in Stage if stage in steps and stage in REASONS[reason].stages]
    return possible[0] if len(possible) == 1 else None
