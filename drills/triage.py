"""Whose fault a refused token is: the verifier's, when a strict one with fresh keys accepts it, and else the provider's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from drills.outside import Outside
from probes.memory import Memory
from probes.model import Check, Failure, Reason, Stage
from probes.probe import Steps, utc_now
from probes.provider import fetch_keys
from probes.reasons import REASONS, Owner
from probes.redact import Redactor
from probes.run import run_once
from probes.token_validation import Validator


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a token was refused, at which protocol step, and who can mend it."""

    reason: Reason
    stage: Stage
    owner: Owner


def triage(token: str, outside: Outside) -> Cause:
    """The cause of a verifier's refusal of this token, which must not have expired. Not from within an event loop."""
    return cause_of_refusal(local_validation(token, outside))


def cause_of_refusal(local: Failure | None) -> Cause:
    """`local`: why a strict validation with a fresh key set fails; None when it does not.

    What verifies and is refused is the verifier's: a stale cache, its clock, its audience. What does not verify is not.
    """
    if local is None:
        return Cause(Reason.RESOURCE_REJECTED, Stage.RESOURCE, REASONS[Reason.RESOURCE_REJECTED].owner)
    return Cause(local.reason, local.stage, REASONS[local.reason].owner)


def local_validation(token: str, outside: Outside) -> Failure | None:
    """Validates an access token as the probes do, with a key set fetched now; None when nothing is wrong with it.

    Takes no longer than the policy's `max_response_seconds`; a key set that takes longer is a failure too.
    """
    check = Check(
        outside.issuer, "client_credentials", outside.client, timeout=outside.issuer.policy.max_response_seconds
    )
    return asyncio.run(run_once(_Validation(token, outside), check, "", Redactor())).failure


@dataclass(frozen=True, slots=True)
class _Validation:
    """A probe of one token, with a memory of its own: the ledger of the drill's watch is not to know old tokens."""

    token: str = field(repr=False)
    outside: Outside

    async def __call__(self, check: Check, steps: Steps) -> None:
        """See `probes.probe.Probe`."""
        outside = self.outside
        steps.hide(self.token)
        keys = await fetch_keys(outside.http, outside.metadata, steps)
        validator = Validator(outside.http, outside.metadata, keys, check, outside.client, Memory(), utc_now)
        await validator.access_token(self.token, steps)
