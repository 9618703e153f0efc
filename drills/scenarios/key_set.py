"""Drills in which the key set cannot be fetched, holds the wrong keys, or is not the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.scenario import Action, Detection, Generation, Hold, Judge, Measure, Move, Scenario
from probes.model import Reason
from probes.reasons import Owner

_BOTH = frozenset(Generation)
_OLD = frozenset({Generation.OLD})
_STOPS = "Services whose keys run out, and those that start, refuse every token until the end of the drill."


def _provider(*reasons: Reason, findings: tuple[str, ...] = ()) -> Detection:
    return Detection(frozenset(reasons), Owner.IDENTITY_PROVIDER, frozenset(findings))


def _outage(
    name: str,
    title: str,
    why: str,
    params: Mapping[str, Any],
    detects: Detection,
    *alerts: str,
    measures: Measure = Measure.OUTAGE,
    caution: str = _STOPS,
) -> Scenario:
    """Only old tokens are asked about: one with an unknown kid would make verifiers fetch sooner than by themselves."""
    return Scenario(
        name=f"jwks-outage-{name}",
        title=title,
        why=why,
        moves=(Move(Action.JWKS, params, hold=Hold.OBSERVED, starts=measures),),
        judge=Judge.AS_PREDICTED,
        measures=measures,
        polls=_OLD,
        detects=detects,
        alerts=frozenset(alerts),
        caution=caution,
    )


_OUTAGES: tuple[Scenario, ...] = (
    _outage(
        "5xx",
        "The key set's endpoint fails",
        "The provider or what stands before it answers with an error. Each verifier lives on the keys that it has, for "
        "as long as its cache lasts.",
        {"kind": "5xx"},
        _provider(Reason.SERVER_ERROR),
        "OidcJwksUnavailable",
    ),
    _outage(
        "timeout",
        "The key set's endpoint does not answer",
        "Connections are accepted and nothing comes back, as behind an overloaded load balancer. Verifiers without a "
        "deadline of their own also keep the requests waiting.",
        {"kind": "timeout"},
        _provider(Reason.TIMEOUT),
        "OidcJwksUnavailable",
    ),
    _outage(
        "html",
        "A web page instead of the key set",
        "A maintenance page or a firewall answers with HTML and status 200, which looks like success to whoever reads "
        "the status alone.",
        {"kind": "html"},
        _provider(Reason.BAD_RESPONSE, findings=("ROT-17",)),
        "OidcBadResponses",
    ),
    _outage(
        "error-body",
        "An error as JSON instead of the key set",
        "The answer is JSON, and an error. A verifier that looks at neither status nor members takes it for a key set "
        "without keys and drops all that it had, as Temporal does.",
        {"kind": "error_body"},
        _provider(Reason.JWKS_INVALID),
        "OidcJwksInvalid",
    ),
    # An empty set is no failed fetch: it removes every key, so what is measured is how long a removed key is accepted.
    _outage(
        "empty",
        "A key set without keys",
        "A deployment publishes an empty set. It is valid, so verifiers that keep their keys when a fetch fails drop "
        "them here.",
        {"kind": "empty"},
        _provider(Reason.JWKS_INVALID, Reason.KID_UNKNOWN, findings=("JWKS-02", "ACC-07")),
        "OidcJwksInvalid",
        "OidcSignatureVerification",
        measures=Measure.REJECT,
    ),
    _outage(
        "slow",
        "The key set takes six seconds",
        "The endpoint is up by any monitor of its status, and too slow for consumers that wait five seconds (jose, AWS "
        "STS), one (Oathkeeper) or half a second (Nimbus).",
        {"kind": "slow", "seconds": 6.0},
        _provider(Reason.JWKS_INVALID, findings=("ROT-16",)),
        caution="Services with short deadlines lose the key set; others answer some requests seconds later.",
    ),
)

# What verifiers make of these depends on chance, or on which key they take first: nothing is predicted or measured.
_CONTENT: tuple[Scenario, ...] = (
    Scenario(
        name="edge-inconsistency",
        title="An edge serves the old key set",
        why="After a rotation one cache or node still answers with the set from before, so which keys a verifier gets "
        "depends on whom it happened to ask.",
        # First, so that no answer after the rotation is the new one for a moment on all edges.
        moves=(Move(Action.STALE_EDGE), Move(Action.ROTATE, hold=Hold.OBSERVED)),
        judge=Judge.DETECTED,
        polls=_BOTH,
        detects=_provider(Reason.JWKS_INCONSISTENT, findings=("ROT-09",)),
        alerts=frozenset({"OidcJwksInconsistent"}),
        caution="Some services refuse new tokens, and others drop the old key.",
    ),
    Scenario(
        name="kid-missing",
        title="Keys and tokens without a kid",
        why="A library or a proxy drops the kid. With several keys in the set a verifier has to try them all or to give "
        "up, and most give up (OIDC Core §10.1).",
        moves=(Move(Action.KID_MISSING, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_BOTH,
        detects=_provider(Reason.JWKS_INVALID, Reason.KID_UNKNOWN, findings=("ROT-01", "ACC-07")),
        alerts=frozenset({"OidcJwksInvalid", "OidcSignatureVerification"}),
        caution="Services refuse new tokens, and old ones as soon as they fetch the set.",
    ),
    Scenario(
        name="kid-duplicate",
        title="Two keys under one kid",
        why="Two nodes made a key each and gave it the same kid. Verifiers take the first, the last, or refuse the set "
        "(RFC 7517 §4.5).",
        moves=(Move(Action.KID_DUPLICATE, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_BOTH,
        detects=_provider(Reason.JWKS_INVALID, findings=("ROT-01",)),
        alerts=frozenset({"OidcJwksInvalid"}),
        caution="Services that fetch the set may refuse every token.",
    ),
)

KEY_SET: tuple[Scenario, ...] = (*_OUTAGES, *_CONTENT)
