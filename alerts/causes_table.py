"""The table of causes: which failure reasons become which alert, how urgent it is, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from alerts.causes_model import ANYWHERE, PROOF, TOLD_ONCE, Cause
from alerts.model import Area, Level, Role, Team
from alerts.windows import Severity
from probes.model import Reason, Stage
from probes.reasons import Owner

_R, _S = Reason, Stage
_PAGE, _TICKET = Severity.PAGE, Severity.TICKET
_TRANSPORT = (_R.DNS_FAILURE, _R.CONNECT_FAILURE, _R.TIMEOUT, _R.SERVER_ERROR)
_GRANTS = frozenset({_S.TOKEN, _S.REFRESH, _S.EXCHANGE, _S.INTROSPECT, _S.REVOKE})
_ELSEWHERE = frozenset(Stage) - _GRANTS - {_S.DISCOVERY, _S.JWKS}

TOKEN_ENDPOINT = "OidcTokenEndpointErrors"
SIGN_IN = "OidcSignInFailing"
CLOCK = "OidcClockOffset"
INCONSISTENT = "OidcJwksInconsistent"

_PROVIDER: tuple[Cause, ...] = (
    Cause(
        "OidcProviderDown", _TRANSPORT, "the provider does not answer",
        "Nobody can sign in, and services cannot get tokens or keys.", _PAGE, Area.PROVIDER,
        stages=frozenset({_S.DISCOVERY}), probes=frozenset({"discovery"}), otherwise=frozenset({"jwks"}),
        about="The discovery document is the cheapest thing that a provider serves: when not even that comes, all else "
        "that fails there is a consequence, and its alerts are silent.",
    ),
    Cause(
        TOKEN_ENDPOINT, _TRANSPORT, "the token endpoint fails",
        "Sign-ins stop at the last step, and services get no tokens.", _PAGE, Area.TOKEN, stages=_GRANTS,
        about="Counted by answers and not by runs: whatever a run does before and after, its token requests tell.",
    ),
    Cause(
        SIGN_IN, _TRANSPORT, "pages or endpoints of the sign-in fail",
        "Users see an error page, or wait in vain, before they are signed in.", _TICKET, Area.LOGIN, Level.TARGET,
        stages=_ELSEWHERE, probes=frozenset({"login", "refresh"}),
        about="The objective of logins pages when it must. This names the place: the token endpoint answers well.",
    ),
    Cause(
        "OidcTlsInvalid", (_R.TLS_INVALID,), "the certificate is refused",
        "Browsers warn, and services cannot connect.", _PAGE, Area.CERTIFICATE,
    ),
    Cause(
        "OidcRateLimited", (_R.RATE_LIMITED,), "the provider turns requests away (429)",
        "Some sign-ins and token requests fail until the limit has passed.", _TICKET, Area.PROVIDER,
    ),
    Cause(
        "OidcBadResponses", (_R.BAD_RESPONSE,), "answers are not what the specifications demand",
        "Applications cannot read what the provider says.", _TICKET, Area.PROVIDER,
    ),
    Cause(
        "OidcDiscoveryInvalid", (_R.DISCOVERY_INVALID,), "the discovery document is invalid",
        "Applications and services that start now cannot find the provider's endpoints.", _PAGE, Area.PROVIDER,
    ),
    Cause(
        "OidcIssuerMismatch", (_R.ISSUER_MISMATCH,), "the issuer is not the configured one",
        "Every application that compares the issuer refuses its tokens.", _PAGE, Area.PROVIDER,
    ),
    Cause(
        "OidcDiscoveryDrift", (_R.DISCOVERY_DRIFT,), "endpoints or algorithms have changed",
        "None when it was planned. Otherwise users may be led elsewhere.", _TICKET, Area.PROVIDER,
        evidence=TOLD_ONCE,
    ),
)  # fmt: skip

_KEYS: tuple[Cause, ...] = (
    Cause(
        "OidcJwksUnavailable", _TRANSPORT, "the key set cannot be fetched",
        "Services that start now, or see a new key, cannot verify tokens.", _PAGE, Area.KEYS,
        stages=frozenset({_S.JWKS}), probes=frozenset({"jwks"}),
    ),
    Cause(
        "OidcJwksInvalid", (_R.JWKS_INVALID,), "the key set is malformed",
        "Services refuse tokens; a private key that is published lets anybody make them.", _PAGE, Area.KEYS,
        evidence=TOLD_ONCE,
        about="A key that changed under its kid is told once by each region, so the window is long.",
    ),
    Cause(
        INCONSISTENT, (_R.JWKS_INCONSISTENT,), "different keys are seen at the same time",
        "Services refuse some tokens, depending on which edge they have asked.", _TICKET, Area.KEYS,
    ),
    Cause(
        "OidcSignatureVerification", (_R.KID_UNKNOWN, _R.SIGNATURE_INVALID, _R.ALG_NOT_ALLOWED),
        "signatures of new tokens do not verify", "Every service that verifies tokens refuses new ones.",
        _PAGE, Area.KEYS,
        about="The probes verify with a key set that was fetched for the purpose: no stale cache is to blame.",
    ),
    Cause(
        "OidcRotationUnsafe", (_R.ROTATION_UNSAFE,), "a key rotation leaves verifiers without a key",
        "Services refuse valid tokens until they have fetched the new keys.", _PAGE, Area.KEYS, evidence=TOLD_ONCE,
    ),
)  # fmt: skip

_TIME: tuple[Cause, ...] = (
    Cause(
        "OidcTokenTimes", (_R.TOKEN_EXPIRED, _R.TOKEN_NOT_YET_VALID), "new tokens are expired or not valid yet",
        "Services refuse tokens that were issued just now.", _PAGE, Area.CLOCK,
    ),
    Cause(
        CLOCK, (_R.CLOCK_SKEW,), "clocks differ by more than the policy allows",
        "Nothing is refused yet. When it grows, services refuse valid tokens.", _TICKET, Area.CLOCK,
    ),
)  # fmt: skip

_CLIENT: tuple[Cause, ...] = (
    Cause(
        "OidcClientAuthentication", (_R.CLIENT_AUTH_FAILED,), "the client's credentials are refused",
        "This application gets no tokens; others do.", _PAGE, Area.CLIENT, Level.TARGET, Team.CLIENT,
    ),
    Cause(
        "OidcClientRegistration", (_R.REDIRECT_URI_REJECTED, _R.REQUEST_REJECTED, _R.AUDIENCE_MISMATCH),
        "the client's registration does not fit its requests",
        "Users of this application cannot sign in, or its tokens are refused.", _TICKET, Area.CLIENT, Level.TARGET,
        Team.CLIENT,
    ),
    Cause(
        "OidcClaimsInvalid", (_R.CLAIM_INVALID,), "claims are missing or wrong",
        "Users are refused, or get the wrong rights.", _TICKET, Area.TOKEN, Level.TARGET,
    ),
    Cause(
        "OidcResponseMismatch", (_R.NONCE_MISMATCH, _R.STATE_MISMATCH), "state or nonce came back changed",
        "Sign-ins end with an error, as they must: the answer may be another's.", _TICKET, Area.LOGIN, Level.TARGET,
    ),
    Cause(
        "OidcGrantRejected", (_R.GRANT_REJECTED,), "codes that were just issued are refused",
        "Sign-ins fail at the last step, often a fixed share of them.", _TICKET, Area.TOKEN, Level.TARGET,
    ),
    Cause(
        "OidcRefreshRejected", (_R.REFRESH_REJECTED,), "live refresh tokens are refused",
        "Users are signed out when their access token ends.", _TICKET, Area.REFRESH, Level.TARGET,
    ),
    Cause(
        "OidcExchangeDenied", (_R.EXCHANGE_DENIED,), "token exchange is refused",
        "Workloads get no credentials.", _PAGE, Area.TOKEN, Level.TARGET, Owner.PLATFORM,
    ),
    Cause(
        "OidcResourceRejected", (_R.RESOURCE_REJECTED,), "a resource server refuses tokens that verify",
        "Calls fail although the provider is well.", _PAGE, Area.RESOURCE, Level.TARGET, Owner.GATEWAY,
    ),
    Cause(
        "OidcResourceForbidden", (_R.RESOURCE_FORBIDDEN,), "a resource server does not grant access",
        "Users lack rights that they should have.", _TICKET, Area.RESOURCE, Level.TARGET, Team.CLIENT,
    ),
)  # fmt: skip

_WATCHED_USER: tuple[Cause, ...] = (
    Cause(
        "OidcLoginPageChanged", (_R.LOGIN_UI_CHANGED, _R.INTERACTION_REQUIRED), "the login page has changed",
        "None that is known: the probe no longer sees whether users can sign in.", _TICKET, Area.LOGIN, Level.TARGET,
        Owner.PROBE_OWNER, ANYWHERE,
    ),
    Cause(
        "OidcSyntheticUser", (_R.CREDENTIALS_REJECTED, _R.ACCESS_DENIED, _R.MFA_FAILED),
        "the synthetic user is refused", "None that is known: the probe no longer sees whether users can sign in.",
        _TICKET, Area.LOGIN, Level.REGION, Owner.PROBE_OWNER, ANYWHERE,
        about="Each region may have a user of its own, so one region alone is told too.",
    ),
    Cause(
        "OidcProbeBroken", (_R.PROBE_ERROR,), "the probe itself is broken",
        "None that is known: nobody is watching.", _TICKET, Area.PROBE, Level.REGION, Owner.PROBE_OWNER, ANYWHERE,
        role=Role.WATCHER,
    ),
)  # fmt: skip

_SECURITY: tuple[Cause, ...] = (
    Cause(
        "OidcControlNotEnforced", (_R.CONTROL_NOT_ENFORCED,), "a request that had to be refused was accepted",
        "An attacker can do the same.", _PAGE, Area.SECURITY, Level.TARGET, Owner.SECURITY, PROOF,
    ),
    Cause(
        "OidcAccessNotRevoked", (_R.ACCESS_NOT_REVOKED,), "access works after its grant has ended",
        "Somebody has access who should not have it any more.", _PAGE, Area.SECURITY, Level.TARGET, Owner.SECURITY,
        PROOF,
    ),
    Cause(
        "OidcAuditMissing", (_R.AUDIT_MISSING,), "audit events are not found",
        "What happens now cannot be reconstructed later.", _TICKET, Area.SECURITY, Level.TARGET, Owner.SECURITY,
    ),
)  # fmt: skip

CAUSES: tuple[Cause, ...] = (*_PROVIDER, *_KEYS, *_TIME, *_CLIENT, *_WATCHED_USER, *_SECURITY)

_BY_PLACE: Mapping[tuple[Reason, Stage], str] = MappingProxyType(
    {(reason, stage): cause.name for cause in CAUSES for reason in cause.reasons for stage in cause.stages}
)


def cause_of(reason: Reason, stage: Stage | None = None) -> str:
    """The name of the alert that a failure leads to; without its stage, the alert of the most serious place."""
    if stage is not None:
        return _BY_PLACE[reason, stage]
    return next(cause.name for cause in CAUSES if reason in cause.reasons)
