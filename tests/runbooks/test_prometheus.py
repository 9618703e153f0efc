"""What a Prometheus answers becomes evidence; what it should not answer becomes a message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from probes.http import HttpClient
from probes.model import Reason, Stage
from runbooks.diagnosis import Source
from runbooks.prometheus import PrometheusError, Sample, instant, sightings_of

BASE = "http://prometheus.test:9090/"


def _series(value: str = "2", **labels: str) -> Mapping[str, Any]:
    return {"metric": labels, "value": [1.0, value]}


class App:
    """Answers each query with the same body and remembers what it was asked."""

    def __init__(self, body: object, status: int = 200) -> None:
        self.body, self.status = body, status
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((str(request.url), parse_qs(request.content.decode())["query"][0]))
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return httpx.Response(self.status, stream=httpx.ByteStream(body))


def _vector(*series: Mapping[str, Any]) -> object:
    return {"status": "success", "data": {"resultType": "vector", "result": list(series)}}


async def test_a_query_gives_labels_and_values() -> None:
    app = App(_vector(_series("0.25", issuer="acme")))

    samples = await instant(HttpClient(httpx.MockTransport(app)), BASE, "a > 1")

    assert samples == (Sample({"issuer": "acme"}, 0.25),)
    assert app.asked == [("http://prometheus.test:9090/api/v1/query", "a > 1")]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"status": "error", "error": "parse error"}, 400, "parse error"),
        ({}, 502, "HTTP status 502"),
        (b"<html>", 200, "not valid JSON"),
        ({"status": "success", "data": {"result": 7}}, 200, "no instant vector"),
        ({"status": "success", "data": {"result": [{"metric": {}, "value": "x"}]}}, 200, "no instant vector"),
        ({"status": "success", "data": {"result": [7]}}, 200, "no instant vector"),
    ],
)
async def test_an_answer_that_is_none_is_told_as_it_is(body: object, status: int, says: str) -> None:
    with pytest.raises(PrometheusError, match=says):
        await instant(HttpClient(httpx.MockTransport(App(body, status))), BASE, "a")


async def test_nobody_there_is_told_too() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(PrometheusError, match="refused"):
        await instant(HttpClient(httpx.MockTransport(refuse)), BASE, "a")


def test_a_recorded_reason_is_seen_at_the_step_that_failed_there() -> None:
    place = {"issuer": "acme", "target": "portal", "probe": "login", "region": "eu"}
    samples = (
        Sample({**place, "reason": "server_error"}, 3),
        Sample({**place, "step": "token"}, 3),
        Sample({**place, "region": "us", "reason": "server_error"}, 1),
        Sample({**place, "reason": "of_a_newer_agent"}, 1),
    )

    first, second = sightings_of(samples)

    assert (first.reason, first.stage, first.region) == (Reason.SERVER_ERROR, Stage.TOKEN, "eu")
    assert (first.check, first.source) == ("acme/portal/login", Source.RECORDED)
    assert (second.region, second.stage) == ("us", None)


def test_a_step_is_not_guessed_when_two_are_possible() -> None:
    place = {"issuer": "acme", "target": "portal", "probe": "login", "region": "eu"}
    samples = (
        Sample({**place, "reason": "server_error"}, 2),
        Sample({**place, "step": "token"}, 1),
        Sample({**place, "step": "userinfo"}, 1),
    )

    [sighting] = sightings_of(samples)

    assert sighting.stage is None
