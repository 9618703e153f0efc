"""Drills of what else a provider can get wrong: its clock, its name, its token endpoint, a client's secret."""

from __future__ import annotations

from drills.scenario import Action, Detection, Generation, Hold, Judge, Move, Scenario
from probes.model import Reason
from probes.reasons import Owner

_BOTH = frozenset(Generation)
_OLD = frozenset({Generation.OLD})
_NO_TOKENS = "Nobody gets new tokens from this provider: sign-ins and calls between services fail."


def _clock(suffix: str, seconds: int) -> Scenario:
    """61 s and 301 s are just beyond the leeways that verifiers have; 5 s beyond those that have none."""
    if seconds > 0:
        why = (
            f"The provider's clock runs {seconds} s ahead: its tokens come from the future, and verifiers whose leeway "
        )
        why += "is smaller refuse them. It heals by itself, so that nobody finds out why."
        reasons, findings = {Reason.TOKEN_NOT_YET_VALID, Reason.CLOCK_SKEW}, {"ACC-04", "DISC-16"}
        alerts = {"OidcTokenTimes", "OidcClockOffset"}
        caution = "Services whose leeway is smaller refuse new tokens until those are old enough."
    else:
        why = f"The provider's clock runs {-seconds} s behind: its tokens end that much sooner than it says, and what "
        why += "lives shorter than that has expired when it is issued."
        reasons, findings = {Reason.CLOCK_SKEW, Reason.TOKEN_EXPIRED}, {"DISC-16", "ACC-03"}
        alerts = {"OidcClockOffset"}
        caution = "Tokens end sooner; short-lived ones may be refused."
    side = "ahead" if seconds > 0 else "behind"
    return Scenario(
        name=f"clock-skew-{side}{suffix}",
        title=f"The provider's clock is {abs(seconds)} s {side}",
        why=why,
        moves=(Move(Action.CLOCK, {"seconds": seconds}, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_BOTH,
        detects=Detection(frozenset(reasons), Owner.IDENTITY_PROVIDER, frozenset(findings)),
        alerts=frozenset(alerts),
        caution=caution,
    )


_CLOCKS: tuple[Scenario, ...] = (
    _clock("", 61),
    _clock("-5s", 5),
    _clock("-301s", 301),
    _clock("", -61),
    _clock("-5s", -5),
    _clock("-301s", -301),
)

_TOKENS: tuple[Scenario, ...] = (
    Scenario(
        name="token-endpoint-errors",
        title="The token endpoint fails",
        why="A database or a dependency of the provider is down: keys and pages are there, and no tokens. Verifiers go "
        "on with the tokens that exist.",
        moves=(Move(Action.TOKEN_ENDPOINT, {"kind": "5xx"}, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_OLD,
        detects=Detection(frozenset({Reason.SERVER_ERROR}), Owner.IDENTITY_PROVIDER),
        alerts=frozenset({"OidcTokenEndpointErrors"}),
        caution=_NO_TOKENS,
    ),
    Scenario(
        name="token-endpoint-rate-limit",
        title="The token endpoint turns requests away",
        why="A client in a loop has used the tenant's limit up, and everybody is answered with 429 (RFC 6585 §4).",
        moves=(Move(Action.TOKEN_ENDPOINT, {"kind": "429"}, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_OLD,
        detects=Detection(frozenset({Reason.RATE_LIMITED}), Owner.IDENTITY_PROVIDER),
        alerts=frozenset({"OidcRateLimited"}),
        caution=_NO_TOKENS,
    ),
    Scenario(
        name="token-endpoint-slow",
        title="The token endpoint takes longer than anybody waits",
        why="The provider is overloaded. Clients give up, ask again, and make it worse.",
        moves=(Move(Action.TOKEN_ENDPOINT, {"kind": "slow", "seconds": 20.0}, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_OLD,
        detects=Detection(frozenset({Reason.TIMEOUT}), Owner.IDENTITY_PROVIDER),
        alerts=frozenset({"OidcTokenEndpointErrors"}),
        caution=_NO_TOKENS,
    ),
    Scenario(
        name="client-secret-expiry",
        title="The client's secret has expired",
        why="Secrets end on a date that nobody has in a calendar. One application stops; the provider is well.",
        moves=(Move(Action.CLIENT_SECRET, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_OLD,
        detects=Detection(frozenset({Reason.CLIENT_AUTH_FAILED}), Owner.APPLICATION),
        alerts=frozenset({"OidcClientAuthentication"}),
        caution="The client of the drill gets no tokens; other clients do.",
    ),
)

_NAMES: tuple[Scenario, ...] = (
    Scenario(
        name="issuer-change",
        title="The issuer has a trailing slash",
        why="An upgrade or another host name changes the issuer by a character. Whoever compares it as the "
        "specification demands refuses to work with the provider (OpenID Connect Discovery 1.0 §4.3).",
        moves=(Move(Action.ISSUER, {"suffix": "/"}, hold=Hold.OBSERVED),),
        judge=Judge.DETECTED,
        polls=_OLD,
        detects=Detection(frozenset({Reason.ISSUER_MISMATCH}), Owner.IDENTITY_PROVIDER, frozenset({"DISC-02"})),
        alerts=frozenset({"OidcIssuerMismatch"}),
        caution="Applications that read the discovery document now, as at a start, refuse the provider.",
    ),
)

PROVIDER: tuple[Scenario, ...] = (*_CLOCKS, *_NAMES, *_TOKENS)
