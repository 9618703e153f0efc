"""What a drill does to the keys is found while it runs, and never held against the issuer afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporters.ledger import KEYS, LedgerStore
from probes.model import ProbeResult, Quantity, Reason

if TYPE_CHECKING:
    from tests.probes.rotation.conftest import Stage

pytestmark = pytest.mark.process

ON, OFF, MINUTE = {"drill": True}, {"drill": False}, {"wait": 60}
REMOVED_EARLY = ("ROT-05", [{"rotate": {"mode": "abrupt", "alg": "RS256"}}, MINUTE])
NO_LEAD = ("ROT-03", [{"rotate": {"mode": "overlap", "alg": "RS256"}}, MINUTE, "keys", "tokens", MINUTE])
REPLACED = ("ROT-07", [{"rotate": "abrupt"}, MINUTE])
UNPUBLISHED = ("ROT-06", [{"rotate": {"mode": "unpublished", "alg": "RS256"}}, "tokens", MINUTE])
REUSED = ("ROT-02", [{"rotate": {"mode": "same_kid", "alg": "ES256"}}, MINUTE])
EVERY = pytest.mark.parametrize(
    ("check", "does"), [REMOVED_EARLY, NO_LEAD, REPLACED, UNPUBLISHED, REUSED], ids=lambda value: str(value)[:6]
)


def ids(result: ProbeResult) -> set[str]:
    return {finding.check_id for finding in result.findings}


@EVERY
async def test_it_is_found_while_the_drill_runs(stage: Callable[..., Stage], check: str, does: list[Any]) -> None:
    result = await stage().play(["keys", "tokens", ON, *does, "keys"])

    assert check in ids(result)


@EVERY
async def test_it_is_not_found_after_the_drill(stage: Callable[..., Stage], check: str, does: list[Any]) -> None:
    result = await stage().play(["keys", "tokens", ON, *does, "keys", OFF, MINUTE, "keys"])

    assert result.ok
    assert ids(result) == set()


@EVERY
async def test_what_happened_after_the_last_look_of_the_drill_is_the_drills(
    stage: Callable[..., Stage], check: str, does: list[Any]
) -> None:
    result = await stage().play(["keys", "tokens", ON, "keys", *does, OFF, "keys"])

    assert check not in ids(result)


@EVERY
async def test_the_same_is_found_where_no_drill_has_anything_to_do_with_it(
    stage: Callable[..., Stage], check: str, does: list[Any]
) -> None:
    result = await stage().play(["keys", "tokens", ON, "keys", OFF, MINUTE, "keys", *does, "keys"])

    assert check in ids(result)


async def test_a_restarted_agent_knows_what_the_drill_did(stage: Callable[..., Stage], tmp_path: Path) -> None:
    played, store = stage(), LedgerStore(tmp_path / KEYS)
    played.memory.keep = store.keep
    await played.play(["keys", "tokens", ON, *REMOVED_EARLY[1], "keys", *UNPUBLISHED[1]])
    store.close()
    restarted = stage(passed=played.passed)
    restarted.memory.ledgers["sandbox", restarted.sandbox.issuer] = LedgerStore(tmp_path / KEYS).read(played.issuer())

    after = await restarted.play([MINUTE, "keys"])
    during = await restarted.play([ON, "keys"])

    assert ids(after) == set()
    assert {"ROT-05", "ROT-06"} <= ids(during)


async def test_a_token_that_names_an_unknown_kid_is_remembered_over_a_restart(
    stage: Callable[..., Stage], tmp_path: Path
) -> None:
    played, store = stage(), LedgerStore(tmp_path / KEYS)
    played.memory.keep = store.keep
    await played.play(["keys", *UNPUBLISHED[1]])
    store.close()
    restarted = stage(passed=played.passed)
    restarted.memory.ledgers["sandbox", restarted.sandbox.issuer] = LedgerStore(tmp_path / KEYS).read(played.issuer())

    result = await restarted.play(["keys"])

    assert result.failure is not None
    assert result.failure.reason is Reason.KID_UNKNOWN


async def test_lead_and_overlap_of_a_drill_are_not_measured_after_it(stage: Callable[..., Stage]) -> None:
    wanted = {Quantity.JWKS_LEAD, Quantity.JWKS_OVERLAP}
    played = stage()

    during = await played.play(["keys", "tokens", ON, *NO_LEAD[1], {"rotate": "retire"}, MINUTE, "keys"])
    after = await played.play([OFF, MINUTE, "keys"])

    assert {each.quantity for each in during.measurements} >= wanted
    assert not {each.quantity for each in after.measurements} & wanted


async def test_a_finding_of_an_unpublished_key_ends_with_the_life_of_its_tokens(stage: Callable[..., Stage]) -> None:
    played = stage()

    told = await played.play(["keys", *UNPUBLISHED[1], "keys"])
    over = await played.play([{"wait": 300}, "keys"])

    assert "ROT-06" in ids(told)
    assert "ROT-06" not in ids(over)
