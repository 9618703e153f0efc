"""Drills that rotate the signing key: well, without lead, without overlap, and in other ways that go wrong."""

from __future__ import annotations

from drills.scenario import Action, Detection, Generation, Hold, Judge, Measure, Move, Scenario
from probes.model import Reason
from probes.reasons import Owner

_BOTH = frozenset(Generation)
_OLD = frozenset({Generation.OLD})
_REMOVED = Detection(frozenset({Reason.ROTATION_UNSAFE}), Owner.IDENTITY_PROVIDER, frozenset({"ROT-05"}))

ROTATIONS: tuple[Scenario, ...] = (
    Scenario(
        name="routine",
        title="A rotation that nobody notices",
        why="The key is announced, taken into use when every verifier can know it, and the old one is removed when no "
        "token of it is left (OIDC Core §10.1.1). Nobody may be refused at any time.",
        moves=(
            Move(Action.ANNOUNCE, hold=Hold.ADOPTED),
            Move(Action.ACTIVATE, hold=Hold.OVERLAP, starts=Measure.ACCEPT),
            Move(Action.REMOVE, hold=Hold.OBSERVED),
        ),
        judge=Judge.NO_IMPACT,
        measures=Measure.ACCEPT,
        polls=_BOTH,
        keeps=True,
    ),
    Scenario(
        name="zero-lead",
        title="A new key signs at once",
        why="Dex, and Keycloak by its documented procedure, publish a key and sign with it in the same moment. "
        "Verifiers that do not refetch at an unknown kid refuse new tokens until their next fetch.",
        moves=(Move(Action.ROTATE, hold=Hold.OBSERVED, starts=Measure.ACCEPT),),
        judge=Judge.AS_PREDICTED,
        measures=Measure.ACCEPT,
        polls=_BOTH,
        detects=Detection(frozenset({Reason.ROTATION_UNSAFE}), Owner.IDENTITY_PROVIDER, frozenset({"ROT-03"})),
        caution="Services that have not fetched the new key refuse tokens that were issued since.",
    ),
    Scenario(
        name="early-removal",
        title="The old key leaves before its tokens",
        why="A key is taken out of the set while tokens that it signed are still valid. It shows how long each "
        "verifier goes on accepting them, and how long it takes to recover when the key is back.",
        # A new token would make verifiers fetch, and drop the old key sooner than by themselves: only old ones are asked.
        moves=(Move(Action.REPLACE, hold=Hold.OBSERVED, starts=Measure.REJECT),),
        judge=Judge.AS_PREDICTED,
        measures=Measure.REJECT,
        polls=_OLD,
        detects=_REMOVED,
        alerts=frozenset({"OidcRotationUnsafe", "OidcKeyRotationBroken"}),
        caution="Users and services whose tokens are older than the drill are refused until the key is back.",
    ),
    Scenario(
        name="compromise",
        title="A key is compromised",
        why="The private key has leaked: a new one signs, the old one leaves the set, and every verifier must give it "
        "up. It shows how long a forger would be believed, and whether a flush ends that.",
        moves=(Move(Action.REPLACE, hold=Hold.OBSERVED, starts=Measure.REJECT),),
        judge=Judge.AS_PREDICTED,
        measures=Measure.REJECT,
        polls=_OLD,
        detects=_REMOVED,
        alerts=frozenset({"OidcRotationUnsafe", "OidcKeyRotationBroken"}),
        keeps=True,
        flushes=True,
        caution="Every token that was issued before the drill ends for good; users have to sign in again.",
    ),
    Scenario(
        name="kid-reuse",
        title="A new key under the old kid",
        why="A restore or a copied configuration puts another key under a kid that is in use. A verifier that has the "
        "kid sees no reason to fetch, and refuses new tokens for as long as it keeps the old key (RFC 7517 §4.5).",
        # Nothing is measured: predictions are about a kid that a verifier does not know.
        moves=(Move(Action.REUSE_KID, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_BOTH,
        detects=Detection(frozenset({Reason.JWKS_INVALID}), Owner.IDENTITY_PROVIDER, frozenset({"ROT-02"})),
        alerts=frozenset({"OidcJwksInvalid", "OidcRotationUnsafe", "OidcKeyRotationBroken"}),
        caution="New tokens are refused where the old key is cached, old ones where it is not.",
    ),
    Scenario(
        name="algorithm-change",
        title="Tokens are signed with another algorithm",
        why="A provider moves from RS256 to ES256. Verifiers that were configured for one algorithm refuse the other, "
        "and nothing but a token of the new one shows which they are.",
        moves=(Move(Action.ALGORITHM, {"alg": "ES256"}, hold=Hold.OBSERVED, starts=Measure.ACCEPT),),
        judge=Judge.NO_IMPACT,
        measures=Measure.ACCEPT,
        polls=_BOTH,
        caution="Services that accept one algorithm only refuse every new token.",
    ),
)
