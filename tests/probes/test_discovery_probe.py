"""The discovery probe remembers what it accepted: a change fails one run, then it is the accepted document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from probes.model import Quantity, Reason, Stage

if TYPE_CHECKING:
    from tests.probes.conftest import Lab

DOCUMENT = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"
HERE = "https://login.acme.example"
Good = Callable[[], dict[str, Any]]


async def test_a_good_document_is_a_success_without_findings(lab: Lab) -> None:
    result = await lab.run("discovery")

    assert result.ok
    assert [step.name for step in result.steps] == [Stage.DISCOVERY]
    assert result.steps[0].attributes["http.status"] == 200
    assert result.findings == ()


async def test_a_changed_endpoint_fails_one_run_and_is_then_accepted(lab: Lab, discovery_document: Good) -> None:
    assert (await lab.run("discovery")).ok
    lab.provider.json(DOCUMENT, {**discovery_document(), "token_endpoint": f"{HERE}/v2/token"})

    changed, after = await lab.run("discovery"), await lab.run("discovery")

    assert changed.failure is not None
    assert changed.failure.reason is Reason.DISCOVERY_DRIFT
    assert "/v2/token" in changed.failure.detail
    assert after.ok


async def test_a_change_back_is_a_change_too(lab: Lab, discovery_document: Good) -> None:
    other = {**discovery_document(), "jwks_uri": f"{HERE}/keys"}
    lab.provider.json(DOCUMENT, discovery_document(), other, discovery_document())

    results = [await lab.run("discovery") for _ in range(4)]

    assert [result.ok for result in results] == [True, False, False, True]


async def test_each_region_accepts_a_document_of_its_own(lab: Lab, discovery_document: Good) -> None:
    await lab.run("discovery", region="eu")
    lab.provider.json(DOCUMENT, {**discovery_document(), "jwks_uri": f"{HERE}/keys"})

    assert (await lab.run("discovery", region="us")).ok
    assert not (await lab.run("discovery", region="eu")).ok


async def test_an_invalid_document_is_not_accepted(lab: Lab, discovery_document: Good) -> None:
    broken = {**discovery_document(), "issuer": "https://evil.example", "jwks_uri": f"{HERE}/keys"}
    lab.provider.json(DOCUMENT, discovery_document(), broken, discovery_document())

    results = [await lab.run("discovery") for _ in range(3)]

    assert [result.failure and result.failure.reason for result in results] == [None, Reason.ISSUER_MISMATCH, None]


async def test_a_new_algorithm_is_told_and_fails_nothing(lab: Lab, discovery_document: Good) -> None:
    await lab.run("discovery")
    algorithms = ["RS256", "ES256"]
    lab.provider.json(DOCUMENT, {**discovery_document(), "id_token_signing_alg_values_supported": algorithms})

    result = await lab.run("discovery")

    assert result.ok
    assert [finding.check_id for finding in result.findings] == ["DISC-13"]


async def test_the_oauth_metadata_is_compared_once_an_hour(lab: Lab) -> None:
    lab.provider.json(OAUTH, {"issuer": f"{HERE}/"})

    first, second = await lab.run("discovery"), await lab.run("discovery")
    lab.clock.forward(hours=1)
    later = await lab.run("discovery")

    found = [[finding.check_id for finding in result.findings] for result in (first, second, later)]
    assert found == [["DISC-12"], [], ["DISC-12"]]
    assert all(result.ok for result in (first, second, later))


@pytest.mark.parametrize("answer", [httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.InvalidURL("odd")])
async def test_oauth_metadata_that_cannot_be_fetched_fails_nothing(lab: Lab, answer: Exception) -> None:
    lab.provider.on(OAUTH, answer)

    assert (await lab.run("discovery")).ok


@pytest.mark.parametrize(
    ("date", "offset"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:00:10 GMT", 10.5),
        ("Sun, 01 Mar 2026 11:59:00 GMT", -59.5),
    ],
)
async def test_the_clock_offset_is_measured_from_the_date_header(
    lab: Lab, discovery_document: Good, date: str, offset: float
) -> None:
    lab.provider.json(DOCUMENT, discovery_document(), date=date)

    result = await lab.run("discovery")

    assert [each.value for each in result.measurements if each.quantity is Quantity.CLOCK_OFFSET] == [offset]
