"""Replays of real incidents, each with the verifiers that it was about and the reason and owner that end the search."""

from __future__ import annotations

from drills.scenario import Action, Detection, Generation, Hold, Judge, Measure, Move, Scenario
from probes.model import Reason
from probes.reasons import Owner

_BOTH = frozenset(Generation)
_OLD = frozenset({Generation.OLD})
_NO_LEAD = (Move(Action.ROTATE, hold=Hold.OBSERVED, starts=Measure.ACCEPT),)
_BY_VERIFIER = Detection(frozenset({Reason.RESOURCE_REJECTED}), Owner.GATEWAY)
"""A token that verifies with a fresh key set is refused: the verifier's cache is stale, not the provider wrong."""
_NEW_REFUSED = "Services that have not fetched the new key refuse tokens that were issued since."

INCIDENTS: tuple[Scenario, ...] = (
    Scenario(
        name="incident-azure-2021",
        title="Azure AD, 15 March 2021: a key that was still needed is removed",
        why="Automation took a key out of the set that was marked to be kept, and that still signed. It was back after "
        "two hours; caches that had fetched meanwhile kept users out until the next morning.",
        moves=(Move(Action.REMOVE, hold=Hold.OBSERVED, starts=Measure.REJECT),),
        judge=Judge.DETECTED,
        measures=Measure.REJECT,
        polls=_OLD,
        detects=Detection(
            frozenset({Reason.ROTATION_UNSAFE, Reason.KID_UNKNOWN}),
            Owner.IDENTITY_PROVIDER,
            frozenset({"ROT-05", "ACC-07"}),
        ),
        alerts=frozenset({"OidcRotationUnsafe", "OidcKeyRotationBroken", "OidcSignatureVerification"}),
        verifiers=("microsoft-identitymodel", "spring-nimbus"),
        incident="I1",
        caution="Services that fetch the key set refuse every token, old and new.",
    ),
    Scenario(
        name="incident-microsoft-rollover",
        title="Microsoft's common endpoint: some answers lack some keys",
        why="During a rollover the endpoint gave six keys or nine, depending on who answered. Clients that replace "
        "their whole cache with each answer dropped keys that were in use.",
        moves=(Move(Action.STALE_EDGE), Move(Action.ROTATE, hold=Hold.OBSERVED)),
        judge=Judge.DETECTED,
        polls=_BOTH,
        detects=Detection(frozenset({Reason.JWKS_INCONSISTENT}), Owner.IDENTITY_PROVIDER, frozenset({"ROT-09"})),
        alerts=frozenset({"OidcJwksInconsistent"}),
        verifiers=("pyjwt",),
        incident="I2",
        caution="Some services refuse new tokens, and others drop the old key.",
    ),
    Scenario(
        name="incident-kubernetes-max-age",
        title="Kubernetes API server: a new key is refused for the key set's max-age",
        why="kube-apiserver looks an unknown kid up only when the set that it holds is about to expire. With the week "
        "that Amazon EKS publishes that is a week of refused tokens, or a restart. The key set needs a max-age for it.",
        moves=_NO_LEAD,
        judge=Judge.DETECTED,
        measures=Measure.ACCEPT,
        polls=_BOTH,
        detects=_BY_VERIFIER,
        verifiers=("kube-apiserver",),
        incident="I3",
        caution=_NEW_REFUSED,
    ),
    Scenario(
        name="incident-istio-blind-window",
        title="Istio: the mesh refuses new tokens until the next periodic fetch",
        why="istiod fetches every twenty minutes and Envoy does not fetch for an unknown kid, so that after a rotation "
        "every service behind the mesh answers 401 until then. Restarts help, which hides the cause.",
        moves=_NO_LEAD,
        judge=Judge.DETECTED,
        measures=Measure.ACCEPT,
        polls=_BOTH,
        detects=_BY_VERIFIER,
        verifiers=("istio", "istio-envoy"),
        incident="I5",
        caution=_NEW_REFUSED,
    ),
    Scenario(
        name="incident-dex-static-keys",
        title="Dex: services that read the keys at their start",
        why="Dex rotates every six hours and signs with the new key at once. What has read the key set at its start "
        "refuses every login from then on, and a fresh login does not help.",
        moves=_NO_LEAD,
        judge=Judge.DETECTED,
        measures=Measure.ACCEPT,
        polls=_BOTH,
        detects=_BY_VERIFIER,
        verifiers=("static-keys",),
        incident="I6",
        caution=_NEW_REFUSED,
    ),
    Scenario(
        name="incident-aspnet-first-requests",
        title="ASP.NET Core: the first requests on every instance fail after a rollover",
        why="The keys are refreshed in the background after a failure, at most every five minutes. The request that "
        "meets the new key is refused on each instance, with every rollover.",
        moves=_NO_LEAD,
        judge=Judge.DETECTED,
        measures=Measure.ACCEPT,
        polls=_BOTH,
        detects=_BY_VERIFIER,
        verifiers=("microsoft-identitymodel",),
        incident="I8",
        caution=_NEW_REFUSED,
    ),
    Scenario(
        name="incident-pyjwt-cleared-cache",
        title="PyJWT: a failed fetch wipes the cached keys",
        why="While the key set cannot be fetched, one token with an unknown kid makes older releases fetch, fail and "
        "drop the keys that they had: a short outage of one endpoint refuses every token.",
        moves=(
            Move(Action.JWKS, {"kind": "5xx"}, starts=Measure.OUTAGE),
            Move(Action.ROTATE, hold=Hold.OBSERVED),
        ),
        judge=Judge.DETECTED,
        measures=Measure.OUTAGE,
        polls=_BOTH,  # the token with the unknown kid is a new one
        detects=Detection(frozenset({Reason.SERVER_ERROR}), Owner.IDENTITY_PROVIDER),
        alerts=frozenset({"OidcJwksUnavailable"}),
        verifiers=("pyjwt-2026-03",),
        incident="I9",
        caution="Services whose keys run out or are dropped refuse every token, and all refuse new ones.",
    ),
    Scenario(
        name="incident-gitlab-uncacheable",
        title="GitLab: a key set that nobody may cache",
        why="The key set came with no-store, so AWS STS fetched it for each call. One pipeline passed, many at the same "
        "time failed with InvalidIdentityToken.",
        moves=(Move(Action.CACHE_CONTROL, {"value": "no-cache, no-store"}, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_OLD,
        detects=Detection(frozenset({Reason.ROTATION_UNSAFE}), Owner.IDENTITY_PROVIDER, frozenset({"ROT-08"})),
        alerts=frozenset({"OidcKeyRotationFinding"}),
        verifiers=("aws-sts", "hasura"),
        incident="I13",
    ),
)
