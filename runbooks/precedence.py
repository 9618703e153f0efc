"""Which of several reasons is the root: what stands earlier explains what stands later, never the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from probes.model import Reason

_R = Reason


@dataclass(frozen=True, slots=True)
class Rank:
    """Reasons of one rank, the stronger first, and why those of later ranks follow from them."""

    reasons: tuple[Reason, ...]
    why: str


RANKS: tuple[Rank, ...] = (
    Rank(
        (_R.DNS_FAILURE, _R.CONNECT_FAILURE, _R.TLS_INVALID),
        "Who cannot be reached cannot answer: time-outs and missing tokens follow.",
    ),
    Rank(
        (_R.ISSUER_MISMATCH, _R.DISCOVERY_INVALID),
        "Every client reads the discovery document first and refuses to go on.",
    ),
    Rank(
        (_R.SERVER_ERROR, _R.RATE_LIMITED),
        "The provider itself says that it cannot; a time-out elsewhere is the same trouble seen late.",
    ),
    Rank(
        (_R.JWKS_INVALID, _R.ROTATION_UNSAFE, _R.JWKS_INCONSISTENT),
        "The key set is broken; tokens that do not verify are its symptom.",
    ),
    Rank(
        (_R.DISCOVERY_DRIFT,),
        "Endpoints have moved; wrong answers and time-outs come from where clients are sent now.",
    ),
    Rank(
        (_R.TIMEOUT, _R.BAD_RESPONSE),
        "Something on the way stalls or answers in the provider's place.",
    ),
    Rank(
        (_R.KID_UNKNOWN, _R.SIGNATURE_INVALID, _R.ALG_NOT_ALLOWED),
        "A token that does not verify is refused by every resource that it is shown to.",
    ),
    Rank(
        (_R.TOKEN_NOT_YET_VALID, _R.TOKEN_EXPIRED),
        "A token outside its time is refused by every resource, whatever else is in it.",
    ),
    Rank(
        (_R.CLIENT_AUTH_FAILED, _R.REDIRECT_URI_REJECTED, _R.REQUEST_REJECTED, _R.GRANT_REJECTED, _R.REFRESH_REJECTED),
        "Without tokens there is nothing to validate or to show to a resource.",
    ),
    Rank(
        (_R.STATE_MISMATCH, _R.NONCE_MISMATCH, _R.AUDIENCE_MISMATCH, _R.CLAIM_INVALID, _R.MFA_FAILED),
        "Wrong content of a sound token; what resources make of it follows.",
    ),
    Rank(
        (_R.EXCHANGE_DENIED, _R.RESOURCE_REJECTED, _R.RESOURCE_FORBIDDEN),
        "Refused at the last step: nothing before it has failed.",
    ),
    Rank(
        (_R.CLOCK_SKEW,),
        "Nothing is refused because of it yet; it is the cause only where nothing else is.",
    ),
    Rank(
        (_R.CONTROL_NOT_ENFORCED, _R.ACCESS_NOT_REVOKED, _R.AUDIT_MISSING),
        "Says that something is open, not that something is down.",
    ),
    Rank(
        (_R.CREDENTIALS_REJECTED, _R.ACCESS_DENIED, _R.INTERACTION_REQUIRED, _R.LOGIN_UI_CHANGED),
        "About the synthetic user or the page as the probe knows it, not about the provider.",
    ),
    Rank((_R.PROBE_ERROR,), "About ourselves: no evidence at all."),
)

PLACE: Mapping[Reason, int] = MappingProxyType(
    {reason: place for place, reason in enumerate(reason for rank in RANKS for reason in rank.reasons)}
)
"""Position of each reason in the whole order: 0 is the deepest root."""

TOLD_ONCE = frozenset({_R.ROTATION_UNSAFE, _R.DISCOVERY_DRIFT, _R.JWKS_INVALID})
"""Reasons that (also) compare with an earlier run and so fail one run for each change: a run of now cannot repeat them,
and what Prometheus counted lately is evidence as good."""
