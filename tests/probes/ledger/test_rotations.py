"""Every way in which the sandbox rotates keys, as the jwks probe tells it with the help of tokens seen by another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from probes.ledger import KeyState, state_of
from probes.model import ProbeResult, Quantity, Reason, Severity, Stage
from probes.subjects import Policy
from sandbox.keys import KeyRing

if TYPE_CHECKING:
    from tests.probes.conftest import Lab, Signer

JWKS, TOKEN = "/jwks", "/token"


@dataclass(slots=True)
class Rotating:
    """The laboratory's provider with the sandbox's keys. A minute passes before each look at it."""

    lab: Lab
    ring: KeyRing

    async def tokens(self) -> ProbeResult:
        return await self._minute("client_credentials")

    async def keys(self) -> ProbeResult:
        return await self._minute("jwks")

    def states(self) -> dict[str, KeyState]:
        ledger = self.lab.memory.ledgers[self.lab.issuer.name, self.lab.issuer.url]
        return {record.facts.kid: state_of(ledger, record) for record in ledger.keys.values()}

    async def _minute(self, kind: str) -> ProbeResult:
        self.lab.clock.forward(seconds=60)
        active = self.ring.active("RS256")
        private = active.material.get_op_key("sign")
        self.lab.signer = replace(self.lab.signer, kid=active.kid, private=private)
        self.lab.provider.json(JWKS, self.ring.jwks(), cache_control="max-age=300")
        self.lab.provider.json(TOKEN, self.lab.tokens(self.lab.access_token()), cache_control="no-store")
        return await self.lab.run(kind)


@pytest.fixture
async def rotating(lab: Lab) -> Rotating:
    """The first key has been seen in the set and in a token, which lives for 300 s."""
    made = Rotating(lab, KeyRing(["RS256"]))
    assert (await made.keys()).ok
    assert (await made.tokens()).ok
    return made


def rotation_findings(result: ProbeResult) -> list[tuple[str, Severity]]:
    wanted = {"ROT-03", "ROT-04", "ROT-05"}
    return [(each.check_id, each.severity) for each in result.findings if each.check_id in wanted]


def measured(result: ProbeResult, quantity: Quantity) -> list[float]:
    return [each.value for each in result.measurements if each.quantity is quantity]


async def test_a_key_announced_for_longer_than_max_age_and_then_used_raises_nothing(rotating: Rotating) -> None:
    rotating.ring.rotate("announce")
    announced = [await rotating.keys() for _ in range(6)]
    rotating.ring.rotate("activate")

    used = [await rotating.tokens(), await rotating.keys()]

    assert [rotation_findings(result) for result in announced + used] == [[]] * 8
    assert measured(used[-1], Quantity.JWKS_LEAD) == [360]
    assert sorted(rotating.states().values()) == [KeyState.ACTIVE, KeyState.RETIRING]


async def test_a_key_that_signs_at_once_is_told_until_max_age_is_over(rotating: Rotating) -> None:
    rotating.ring.rotate("overlap")
    await rotating.keys()
    await rotating.tokens()

    told = [rotation_findings(await rotating.keys()) for _ in range(5)]

    assert told == [[("ROT-03", Severity.WARNING)]] * 4 + [[]]


async def test_the_policy_may_want_a_longer_lead_than_max_age(rotating: Rotating) -> None:
    rotating.lab.issuer = replace(rotating.lab.issuer, policy=Policy(min_key_lead=3600))
    rotating.ring.rotate("announce")
    for _ in range(6):
        await rotating.keys()
    rotating.ring.rotate("activate")
    await rotating.tokens()

    result = await rotating.keys()

    assert rotation_findings(result) == [("ROT-03", Severity.WARNING)]


async def test_a_key_removed_while_its_token_is_valid_fails_each_run_until_that_has_expired(rotating: Rotating) -> None:
    rotating.ring.rotate("abrupt")

    results = [await rotating.keys() for _ in range(6)]

    failures = [(each.failure.reason, each.failure.stage) if each.failure else None for each in results]
    assert failures[:4] == [(Reason.ROTATION_UNSAFE, Stage.JWKS)] * 4
    assert [("ROT-05", Severity.FAILURE) in rotation_findings(each) for each in results] == [True] * 4 + [False] * 2
    assert results[4].ok


async def test_the_removed_key_in_the_set_again_heals_it(rotating: Rotating) -> None:
    kid = rotating.ring.active("RS256").kid
    rotating.ring.rotate("standby")
    await rotating.keys()
    rotating.ring.rotate("remove", kid=kid)
    removed = await rotating.keys()

    rotating.ring.rotate("publish")
    healed = await rotating.keys()

    assert rotation_findings(removed) == [("ROT-05", Severity.FAILURE)]
    assert healed.ok
    assert rotation_findings(healed) == []


async def test_a_key_retired_after_its_tokens_have_died_raises_nothing_and_shows_its_overlap(
    rotating: Rotating,
) -> None:
    rotating.ring.rotate("overlap")
    for _ in range(11):
        await rotating.keys()
    await rotating.tokens()
    rotating.ring.rotate("retire")

    result = await rotating.keys()

    assert result.ok
    assert rotation_findings(result) == []
    assert measured(result, Quantity.JWKS_OVERLAP) == [660]
    assert sorted(rotating.states().values()) == [KeyState.ACTIVE, KeyState.REMOVED]


async def test_a_key_used_before_it_was_published_has_no_lead(rotating: Rotating) -> None:
    rotating.ring.rotate("unpublished")
    refused = await rotating.tokens()
    await rotating.keys()
    rotating.ring.rotate("publish")
    await rotating.tokens()

    result = await rotating.keys()

    assert refused.failure is not None
    assert refused.failure.reason is Reason.KID_UNKNOWN
    assert measured(result, Quantity.JWKS_LEAD) == [0]
    assert rotation_findings(result) == [("ROT-03", Severity.WARNING)]


async def test_other_material_under_the_same_kid_is_another_key(rotating: Rotating) -> None:
    rotating.ring.rotate("same_kid")

    result = await rotating.keys()

    assert {finding.check_id for finding in result.findings} >= {"ROT-02", "ROT-05"}


async def test_a_rollback_to_a_published_key_raises_nothing(rotating: Rotating) -> None:
    rotating.ring.rotate("overlap")
    for _ in range(6):
        await rotating.keys()
    await rotating.tokens()
    rotating.ring.rotate("rollback")
    await rotating.tokens()

    result = await rotating.keys()

    assert result.ok
    assert rotation_findings(result) == []


async def test_a_published_private_key_is_compromised_and_may_leave_at_once(rotating: Rotating) -> None:
    leaked = rotating.lab.signer.jwk(d="AQAB")
    rotating.lab.provider.json(JWKS, {"keys": [leaked]}, cache_control="max-age=300")
    await rotating.lab.run("jwks")
    rotating.ring.rotate("abrupt")

    result = await rotating.keys()

    assert KeyState.COMPROMISED in rotating.states().values()
    assert rotation_findings(result) == []


async def test_a_token_with_an_endless_life_is_believed_for_as_long_as_the_policy_allows(rotating: Rotating) -> None:
    rotating.lab.issuer = replace(rotating.lab.issuer, policy=Policy(max_token_lifetime=600))
    endless = rotating.lab.access_token(exp=int(rotating.lab.clock().timestamp()) + 10**12)
    rotating.lab.provider.json(TOKEN, rotating.lab.tokens(endless), cache_control="no-store")

    await rotating.lab.run("client_credentials")

    ledger = rotating.lab.memory.ledgers[rotating.lab.issuer.name, rotating.lab.issuer.url]
    (use,) = [record.use for record in ledger.keys.values() if record.use]
    assert use.lifetime == 600


@pytest.mark.parametrize("step", [timedelta(days=400), timedelta(hours=-20)], ids=str)
async def test_tokens_whose_times_do_not_fit_the_clock_are_not_entered(rotating: Rotating, step: timedelta) -> None:
    lab = rotating.lab
    before = lab.memory.ledger_of(lab.issuer)
    token = lab.access_token()
    lab.provider.json(TOKEN, lab.tokens(token), cache_control="no-store")
    lab.clock.at += step

    refused = await lab.run("client_credentials")

    assert refused.failure is not None
    assert lab.memory.ledger_of(lab.issuer) == before


@pytest.mark.parametrize("step", [timedelta(days=400), timedelta(hours=-20)], ids=str)
async def test_unknown_kids_in_tokens_whose_times_do_not_fit_are_not_entered(
    rotating: Rotating, other_signer: Signer, step: timedelta
) -> None:
    lab = rotating.lab
    lab.signer = other_signer
    lab.provider.json(TOKEN, lab.tokens(lab.access_token()), cache_control="no-store")
    lab.clock.at += step

    await lab.run("client_credentials")

    assert lab.memory.ledger_of(lab.issuer).unpublished == {}


async def test_a_key_that_left_with_its_tokens_is_not_missed_after_a_step_of_the_clock(rotating: Rotating) -> None:
    rotating.ring.rotate("overlap")
    right = rotating.lab.clock.at
    rotating.lab.clock.at += timedelta(days=400)
    await rotating.lab.run("client_credentials")
    rotating.lab.clock.at = right
    for _ in range(11):
        await rotating.keys()
    await rotating.tokens()
    rotating.ring.rotate("retire")

    assert rotation_findings(await rotating.keys()) == []
