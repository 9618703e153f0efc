"""The fault table: everything that this provider can get wrong on demand, one row each."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from sandbox.effects import certificates as certs
from sandbox.effects import documents as doc
from sandbox.effects import journey, tokens
from sandbox.points import (
    ACCESS_TOKEN,
    AUTHORIZE_ERROR,
    AUTHORIZE_PAGE,
    CALLBACK,
    DISCOVERY,
    ID_TOKEN,
    JWKS,
    LOGIN_ANSWER,
    LOGIN_PAGE,
    OTP_VERDICT,
    PASSWORD_VERDICT,
    TERMS,
    TOKEN_REQUEST,
    TOKEN_RESPONSE,
    USERINFO,
    Fault,
)


def _with(**defaults: Any) -> MappingProxyType[str, Any]:
    return MappingProxyType(defaults)


OTHER_ISSUER = "https://other.example.test"
CODE = "authorization_code"
REFRESH = "refresh_token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"

DISCOVERY_FAULTS: tuple[Fault[Any], ...] = (
    Fault("discovery-wrong-issuer", DISCOVERY, "`issuer` is another URL.", doc.set_members, _with(issuer=OTHER_ISSUER)),
    Fault("discovery-slashed-issuer", DISCOVERY, "`issuer` differs by its trailing slash.", doc.slash_issuer),
    Fault("discovery-member-missing", DISCOVERY, "A member is missing.", doc.drop_member, _with(member="jwks_uri")),
    Fault(
        "discovery-rs256-missing",
        DISCOVERY,
        "RS256 is not among the ID Token algorithms.",
        doc.drop_list_item,
        _with(member="id_token_signing_alg_values_supported", item="RS256"),
    ),
    Fault(
        "discovery-jwks-uri-wrong-host",
        DISCOVERY,
        "`jwks_uri` is on a foreign host.",
        doc.swap_host,
        _with(member="jwks_uri", host="keys.other.example.test"),
    ),
    Fault(
        "discovery-endpoint-wrong-host",
        DISCOVERY,
        "An endpoint is on a foreign host.",
        doc.swap_host,
        _with(member="token_endpoint", host="login.other.example.test"),
    ),
)

JWKS_FAULTS: tuple[Fault[Any], ...] = (
    Fault("jwks-empty", JWKS, "The set has no keys.", doc.on_keys(doc.no_keys)),
    Fault("jwks-duplicate-kid", JWKS, "Two different keys share one key id.", doc.on_keys(doc.duplicate_kid)),
    Fault("jwks-kid-missing", JWKS, "The keys have no key ids.", doc.on_keys(doc.drop_kid)),
    Fault("jwks-private-member", JWKS, "A key shows a private member `d`.", doc.on_keys(doc.private_member)),
    Fault(
        "jwks-small-rsa-key", JWKS, "A short RSA key is published.", doc.on_keys(doc.small_rsa_key), _with(bits=1024)
    ),
    Fault("jwks-signing-key-hidden", JWKS, "The keys that sign are not shown.", doc.on_keys(doc.hide_signing_keys)),
    Fault("jwks-same-kid-other-key", JWKS, "Known key ids with other keys.", doc.on_keys(doc.other_material)),
    Fault("jwks-other-algorithm", JWKS, "A key names an `alg` that it cannot do.", doc.on_keys(certs.other_algorithm)),
    Fault(
        "jwks-certificate",
        JWKS,
        "The keys have a certificate; it may be at its end, or for another key.",
        doc.on_keys(certs.with_certificates),
        _with(days=-1, other_key=False),
    ),
    Fault("jwks-wrong-use", JWKS, "The keys are marked for encryption.", doc.on_keys(doc.only_encryption)),
    Fault(
        "jwks-not-json",
        JWKS,
        "An HTML page instead of the set.",
        doc.not_json,
        _with(body="<!doctype html><h1>Maintenance</h1>", content_type="text/html"),
    ),
)

ID_TOKEN_FAULTS: tuple[Fault[Any], ...] = (
    Fault("id-token-wrong-issuer", ID_TOKEN, "`iss` is another URL.", tokens.set_claims, _with(iss=OTHER_ISSUER)),
    Fault("id-token-unpublished-key", ID_TOKEN, "Signed by a key that is not in the set.", tokens.foreign_key),
    Fault("id-token-same-kid-other-key", ID_TOKEN, "Known key id, other key.", tokens.foreign_key_same_kid),
    Fault("id-token-bad-signature", ID_TOKEN, "One bit of the signature is wrong.", tokens.break_signature),
    Fault("id-token-alg-none", ID_TOKEN, "Not signed.", tokens.unsigned),
    Fault("id-token-hs256-public-key", ID_TOKEN, "HS256 with the public key.", tokens.signed_with_public_key),
    Fault(
        "id-token-unknown-crit",
        ID_TOKEN,
        "A critical header that nobody knows.",
        tokens.unknown_critical,
        _with(extension="urn:sandbox:unknown"),
    ),
    Fault("id-token-kid-missing", ID_TOKEN, "The header has no key id.", tokens.drop_key_id),
    Fault("id-token-wrong-audience", ID_TOKEN, "`aud` is another client.", tokens.set_claims, _with(aud="other")),
    Fault(
        "id-token-extra-audience",
        ID_TOKEN,
        "A second audience, and no `azp`.",
        tokens.extra_audience,
        _with(audience="other"),
    ),
    Fault("id-token-wrong-azp", ID_TOKEN, "`azp` is another client.", tokens.set_claims, _with(azp="other")),
    Fault("id-token-nonce-missing", ID_TOKEN, "No `nonce`.", tokens.drop_claim, _with(claim="nonce")),
    Fault("id-token-nonce-other", ID_TOKEN, "`nonce` of another request.", tokens.set_claims, _with(nonce="other")),
    Fault("id-token-at-hash-wrong", ID_TOKEN, "`at_hash` is wrong.", tokens.set_claims, _with(at_hash="A" * 22)),
    Fault("id-token-expired", ID_TOKEN, "Expired when issued.", tokens.shift_claims, _with(iat=-7200, exp=-7200)),
    Fault("id-token-iat-future", ID_TOKEN, "Issued in the future.", tokens.shift_claims, _with(iat=600, exp=600)),
    Fault("id-token-nbf-future", ID_TOKEN, "Not valid yet.", tokens.shift_claims, _with(nbf=600)),
    Fault("id-token-auth-time-missing", ID_TOKEN, "No `auth_time`.", tokens.drop_claim, _with(claim="auth_time")),
    Fault("id-token-wrong-acr", ID_TOKEN, "`acr` was not asked for.", tokens.set_claims, _with(acr="0")),
    Fault("id-token-sub-changed", ID_TOKEN, "`sub` is new.", tokens.set_claims, _with(sub="user-renumbered")),
    Fault("id-token-sub-missing", ID_TOKEN, "No `sub`.", tokens.drop_claim, _with(claim="sub")),
    Fault("id-token-sub-too-long", ID_TOKEN, "`sub` is too long.", tokens.long_subject, _with(length=256)),
    Fault("id-token-claim-missing", ID_TOKEN, "A claim is missing.", tokens.drop_claim, _with(claim="email")),
    Fault(
        "id-token-claim-wrong-type",
        ID_TOKEN,
        "A claim has another type.",
        tokens.set_one_claim,
        _with(claim="email_verified", value="true"),
    ),
    Fault(
        "refresh-other-sub",
        ID_TOKEN,
        "The ID Token of a refresh is about somebody else.",
        tokens.set_claims,
        _with(sub="user-other"),
        grant=REFRESH,
    ),
)

ACCESS_TOKEN_FAULTS: tuple[Fault[Any], ...] = (
    Fault("access-token-wrong-issuer", ACCESS_TOKEN, "Foreign `iss`.", tokens.set_claims, _with(iss=OTHER_ISSUER)),
    Fault("access-token-wrong-audience", ACCESS_TOKEN, "Foreign `aud`.", tokens.set_claims, _with(aud="other")),
    Fault("access-token-scope-missing", ACCESS_TOKEN, "No `scope`.", tokens.drop_claim, _with(claim="scope")),
    Fault("access-token-wrong-typ", ACCESS_TOKEN, "`typ` is not at+jwt.", tokens.set_header, _with(typ="JWT")),
    Fault("access-token-bad-signature", ACCESS_TOKEN, "One bit is wrong.", tokens.break_signature),
    Fault("access-token-unpublished-key", ACCESS_TOKEN, "Signed by a key not in the set.", tokens.foreign_key),
    Fault("access-token-kid-missing", ACCESS_TOKEN, "The header has no key id.", tokens.drop_key_id),
    Fault("access-token-expired", ACCESS_TOKEN, "Expired.", tokens.shift_claims, _with(iat=-7200, exp=-7200)),
)

USERINFO_FAULTS: tuple[Fault[Any], ...] = (
    Fault("userinfo-sub-mismatch", USERINFO, "Somebody else's `sub`.", doc.set_members, _with(sub="user-other")),
    Fault(
        "userinfo-401", USERINFO, "The token is refused.", doc.bearer_refusal, _with(status=401, error="invalid_token")
    ),
    Fault(
        "userinfo-403",
        USERINFO,
        "The scope is refused.",
        doc.bearer_refusal,
        _with(status=403, error="insufficient_scope"),
    ),
    Fault(
        "userinfo-not-json",
        USERINFO,
        "An HTML page instead of JSON.",
        doc.not_json,
        _with(body="<!doctype html><p>Hello</p>", content_type="text/html"),
    ),
)

CALLBACK_FAULTS: tuple[Fault[Any], ...] = (
    Fault("state-dropped", CALLBACK, "`state` is missing.", journey.drop_parameter, _with(parameter="state")),
    Fault("state-changed", CALLBACK, "`state` is another one.", journey.set_parameters, _with(state="other")),
    Fault("iss-wrong", CALLBACK, "RFC 9207 `iss` is wrong.", journey.set_parameters, _with(iss=OTHER_ISSUER)),
    Fault("iss-missing", CALLBACK, "RFC 9207 `iss` is missing.", journey.drop_parameter, _with(parameter="iss")),
)


def _refusal(name: str, summary: str, error: str, *, status: int = 400, grant: str = "") -> Fault[Any]:
    defaults = _with(error=error, description="refused by a fault of the sandbox", status=status)
    return Fault(name, TOKEN_REQUEST, summary, doc.refuse, defaults, grant)


TOKEN_FAULTS: tuple[Fault[Any], ...] = (
    _refusal("code-rejected", "Every code is refused.", "invalid_grant", grant=CODE),
    _refusal("refresh-rejected", "Every refresh token is refused.", "invalid_grant", grant=REFRESH),
    _refusal("exchange-rejected", "Every token exchange is refused.", "invalid_target", grant=EXCHANGE),
    _refusal("client-rejected", "Client authentication fails.", "invalid_client", status=401),
    _refusal("token-error-unregistered", "An error code that no registry knows.", "E_4711"),
    _refusal("token-server-error", "HTTP 500 with an error object.", "server_error", status=500),
    Fault("token-slow", TOKEN_REQUEST, "The answer takes its time.", doc.slow, _with(seconds=3.0)),
    Fault("token-id-token-missing", TOKEN_RESPONSE, "No `id_token`.", doc.drop_member, _with(member="id_token")),
    Fault(
        "token-access-token-missing",
        TOKEN_RESPONSE,
        "No `access_token`.",
        doc.drop_member,
        _with(member="access_token"),
    ),
    Fault("token-type-missing", TOKEN_RESPONSE, "No `token_type`.", doc.drop_member, _with(member="token_type")),
    Fault(
        "token-no-store-missing", TOKEN_RESPONSE, "No `Cache-Control`.", doc.drop_header, _with(header="Cache-Control")
    ),
)


def _redirect(error: str) -> Fault[Any]:
    name = error.replace("_", "-")
    return Fault(name, AUTHORIZE_ERROR, f"Back with `error={error}`.", journey.error_code, _with(error=error))


def _page(name: str, point: Any, summary: str, template: str, **values: Any) -> Fault[Any]:
    return Fault(name, point, summary, journey.show_page(template), _with(**values))


REDIRECT_ERROR = "Invalid parameter: redirect_uri"

JOURNEY_FAULTS: tuple[Fault[Any], ...] = (
    _redirect("access_denied"),
    _redirect("server_error"),
    _redirect("temporarily_unavailable"),
    _redirect("interaction_required"),
    _page(
        "redirect-uri-rejected-200",
        AUTHORIZE_PAGE,
        "The redirect URI is refused on a page with HTTP 200.",
        "error.html",
        title="We are sorry",
        message=REDIRECT_ERROR,
        status=200,
    ),
    _page(
        "redirect-uri-rejected-400",
        AUTHORIZE_PAGE,
        "The redirect URI is refused on a page with HTTP 400.",
        "error.html",
        title="We are sorry",
        message=REDIRECT_ERROR,
        status=400,
    ),
    _page("login-page-changed", LOGIN_PAGE, "A canvas, no inputs.", "canvas_login.html", heading="Welcome"),
    Fault(
        "login-page-script-error",
        LOGIN_PAGE,
        "A script removes the form and throws.",
        journey.append_script,
        _with(message="render failed"),
    ),
    _page("login-captcha", LOGIN_PAGE, "A CAPTCHA instead of the form.", "captcha.html"),
    Fault("login-terms", TERMS, "New terms of use come before the end.", journey.yes),
    _page(
        "login-submit-500",
        LOGIN_ANSWER,
        "HTTP 500 after the password.",
        "error.html",
        title="Internal server error",
        message="Something went wrong",
        status=500,
    ),
    Fault(
        "password-refused",
        PASSWORD_VERDICT,
        "The right password is refused.",
        journey.message,
        _with(message="Invalid username or password."),
    ),
    Fault(
        "account-locked",
        PASSWORD_VERDICT,
        "The account is locked.",
        journey.message,
        _with(message="Your account is locked. Please contact your administrator."),
    ),
    Fault(
        "otp-refused",
        OTP_VERDICT,
        "The right code is refused.",
        journey.message,
        _with(message="Invalid one-time code."),
    ),
)

FAULTS: tuple[Fault[Any], ...] = (
    *DISCOVERY_FAULTS,
    *JWKS_FAULTS,
    *ID_TOKEN_FAULTS,
    *ACCESS_TOKEN_FAULTS,
    *USERINFO_FAULTS,
    *CALLBACK_FAULTS,
    *TOKEN_FAULTS,
    *JOURNEY_FAULTS,
)
