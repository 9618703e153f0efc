"""The table of failure reasons: what each means, whose it is, whether it counts, and how to confirm it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from probes.model import Outcome, Reason, Stage


class SliClass(StrEnum):
    """Whether a failed run spends the availability budget."""

    BAD = "bad"
    EXCLUDED = "excluded"
    SECURITY = "security"  # a control that did not hold: pages security, never spends the budget


class Owner(StrEnum):
    """Who can mend it."""

    IDENTITY_PROVIDER = "identity provider"
    NETWORK = "network"
    APPLICATION = "application"
    IDENTITY_POLICY = "identity policy"
    PROBE_OWNER = "probe owner"
    PLATFORM = "platform"
    GATEWAY = "gateway"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One reason. `runbook` is the anchor of its page; `confirm` is the first thing to try."""

    reason: Reason
    owner: Owner
    sli: SliClass
    stages: frozenset[Stage]
    runbook: str
    meaning: str
    cause: str
    confirm: str
    security: bool = False
    """Also told to security, although it counts like any other failure."""


_S = Stage
_HTTP = frozenset(
    {
        *(_S.DISCOVERY, _S.JWKS, _S.AUTHORIZE, _S.LOGIN_FORM, _S.OTP, _S.CONSENT, _S.CALLBACK, _S.TOKEN, _S.USERINFO),
        *(_S.REFRESH, _S.INTROSPECT, _S.REVOKE, _S.LOGOUT, _S.EXCHANGE, _S.RESOURCE, _S.GRANT, _S.AUDIT),
    }
)
_PAGES = frozenset({_S.AUTHORIZE, _S.LOGIN_FORM, _S.OTP, _S.CONSENT, _S.CALLBACK})
_GRANTS = frozenset({_S.TOKEN, _S.REFRESH, _S.EXCHANGE, _S.INTROSPECT, _S.REVOKE})
_JWTS = frozenset({_S.ID_TOKEN, _S.ACCESS_TOKEN, _S.REFRESH, _S.EXCHANGE})
_ALL = frozenset(Stage)

_IDP, _NET, _APP = Owner.IDENTITY_PROVIDER, Owner.NETWORK, Owner.APPLICATION
_BAD, _OUT, _SEC = SliClass.BAD, SliClass.EXCLUDED, SliClass.SECURITY
_R = Reason

ROWS: tuple[ReasonRow, ...] = (
    ReasonRow(
        _R.DNS_FAILURE, _NET, _BAD, _HTTP, "net-01",
        "The provider's host name does not resolve.",
        "Zone, resolver or split horizon.",
        "Resolve the host from the region that failed and from another one: dig +trace HOST",
    ),
    ReasonRow(
        _R.CONNECT_FAILURE, _NET, _BAD, _HTTP, "net-02",
        "The connection was refused, reset or unreachable.",
        "Load balancer, firewall or egress; or nothing listens.",
        "Connect from the failing region: curl -v URL; compare with a second region.",
    ),
    ReasonRow(
        _R.TIMEOUT, _IDP, _BAD, _ALL - {_S.PROBE}, "idp-01",
        "The step was not finished when the run's time was up.",
        "Overload of the provider, or a stalled proxy on the way; one region alone points at the network.",
        "Compare the phases of the failing step (connect, tls, wait) with an earlier run.",
    ),
    ReasonRow(
        _R.TLS_INVALID, _NET, _BAD, _HTTP, "net-03",
        "The certificate is expired, for another name, or not trusted.",
        "Renewal that did not happen or was not deployed everywhere; a changed chain.",
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -dates -subject",
    ),
    ReasonRow(
        _R.RATE_LIMITED, _IDP, _BAD, _HTTP, "idp-02",
        "The provider answered 429, slow_down or temporarily_unavailable.",
        "A client in a loop, a tenant limit, or the probe's own rate.",
        "Look for the client with the most requests in the provider's log; then the probe's interval.",
    ),
    ReasonRow(
        _R.SERVER_ERROR, _IDP, _BAD, _HTTP, "idp-03",
        "The provider answered 5xx or server_error.",
        "A fault inside the provider or a dependency of it.",
        "The provider's error log at the run's time; its database and its last deployment.",
    ),
    ReasonRow(
        _R.BAD_RESPONSE, _IDP, _BAD, _HTTP | _JWTS, "idp-04",
        "The answer is not what the specification demands: status, type, redirect, or broken content.",
        "A proxy or firewall that answers instead, or a deployment.",
        "curl -i URL and read who answered (Server, Via, the HTML's title).",
    ),
    ReasonRow(
        _R.DISCOVERY_INVALID, _IDP, _BAD, frozenset({_S.DISCOVERY}), "idp-05",
        "A required member of the discovery document is missing or invalid.",
        "The provider's configuration.",
        "oidcwatch check ISSUER",
    ),
    ReasonRow(
        _R.ISSUER_MISMATCH, _IDP, _BAD, frozenset({_S.DISCOVERY, _S.CALLBACK, _S.ID_TOKEN, _S.ACCESS_TOKEN}), "idp-06",
        "The issuer is not literally the configured one.",
        "A trailing slash, a changed host name, a failover with another name.",
        "Compare `issuer` of the discovery document and `iss` of a token with the configuration, character by character.",
    ),
    ReasonRow(
        _R.DISCOVERY_DRIFT, _IDP, _BAD, frozenset({_S.DISCOVERY}), "idp-07",
        "Endpoints or algorithms differ from the accepted ones, or between regions.",
        "A deployment, or DNS that leads elsewhere.",
        "Diff the two discovery documents; ask whether the change was planned.",
    ),
    ReasonRow(
        _R.JWKS_INVALID, _IDP, _BAD, frozenset({_S.JWKS}), "key-01",
        "The key set is malformed: duplicate kid, weak key, private material, broken certificate.",
        "Key management of the provider.",
        "oidcwatch check ISSUER; private material means: treat the key as compromised.",
        security=True,
    ),
    ReasonRow(
        _R.JWKS_INCONSISTENT, _IDP, _BAD, frozenset({_S.JWKS, _S.ID_TOKEN, _S.ACCESS_TOKEN}), "key-02",
        "Samples or regions see different keys.",
        "An edge cache or replication that has not caught up.",
        "Fetch the key set several times and from each region; compare the kids.",
    ),
    ReasonRow(
        _R.KID_UNKNOWN, _IDP, _BAD, _JWTS | {_S.USERINFO, _S.JWKS}, "key-03",
        "The token's kid is not in a freshly fetched key set.",
        "A key used before it was published, or removed too early.",
        "Fetch the key set and look for the token's kid; ask when keys were last rotated.",
    ),
    ReasonRow(
        _R.SIGNATURE_INVALID, _IDP, _BAD, _JWTS | {_S.USERINFO}, "key-04",
        "The key is there, the signature does not verify.",
        "A kid used for two keys, the wrong key, or tampering.",
        "Compare the thumbprint of that kid with the one seen before.",
        security=True,
    ),
    ReasonRow(
        _R.ALG_NOT_ALLOWED, _IDP, _BAD, _JWTS | {_S.USERINFO}, "key-05",
        "The token is signed with an algorithm that was not registered.",
        "Configuration, or an attack (none, HS256 with a public key).",
        "Compare the header's alg with the client's registration.",
        security=True,
    ),
    ReasonRow(
        _R.ROTATION_UNSAFE, _IDP, _BAD, frozenset({_S.JWKS}), "key-06",
        "A rotation left verifiers without a key, or is about to.",
        "The rotation procedure: no lead, no overlap, a total replacement.",
        "Sign with the old key again; it is accepted at once everywhere.",
    ),
    ReasonRow(
        _R.TOKEN_EXPIRED, _IDP, _BAD, _JWTS, "time-01",
        "The token had already expired when it was issued.",
        "Clock of the provider, or a lifetime that is too short.",
        "Compare iat and exp with the Date header of the same answer.",
    ),
    ReasonRow(
        _R.TOKEN_NOT_YET_VALID, _IDP, _BAD, _JWTS, "time-02",
        "iat or nbf lies in the future.",
        "The provider's clock is ahead.",
        "Compare the provider's Date header with NTP; then its hosts.",
    ),
    ReasonRow(
        _R.CLOCK_SKEW, _IDP, _OUT, _HTTP | _JWTS, "time-03",
        "Clocks differ by more than the threshold; nothing is rejected yet.",
        "Time synchronisation of one host: the provider's or the probe's.",
        "chronyc tracking on the probe's host; then the provider's.",
    ),
    ReasonRow(
        _R.AUDIENCE_MISMATCH, _APP, _BAD, _JWTS | {_S.RESOURCE}, "cfg-01",
        "The token is not for the expected audience.",
        "Client or resource configuration.",
        "Read `aud` of the token; compare with the registration.",
    ),
    ReasonRow(
        _R.NONCE_MISMATCH, _APP, _BAD, frozenset({_S.ID_TOKEN}), "sec-01",
        "The nonce is absent or another one.",
        "A provider bug, a cache, or a replay.",
        "Repeat the login; a second mismatch is the provider's.",
        security=True,
    ),
    ReasonRow(
        _R.CLAIM_INVALID, _IDP, _BAD, _JWTS | {_S.USERINFO}, "cfg-02",
        "A claim is missing or wrong: acr, auth_time, azp, at_hash, sub, a business claim.",
        "Claim mapping of the provider.",
        "Compare the claims with those of an earlier run; ask for changes of mappers.",
    ),
    ReasonRow(
        _R.REDIRECT_URI_REJECTED, _APP, _BAD, frozenset({_S.AUTHORIZE, _S.LOGIN_FORM, _S.LOGOUT}), "cfg-03",
        "The provider refuses the redirect URI.",
        "The client's registration.",
        "Compare the registered redirect URIs with the configured one, character by character.",
    ),
    ReasonRow(
        _R.STATE_MISMATCH, _APP, _BAD, frozenset({_S.CALLBACK, _S.LOGOUT}), "cfg-04",
        "state came back changed or not at all.",
        "A proxy that rewrites the query, cookies lost on the way.",
        "Read the callback's parameters in the request list of the failed run.",
    ),
    ReasonRow(
        _R.ACCESS_DENIED, Owner.IDENTITY_POLICY, _OUT, _PAGES, "cfg-05",
        "The provider answered access_denied.",
        "Consent refused or a policy that denies the synthetic user.",
        "The provider's sign-in log for that user.",
    ),
    ReasonRow(
        _R.INTERACTION_REQUIRED, Owner.IDENTITY_POLICY, _OUT, _PAGES, "ui-01",
        "The provider wants an interaction that the probe did not expect.",
        "A terms page, a changed policy, an ended session.",
        "Look at the screenshot of the failed run.",
    ),
    ReasonRow(
        _R.LOGIN_UI_CHANGED, Owner.PROBE_OWNER, _OUT, _PAGES | {_S.LOGOUT}, "ui-02",
        "An expected element of the page is not there.",
        "A release of the login page, or bot defence.",
        "Look at the screenshot; then choose another preset or give explicit steps.",
    ),
    ReasonRow(
        _R.CREDENTIALS_REJECTED, Owner.PROBE_OWNER, _OUT, frozenset({_S.LOGIN_FORM}), "ui-03",
        "The login page refuses the synthetic user's password.",
        "The account's password expired, was changed, or the account is locked.",
        "Log in by hand with the synthetic user.",
    ),
    ReasonRow(
        _R.MFA_FAILED, _IDP, _BAD, frozenset({_S.OTP}), "ui-04",
        "The one-time code is refused, or no factor is offered.",
        "A changed seed, a clock, or a policy.",
        "Compare the code with an authenticator's; compare the clocks.",
    ),
    ReasonRow(
        _R.CLIENT_AUTH_FAILED, _APP, _BAD, _GRANTS, "cfg-06",
        "The provider answers invalid_client.",
        "The client's secret or certificate expired, or the method changed.",
        "Look at the secret's expiry at the provider; try it by hand once.",
    ),
    ReasonRow(
        _R.GRANT_REJECTED, _IDP, _BAD, frozenset({_S.TOKEN, _S.EXCHANGE}), "cfg-07",
        "The provider answers invalid_grant to a code that it has just issued.",
        "Code store not shared between nodes, code expired, PKCE or redirect URI compared wrongly.",
        "Repeat; failures of a fixed share point at one node.",
    ),
    ReasonRow(
        _R.REQUEST_REJECTED, _APP, _BAD, _HTTP, "cfg-08",
        "The provider refuses the request: invalid_request, invalid_scope, unauthorized_client, unsupported_*.",
        "Client configuration, or a changed policy of the provider.",
        "Read error and error_description in the run's detail.",
    ),
    ReasonRow(
        _R.REFRESH_REJECTED, _IDP, _BAD, frozenset({_S.REFRESH}), "ref-01",
        "The provider answers invalid_grant to a live refresh token.",
        "The family was revoked after a race, an idle limit, a restart that lost sessions.",
        "Look for reuse detection in the provider's log at the run's time.",
    ),
    ReasonRow(
        _R.EXCHANGE_DENIED, Owner.PLATFORM, _BAD, frozenset({_S.EXCHANGE}), "wif-01",
        "The token service refuses the exchange.",
        "Trust policy, subject, audience, or it cannot reach the key set.",
        "Compare sub and aud of the subject token with the trust policy.",
    ),
    ReasonRow(
        _R.RESOURCE_REJECTED, Owner.GATEWAY, _BAD, frozenset({_S.RESOURCE, _S.USERINFO}), "rs-01",
        "A resource server answers 401 to a token that verifies against a fresh key set.",
        "A stale key cache of the verifier, its clock, its audience setting.",
        "Many services at once: the shared verifier after a rotation. One: that application.",
    ),
    ReasonRow(
        _R.RESOURCE_FORBIDDEN, _APP, _BAD, frozenset({_S.RESOURCE, _S.USERINFO}), "rs-02",
        "A resource server answers 403.",
        "Mapping of claims to roles.",
        "Compare scopes and roles of the token with what the resource demands.",
    ),
    ReasonRow(
        _R.CONTROL_NOT_ENFORCED, Owner.SECURITY, _SEC, frozenset({_S.RESOURCE, _S.TOKEN, _S.AUTHORIZE}), "sec-02",
        "A request that had to be refused was accepted.",
        "A missing check.",
        "Repeat the control once by hand; then treat it as a vulnerability.",
        security=True,
    ),
    ReasonRow(
        _R.ACCESS_NOT_REVOKED, Owner.SECURITY, _SEC, frozenset({_S.RESOURCE, _S.INTROSPECT, _S.REVOKE}), "sec-03",
        "Access still works after the grant's end and the allowed latency.",
        "Caches, sessions, refresh tokens that outlive the grant.",
        "Find the layer that still accepts: token, session, derived credential.",
        security=True,
    ),
    ReasonRow(
        _R.AUDIT_MISSING, Owner.SECURITY, _SEC, frozenset({_S.AUDIT}), "aud-01",
        "An expected audit event was not found in time.",
        "Export, parsing or filtering of events.",
        "Search the event at its source; then each hop of the pipeline.",
        security=True,
    ),
    ReasonRow(
        _R.PROBE_ERROR, Owner.PROBE_OWNER, _OUT, _ALL, "probe-01",
        "The probe itself broke: configuration, secret, browser, its own network.",
        "Ourselves; it says nothing about the provider.",
        "oidcwatch doctor",
    ),
)  # fmt: skip

REASONS: Mapping[Reason, ReasonRow] = MappingProxyType({row.reason: row for row in ROWS})


def outcome(reason: Reason | None) -> Outcome:
    """What a run that failed for this reason (None: did not fail) counts as in `oidc_probe_runs_total`."""
    if reason is None:
        return Outcome.SUCCESS
    return Outcome.FAILURE if REASONS[reason].sli is SliClass.BAD else Outcome.EXCLUDED


def owner_of(reason: Reason, team: str) -> str:
    """Who can mend it, in words; `team` is the issuer's owner, named where the provider is to blame."""
    owner = REASONS[reason].owner
    return f"{owner} ({team})" if owner is Owner.IDENTITY_PROVIDER and team else owner.value


def reasons_of(stages: frozenset[Stage]) -> tuple[Reason, ...]:
    """The reasons that a probe with these stages can give, in table order."""
    return tuple(row.reason for row in ROWS if row.stages & stages)
