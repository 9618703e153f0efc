"""A key that signs and is published only then: a failure that ends with its publication, and is told for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from probes.model import ProbeResult, Reason, Severity

if TYPE_CHECKING:
    from tests.probes.rotation.conftest import Stage


def told(result: ProbeResult) -> list[tuple[str, Severity]]:
    return [(finding.check_id, finding.severity) for finding in result.findings if finding.check_id == "ROT-06"]


@pytest.mark.process
async def test_publishing_the_key_ends_the_failure_and_the_end_of_its_tokens_the_warning(
    stage: Callable[..., Stage],
) -> None:
    on = stage()
    await on.play(["keys", {"rotate": {"mode": "unpublished", "alg": "RS256"}}, "tokens", {"wait": 10}])

    missing = await on.play(["keys"])
    late = await on.play([{"rotate": {"mode": "publish", "alg": "RS256"}}, {"wait": 10}, "keys"])
    over = await on.play([{"wait": 600}, "keys"])

    assert missing.failure is not None
    assert missing.failure.reason is Reason.KID_UNKNOWN
    assert told(missing) == [("ROT-06", Severity.FAILURE)]
    assert (late.failure, told(late)) == (None, [("ROT-06", Severity.WARNING)])
    assert (over.failure, told(over)) == (None, [])
