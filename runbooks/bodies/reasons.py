"""Hand-written: for each failure reason the first safe thing to do, and how to see that it worked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from probes.model import Reason
from runbooks.bodies.model import Remedy

_R = Reason
_PROBES = "Every probe of the issuer succeeds again."

ROWS: tuple[Remedy, ...] = (
    Remedy(
        _R.DNS_FAILURE,
        "Restore the zone's last good version, or point the resolver of the failing region at a working one.",
        "`dig +short HOST` gives addresses from every region; negative answers stay cached for the zone's SOA minimum.",
    ),
    Remedy(
        _R.CONNECT_FAILURE,
        "Undo the last change of load balancer or firewall; take instances that refuse connections out of rotation.",
        "`curl -v ISSUER` connects from every region.",
    ),
    Remedy(
        _R.TIMEOUT,
        "Add capacity or undo the last deployment if all regions are slow; steer around the path if one region is.",
        "The phases of the failing step (connect, tls, wait) are as short as before.",
        "token-slow",
    ),
    Remedy(
        _R.TLS_INVALID,
        "Deploy a valid certificate with its whole chain to every edge.",
        "The TLS check passes from every region, several times in a row.",
    ),
    Remedy(
        _R.RATE_LIMITED,
        "Find the client with the most requests and make it back off; if it is the probe, lengthen its interval.",
        "No answer has status 429 any more.",
        "temporarily-unavailable",
    ),
    Remedy(
        _R.SERVER_ERROR,
        "Undo the provider's last deployment; if there was none, look at its database and its error log.",
        _PROBES,
        "token-server-error",
    ),
    Remedy(
        _R.BAD_RESPONSE,
        "See who answers (headers Server and Via, the page's title); undo the change of that proxy or firewall.",
        "The document comes with status 200 and its own content type.",
        "jwks-not-json",
    ),
    Remedy(
        _R.DISCOVERY_INVALID,
        "Restore the provider's former configuration of its metadata.",
        "`oidcwatch check ISSUER` has no failure.",
        "discovery-member-missing",
    ),
    Remedy(
        _R.ISSUER_MISMATCH,
        "Restore the issuer's name at the provider (host name, path, trailing slash); do not change every client.",
        "`issuer` of the discovery document and `iss` of a token are the configured URL, to the letter.",
        "discovery-wrong-issuer",
    ),
    Remedy(
        _R.DISCOVERY_DRIFT,
        "Ask whether the change was planned. If not, treat a changed host as an attack on DNS until shown otherwise.",
        "The owner confirms the change, or the former document is back.",
    ),
    Remedy(
        _R.JWKS_INVALID,
        "Restore the former key set. If a private member was published, that key is compromised: replace it.",
        "`oidcwatch check ISSUER` has no failure about keys.",
        "jwks-private-member",
    ),
    Remedy(
        _R.JWKS_INCONSISTENT,
        "Purge the key set from the caches in front of the provider, or wait for their max-age if nothing is refused.",
        "Several fetches from every region give one set.",
    ),
    Remedy(
        _R.KID_UNKNOWN,
        "Sign with the old key again, or publish the key that signs; then keep both for a day.",
        "The `kid` of a new token is in the key set.",
        "id-token-unpublished-key",
    ),
    Remedy(
        _R.SIGNATURE_INVALID,
        "Give the new key a kid of its own; if no rotation explains it, call security: somebody may forge tokens.",
        "A new token verifies against the key set.",
        "id-token-bad-signature",
    ),
    Remedy(
        _R.ALG_NOT_ALLOWED,
        "Restore the algorithm that is registered for the client; never widen what clients accept to end an alert.",
        "The header's `alg` of a new token is the registered one.",
        "id-token-alg-none",
    ),
    Remedy(
        _R.ROTATION_UNSAFE,
        "Sign with the old key again and publish both keys; rotate later, with lead and overlap.",
        "The key set holds the old key, and services accept new tokens.",
    ),
    Remedy(
        _R.TOKEN_EXPIRED,
        "Correct the provider's clock if it is behind; restore the token's lifetime if it was shortened.",
        "`exp` of a new token lies in the future by its whole lifetime.",
        "id-token-expired",
    ),
    Remedy(
        _R.TOKEN_NOT_YET_VALID,
        "Correct the provider's clock, or take the node that is ahead out of rotation.",
        "`iat` of a new token is not later than now.",
        "id-token-iat-future",
    ),
    Remedy(
        _R.CLOCK_SKEW,
        "Correct the clock that differs from NTP: the provider's, or the probe's host.",
        "The clock check passes from every region.",
    ),
    Remedy(
        _R.AUDIENCE_MISMATCH,
        "Restore the audience (client id, resource indicator, mapper) of the client that is refused.",
        "`aud` of a new token holds what the client expects.",
        "id-token-wrong-audience",
    ),
    Remedy(
        _R.NONCE_MISMATCH,
        "Sign in again. If it repeats, switch caching of authorization responses off and tell security.",
        "Two sign-ins in a row succeed.",
        "id-token-nonce-other",
    ),
    Remedy(
        _R.CLAIM_INVALID,
        "Undo the last change of claim mappers or scopes at the provider.",
        "The claim is in a new token, with the value of before.",
        "id-token-claim-missing",
    ),
    Remedy(
        _R.REDIRECT_URI_REJECTED,
        "Register the redirect URI that the client sends, to the letter, or undo the client's release.",
        "The authorization request leads to the login page.",
        "redirect-uri-rejected-400",
    ),
    Remedy(
        _R.STATE_MISMATCH,
        "Undo the last change of proxies that rewrite queries or cookies on the way back to the client.",
        "The callback carries the `state` that was sent.",
        "state-dropped",
    ),
    Remedy(
        _R.ACCESS_DENIED,
        "Ask the policy's owner whether the synthetic user should be let in; restore its group or consent.",
        "The synthetic user signs in.",
        "access-denied",
    ),
    Remedy(
        _R.INTERACTION_REQUIRED,
        "Do the interaction once by hand with the synthetic user (terms, password change), or exempt it from it.",
        "The synthetic user signs in without it.",
        "interaction-required",
    ),
    Remedy(
        _R.LOGIN_UI_CHANGED,
        "Choose another preset or give explicit login steps in the configuration; people may well be fine.",
        '`oidcwatch probe "$NAME/*/login"` succeeds.',
        "login-page-changed",
    ),
    Remedy(
        _R.CREDENTIALS_REJECTED,
        "Unlock the synthetic user or set its password to the one that the configuration refers to.",
        "The synthetic user signs in by hand and by the probe.",
        "password-refused",
    ),
    Remedy(
        _R.MFA_FAILED,
        "Compare the clocks first; then enrol the synthetic user's second factor again.",
        "A one-time code is accepted.",
        "otp-refused",
    ),
    Remedy(
        _R.CLIENT_AUTH_FAILED,
        "Give the client a valid secret or certificate, on both sides, with the method that is registered.",
        "The client gets a token.",
        "client-rejected",
    ),
    Remedy(
        _R.GRANT_REJECTED,
        "Send all requests of one sign-in to one node, if codes are not shared; else undo the last deployment.",
        "Ten sign-ins in a row succeed.",
        "code-rejected",
    ),
    Remedy(
        _R.REQUEST_REJECTED,
        "Restore the scope, grant type or parameter that the provider refuses, at the client or in its registration.",
        "The same request is answered with tokens.",
        "token-error-unregistered",
    ),
    Remedy(
        _R.REFRESH_REJECTED,
        "Stop clients that use one refresh token twice; users sign in again, which begins a new family.",
        "A refresh after a new sign-in succeeds, and the next one too.",
        "refresh-rejected",
    ),
    Remedy(
        _R.EXCHANGE_DENIED,
        "Restore the trust policy (issuer, subject, audience) of the token service.",
        "The exchange gives a token.",
    ),
    Remedy(
        _R.RESOURCE_REJECTED,
        "Make the verifier fetch the key set anew; if only one service refuses, undo its last change.",
        "The resource accepts a token that was issued now.",
        "userinfo-401",
    ),
    Remedy(
        _R.RESOURCE_FORBIDDEN,
        "Restore the role or scope that the caller had; never widen it beyond that.",
        "The resource answers with success.",
        "userinfo-403",
    ),
    Remedy(
        _R.CONTROL_NOT_ENFORCED,
        "Call security; undo the release that dropped the check, or close the route at the gateway.",
        "The control is refused again.",
    ),
    Remedy(
        _R.ACCESS_NOT_REVOKED,
        "End the sessions and refresh tokens of the grant by hand; then find the layer that kept them.",
        "The access is refused.",
    ),
    Remedy(
        _R.AUDIT_MISSING,
        "Restart the export of events from the last one that arrived; keep the source's own log until it has caught up.",
        "The expected event is found.",
    ),
    Remedy(
        _R.PROBE_ERROR,
        "Run `oidcwatch doctor` on the agent's host and do what it says; the provider is not to blame.",
        "`oidcwatch doctor` has no failure, and the check runs.",
    ),
)

REMEDIES: Mapping[Reason, Remedy] = MappingProxyType({row.reason: row for row in ROWS})
