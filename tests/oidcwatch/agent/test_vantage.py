"""A failure of our own network is told from a failure of the provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from oidcwatch.vantage import Place, judged
from probes.model import Check, Failure, ProbeResult, Reason, Stage
from probes.subjects import Issuer, Region

DEAD: Place = ("127.0.0.1", 9)
HERE = Region("here")


def failed(reason: Reason) -> ProbeResult:
    check = Check(Issuer("acme", "https://acme.example.test"), "discovery")
    failure = Failure(reason, Stage.DISCOVERY, "as seen")
    return ProbeResult(check, "here", "0" * 32, datetime.now(UTC), 0.1, (), failure=failure)


@pytest.fixture
async def alive() -> AsyncIterator[Place]:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[:2]
    server.close()


@pytest.mark.parametrize("reason", [Reason.DNS_FAILURE, Reason.CONNECT_FAILURE, Reason.TIMEOUT])
async def test_a_network_failure_without_any_reference_answering_is_ours(reason: Reason) -> None:
    result = await judged(failed(reason), HERE, [DEAD])

    assert result.failure is not None
    assert (result.failure.reason, result.failure.stage) == (Reason.PROBE_ERROR, Stage.PROBE)
    assert reason in result.failure.detail


async def test_a_network_failure_while_a_reference_answers_is_the_providers(alive: Place) -> None:
    result = failed(Reason.CONNECT_FAILURE)

    assert await judged(result, HERE, [DEAD, alive]) is result


async def test_a_protocol_failure_is_never_questioned() -> None:
    result = failed(Reason.ISSUER_MISMATCH)

    assert await judged(result, HERE, [DEAD]) is result


async def test_without_references_nothing_is_known() -> None:
    result = failed(Reason.TIMEOUT)

    assert await judged(result, HERE, []) is result


async def test_a_dead_proxy_is_ours_whatever_the_references_say(alive: Place) -> None:
    region = Region("far", proxy="http://127.0.0.1:9")

    result = await judged(failed(Reason.CONNECT_FAILURE), region, [alive])

    assert result.failure is not None
    assert result.failure.reason is Reason.PROBE_ERROR
    assert "proxy" in result.failure.detail


async def test_behind_a_dead_proxy_an_answer_that_was_cut_short_is_no_evidence() -> None:
    region = Region("far", proxy="http://127.0.0.1:9")

    result = await judged(failed(Reason.BAD_RESPONSE), region, [])

    assert result.failure is not None
    assert result.failure.reason is Reason.PROBE_ERROR


async def test_a_living_proxy_leaves_the_failure_to_the_provider(alive: Place) -> None:
    region = Region("far", proxy=f"socks5://127.0.0.1:{alive[1]}")
    result = failed(Reason.CONNECT_FAILURE)

    assert await judged(result, region, [DEAD]) is result
