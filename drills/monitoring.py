"""Asks the Prometheus and the Alertmanager that watch an issuer, from any thread and within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx

from probes.documents import JsonObject, json_object
from probes.http import Http, Response, make_http
from probes.model import ProbeFailure
from runbooks.prometheus import PrometheusError, Sample, instant
from sandbox.loopthread import LoopThread, loop_thread

T = TypeVar("T")

_MAX_BODY = 16 * 1024 * 1024
"""Prometheus has no way to ask for the alerts of one issuer with their annotations: all of them are read."""
_SECONDS = 5.0
"""An abort rule is looked at about once a second; what takes longer cannot be relied on."""


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Methods raise PrometheusError when there is no good answer. `prometheus` may hold a user and a password."""

    prometheus: str = field(repr=False)
    alertmanager: str = field(repr=False)
    """Empty: there is none."""
    http: Http = field(repr=False)
    _loop: LoopThread = field(repr=False)

    def query(self, promql: str) -> tuple[Sample, ...]:
        """The instant vector of now."""
        return self._wait(instant(self.http, self.prometheus, promql))

    def alerts(self) -> tuple[JsonObject, ...]:
        """What is pending or firing, as Prometheus lists it (HTTP API, /api/v1/alerts)."""
        document = _object(self._get(f"{self.prometheus.rstrip('/')}/api/v1/alerts"))
        data = document.get("data")
        return _objects(data.get("alerts") if isinstance(data, dict) else None, "Prometheus")

    def notified(self, label: str, value: str) -> tuple[JsonObject, ...]:
        """The labels of alerts with that label that Alertmanager has handed to a receiver: active, neither inhibited
        nor silenced (API v2, /api/v2/alerts).
        """
        wanted = {"active": "true", "inhibited": "false", "silenced": "false", "unprocessed": "false"}
        quoted = json.dumps(value, ensure_ascii=False)
        query = urlencode({**wanted, "filter": f"{label}={quoted}"})
        answer = self._get(f"{self.alertmanager.rstrip('/')}/api/v2/alerts?{query}")
        return tuple(each.get("labels", {}) for each in _objects(_array(answer), "Alertmanager"))

    def _get(self, url: str) -> Response:
        answer = self._wait(self.http("GET", url))
        if answer.status != httpx.codes.OK:
            raise PrometheusError(f"HTTP status {answer.status}")
        return answer

    def _wait(self, question: Coroutine[Any, Any, T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(_SECONDS):
                return await question

        try:
            return self._loop.run(bounded())
        except TimeoutError:
            raise PrometheusError(f"no answer within {_SECONDS:g} s") from None
        except ProbeFailure as failure:
            raise PrometheusError(failure.detail) from failure
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise PrometheusError(str(error) or type(error).__name__) from error


@contextlib.contextmanager
def monitoring(prometheus: str, alertmanager: str = "") -> Iterator[Monitoring]:
    """For the length of the block. Asks nothing yet."""
    http = replace(make_http(), max_body=_MAX_BODY)
    with loop_thread("monitoring") as loop:
        yield Monitoring(prometheus, alertmanager, http, loop)


def _object(answer: Response) -> JsonObject:
    try:
        return json_object(answer.body)
    except ProbeFailure as failure:
        raise PrometheusError(failure.detail) from failure


def _array(answer: Response) -> object:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise PrometheusError("the answer is no JSON") from error


def _objects(value: object, whose: str) -> tuple[JsonObject, ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise PrometheusError(f"the answer is not {whose}'s list of alerts")
    return tuple(value)
