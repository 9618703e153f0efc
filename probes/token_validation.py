"""Validates tokens as a strict verifier with a fresh key set would, and counts each validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from probes.checks import access_token, id_token, signature
from probes.checks.access_token import AccessToken
from probes.checks.base import ProtocolCheck, run_checks
from probes.checks.id_token import IdToken
from probes.checks.signature import SignedToken
from probes.documents import number
from probes.http import Http
from probes.jose import ASYMMETRIC, Jws, verify
from probes.keys import Key, KeySet
from probes.ledger import KeyFacts, TokenSeen, UnknownKidSeen
from probes.memory import Memory
from probes.metadata import Metadata
from probes.model import Attribute, Check, Finding, ProbeFailure, Quantity, Reason, Stage
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
    previous_auth_time: float | None = None
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
            jws = await self._signed(raw, signature.ID_TOKEN, frozenset({self.client.id_token_alg}), steps, note)
            _measure_lifetime(jws, steps, "id_token")
            token = IdToken(
                jws=jws,
                issuer=self.check.issuer,
                client=self.client,
                now=self.clock(),
                nonce=expected.nonce,
                access_token=expected.access_token,
                previous_sub=expected.previous_sub,
                previous_auth_time=expected.previous_auth_time,
                refreshed=expected.refreshed,
            )
            steps.judge(run_checks(id_token.CLAIMS, token))
            return jws

    async def access_token(self, raw: str, steps: Steps) -> Jws:
        """Step `access_token`, for one that is a JWS: as a resource server would (RFC 9068 §4)."""
        with steps(Stage.ACCESS_TOKEN) as note, _counted(steps):
            jws = await self._signed(raw, signature.ACCESS_TOKEN, ASYMMETRIC, steps, note)
            token = AccessToken(jws, self.check.issuer, self.client, self.clock())
            steps.judge(run_checks(access_token.CLAIMS, token))
            return jws

    async def _signed(
        self,
        raw: str,
        checks: Sequence[ProtocolCheck[SignedToken]],
        allowed: frozenset[str],
        steps: Steps,
        note: dict[str, Attribute],
    ) -> Jws:
        """The token, once its form and signature have passed.

        A kid that is not there is looked for in further samples before it counts as unknown; when some have it, the
        reason is jwks_inconsistent.
        """
        token = SignedToken.of(raw, self.keys, allowed)
        if token.jws is None:
            steps.judge(run_checks(checks, token))
            raise ProbeFailure(Reason.BAD_RESPONSE, token.problem)
        note["jose.alg"], note["jose.kid"] = token.jws.alg[:40], token.jws.kid[:80]
        findings = run_checks(checks, token)
        if token.jws.kid and _kid_unknown(findings):
            findings = [await self._sampled(finding, token.jws.kid, steps) for finding in findings]
        if _kid_unknown(findings):
            self._note_unknown(token.jws)
        steps.judge(findings)
        self.memory.signing_kids[self.check.issuer.name] = token.jws.kid
        self._note(token.jws, verify(token.jws, self.keys, allowed))
        return token.jws

    def _note(self, jws: Jws, key: Key) -> None:
        """Enters the token in the key ledger."""
        now = self.clock()
        expires = self._end_of(jws, now)
        if expires is not None and key.thumbprint:
            facts = KeyFacts.of(replace(key, alg=key.alg or jws.alg))
            self.memory.observe(self.check.issuer, TokenSeen(now, facts, expires))

    def _note_unknown(self, jws: Jws) -> None:
        """Enters in the key ledger that no sample of the key set holds this kid (ROT-06), or that there is none."""
        now = self.clock()
        expires = self._end_of(jws, now)
        if expires is not None:
            self.memory.observe(self.check.issuer, UnknownKidSeen(now, jws.kid, expires))

    def _end_of(self, jws: Jws, now: datetime) -> datetime | None:
        """When the token expires. An `exp` beyond the policy's longest life is not believed.

        None where its times do not fit the clock: one of the two is wrong, and a ledger remembers for long.
        """
        policy, claims = self.check.issuer.policy, jws.claims
        exp = number(claims, "exp")
        if exp is None or exp <= now.timestamp():
            return None
        begins = (number(claims, name) for name in ("iat", "nbf"))
        if any(begin is not None and begin > now.timestamp() + policy.max_clock_offset for begin in begins):
            return None
        return now + timedelta(seconds=min(exp - now.timestamp(), policy.max_token_lifetime))

    async def _sampled(self, finding: Finding, kid: str, steps: Steps) -> Finding:
        """The finding, with another reason when a further sample of the key set does have the kid."""
        for _ in range(_FURTHER_SAMPLES):
            if (await fetch_keys(self.http, self.metadata, steps)).find(kid):
                message = f"kid {kid[:60]!r} is in some samples of the key set and not in others"
                return replace(finding, message=message, reason=Reason.JWKS_INCONSISTENT)
        return finding


def _kid_unknown(findings: Sequence[Finding]) -> bool:
    return any(finding.reason is Reason.KID_UNKNOWN for finding in findings)


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
