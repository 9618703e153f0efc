"""Validates tokens as a strict verifier with a fresh key set would, and counts each validation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from probes.checks import access_token, id_token
from probes.checks.access_token import AccessToken
from probes.checks.base import run_checks
from probes.checks.id_token import IdToken
from probes.documents import number
from probes.http import Http
from probes.jose import ASYMMETRIC, Jws, parse_jws, verify
from probes.keys import Key, KeySet
from probes.memory import Memory
from probes.metadata import Metadata
from probes.model import Check, ProbeFailure, Quantity, Reason, Stage
from probes.probe import Clock, Steps
from probes.provider import fetch_keys
from probes.reasons import ROWS
from probes.subjects import Client

_FURTHER_SAMPLES = 2  # fetched before a kid counts as absent from every edge

_NOT_THE_TOKEN = frozenset({Reason.TIMEOUT, Reason.CLOCK_SKEW, Reason.PROBE_ERROR})
VALIDATION_REASONS = tuple(
    row.reason for row in ROWS if row.stages & {Stage.ID_TOKEN, Stage.ACCESS_TOKEN} and row.reason not in _NOT_THE_TOKEN
)
"""Every reason for which a token can be refused: values of the label `reason` of the validation counters."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token has to fit: what was sent with the request and what came with the token."""

    nonce: str = field(repr=False)
    access_token: str = field(repr=False)
    previous_sub: str = ""
    refreshed: bool = False


@dataclass(frozen=True, slots=True)
class Validator:
    """A strict verifier for one run."""

    http: Http
    metadata: Metadata
    keys: KeySet
    check: Check
    client: Client
    memory: Memory
    clock: Clock

    async def id_token(self, raw: str, expected: Expected, steps: Steps) -> Jws:
        """Step `id_token`: structure, algorithm, signature, then the claims (OIDC Core §3.1.3.7)."""
        with steps(Stage.ID_TOKEN) as note, _counted(steps):
            jws = parse_jws(raw)
            note["jose.alg"], note["jose.kid"] = jws.alg[:40], jws.kid[:80]
            await self._signed(jws, frozenset({self.client.id_token_alg}), steps)
            _measure_lifetime(jws, steps, "id_token")
            token = IdToken(
                jws=jws,
                issuer=self.check.issuer,
                client=self.client,
                now=self.clock(),
                nonce=expected.nonce,
                access_token=expected.access_token,
                previous_sub=expected.previous_sub,
                refreshed=expected.refreshed,
            )
            steps.judge(run_checks(id_token.CLAIMS, token))
            return jws

    async def access_token(self, raw: str, steps: Steps) -> Jws:
        """Step `access_token`, for one that is a JWS: as a resource server would (RFC 9068 §4)."""
        with steps(Stage.ACCESS_TOKEN) as note, _counted(steps):
            jws = parse_jws(raw)
            note["jose.alg"], note["jose.kid"] = jws.alg[:40], jws.kid[:80]
            await self._signed(jws, ASYMMETRIC, steps)
            token = AccessToken(jws, self.check.issuer, self.client, self.clock())
            steps.judge(run_checks(access_token.CLAIMS, token))
            return jws

    async def _signed(self, jws: Jws, allowed: frozenset[str], steps: Steps) -> Key:
        """The signing key. A kid that is not there is looked for in further samples before it counts as unknown.

        Raises ProbeFailure: see `probes.jose.verify`; jwks_inconsistent when only some samples have the key.
        """
        try:
            key = verify(jws, self.keys, allowed)
        except ProbeFailure as failure:
            if failure.reason is not Reason.KID_UNKNOWN or not jws.kid:
                raise
            for _ in range(_FURTHER_SAMPLES):
                if (await fetch_keys(self.http, self.metadata, steps)).find(jws.kid):
                    message = f"kid {jws.kid[:60]!r} is in some samples of the key set and not in others"
                    raise ProbeFailure(Reason.JWKS_INCONSISTENT, message) from None
            raise
        self.memory.signing_kids[self.check.issuer.name] = key.kid
        return key


@contextmanager
def _counted(steps: Steps) -> Iterator[None]:
    """Counts the block as one token validation. What is not the token's fault (a dead key set) is not counted."""
    try:
        yield
    except ProbeFailure as failure:
        if failure.reason in VALIDATION_REASONS:
            steps.measure(Quantity.TOKEN_VALIDATION, 1, result="failure", reason=failure.reason)
        raise
    steps.measure(Quantity.TOKEN_VALIDATION, 1, result="success", reason="")


def _measure_lifetime(jws: Jws, steps: Steps, token: str) -> None:
    exp, iat = number(jws.claims, "exp"), number(jws.claims, "iat")
    if exp is not None and iat is not None:
        steps.measure(Quantity.TOKEN_LIFETIME, exp - iat, token=token)
