"""The grants of the token endpoint: code, refresh, client credentials and token exchange, on Authlib's base classes."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationCodeGrant as BaseCodeGrant
from authlib.oauth2.rfc6749 import (
    BaseGrant,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    TokenEndpointMixin,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749 import ClientCredentialsGrant as BaseClientCredentialsGrant
from authlib.oauth2.rfc6749 import RefreshTokenGrant as BaseRefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from sandbox.accounts import EXCHANGE, Client, User
from sandbox.realm import Realm
from sandbox.store import Authentication, Code, Issued
from sandbox.tokens import AccessGrant, access_token, id_token

ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"

APIS = ("orders", "invoices")
"""Audiences that tokens can be asked for; the resource servers of the sandbox are `orders`."""

_CONFIDENTIAL = ["client_secret_basic", "client_secret_post"]
_ANY_CLIENT = [*_CONFIDENTIAL, "none"]


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """The wanted resource or audience is not known (RFC 8707 §2, RFC 8693 §2.2.2)."""

    error = "invalid_target"


def audience_of(realm: Realm, client: Client, scope: str, wanted: list[str]) -> tuple[str, ...]:
    """Whom an access token is for (RFC 9068 §3). Raises InvalidTargetError."""
    if any(name not in APIS for name in wanted):
        raise InvalidTargetError()
    if wanted:
        return tuple(dict.fromkeys(wanted))
    if client.audience:
        return (client.audience,)
    apis = tuple(dict.fromkeys(name.split(".")[0] for name in scope.split() if name.split(".")[0] in APIS))
    return apis or (realm.issuer,)


def issue(
    realm: Realm,
    client: Client,
    grant: AccessGrant,
    *,
    family: str,
    user: User | None = None,
    event: Authentication | None = None,
    refreshable: bool = False,
) -> dict[str, Any]:
    """Mint what the token response carries, and remember it (RFC 6749 §5.1)."""
    now = realm.clock.now()
    token = access_token(realm, client, grant)
    refresh = secrets.token_urlsafe(32) if refreshable else ""
    realm.store.save(
        Issued(
            access_token=token,
            refresh_token=refresh,
            client_id=client.client_id,
            subject=grant.subject,
            scope=grant.scope,
            audience=grant.audience,
            issued_at=now,
            expires_at=grant.expires_at,
            refresh_expires_at=now + realm.settings.refresh_token_lifetime,
            family=family,
            authentication=event,
        )
    )
    answer: dict[str, Any] = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": max(0, grant.expires_at - int(now)),
        "scope": grant.scope,
    }
    if refresh:
        answer["refresh_token"] = refresh
    if user is not None and event is not None and "openid" in grant.scope.split():
        answer["id_token"] = id_token(realm, client, user, event, grant, token)
    return answer


def _expiry(realm: Realm) -> int:
    return int(realm.clock.now()) + realm.settings.access_token_lifetime


class S256(CodeChallenge):  # type: ignore[misc]  # Authlib ships no types
    """PKCE as RFC 9700 §2.1.1 wants it: for every client, and never `plain`."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        asked = grant.request.payload.data
        if not asked.get("code_challenge") or asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with code_challenge_method=S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)


class CodeGrant(BaseCodeGrant):  # type: ignore[misc]  # Authlib ships no types
    """Redeems authorization codes; a second use revokes what the first one gave (RFC 6749 §4.1.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = _ANY_CLIENT

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        realm: Realm = self.server.realm
        found, spent_before = realm.store.claim_code(code, client.client_id)
        if found is None:
            return None
        if spent_before:
            realm.store.revoke_family(found.family)
            return None
        return found if found.expires_at > realm.clock.now() else None

    def authenticate_user(self, code: Code) -> User | None:
        realm: Realm = self.server.realm
        return realm.directory.user(code.authentication.username)

    def delete_authorization_code(self, code: Code) -> None:
        """Kept until it is evicted, so that a second use is recognized."""

    def generate_token(self, user: User, scope: str, **_more: object) -> dict[str, Any]:
        realm: Realm = self.server.realm
        client: Client = self.request.client
        code: Code = self.request.authorization_code
        wanted = self.request.form.getlist("resource") or code.resource.split()
        audience = audience_of(realm, client, scope, wanted)
        grant = AccessGrant(user.subject, scope, audience, _expiry(realm), self.GRANT_TYPE)
        return issue(
            realm,
            client,
            grant,
            family=code.family,
            user=user,
            event=code.authentication,
            refreshable="offline_access" in scope.split(),
        )

    def save_token(self, token: dict[str, Any]) -> None:
        """`issue` has done it."""


class RefreshGrant(BaseRefreshTokenGrant):  # type: ignore[misc]  # Authlib ships no types
    """Rotates refresh tokens; the use of a spent one revokes its family (RFC 9700 §4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = _ANY_CLIENT
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
        realm: Realm = self.server.realm
        found = realm.store.by_refresh_token(refresh_token)
        if found is None or not found.check_client(self.request.client):
            return None
        if found.refresh_spent:
            realm.store.revoke_family(found.family)
            return None
        return found if found.refresh_expires_at > realm.clock.now() else None

    def authenticate_user(self, issued: Issued) -> User | None:
        realm: Realm = self.server.realm
        return realm.directory.user(issued.authentication.username) if issued.authentication else None

    def generate_token(self, user: User, scope: str, **_more: object) -> dict[str, Any]:
        realm: Realm = self.server.realm
        client: Client = self.request.client
        old: Issued = self.request.refresh_token
        audience = audience_of(realm, client, scope, self.request.form.getlist("resource") or _apis(old.audience))
        if old.authentication is None or not realm.store.spend_refresh_token(old.refresh_token):
            raise InvalidGrantError()
        event = replace(old.authentication, nonce="")  # a refreshed ID Token should have none (OIDC Core §12.2)
        grant = AccessGrant(user.subject, scope, audience, _expiry(realm), self.GRANT_TYPE)
        return issue(realm, client, grant, family=old.family, user=user, event=event, refreshable=True)

    def revoke_old_credential(self, issued: Issued) -> None:
        """Spending it was the first thing that `generate_token` did: of two requests only one may win."""

    def save_token(self, token: dict[str, Any]) -> None:
        """`issue` has done it."""


def _apis(audience: tuple[str, ...]) -> list[str]:
    return [name for name in audience if name in APIS]


class ClientCredentialsGrant(BaseClientCredentialsGrant):  # type: ignore[misc]  # Authlib ships no types
    """A token for the client itself; never a refresh token (RFC 6749 §4.4.3)."""

    TOKEN_ENDPOINT_AUTH_METHODS = _CONFIDENTIAL

    def generate_token(self, scope: str | None, **_more: object) -> dict[str, Any]:
        realm: Realm = self.server.realm
        client: Client = self.request.client
        allowed = client.get_allowed_scope(scope)
        if not allowed:
            raise InvalidScopeError()
        audience = audience_of(realm, client, allowed, self.request.form.getlist("resource"))
        grant = AccessGrant(client.client_id, allowed, audience, _expiry(realm), self.GRANT_TYPE)
        return issue(realm, client, grant, family=secrets.token_urlsafe(16))

    def save_token(self, token: dict[str, Any]) -> None:
        """`issue` has done it."""


class ExchangeGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib ships no types
    """Exchanges an access token for one for another audience, by delegation (RFC 8693)."""

    GRANT_TYPE = EXCHANGE
    TOKEN_ENDPOINT_AUTH_METHODS = _CONFIDENTIAL

    def validate_token_request(self) -> None:
        client: Client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError()
        form = self.request.form
        if not form.get("subject_token") or form.get("subject_token_type") != ACCESS_TOKEN_TYPE:
            raise InvalidRequestError("subject_token of type access_token is required.")
        if form.get("requested_token_type", ACCESS_TOKEN_TYPE) != ACCESS_TOKEN_TYPE:
            raise InvalidRequestError("requested_token_type is not supported.")
        realm: Realm = self.server.realm
        subject = realm.store.by_access_token(form["subject_token"])
        if subject is None or subject.revoked or subject.expires_at <= realm.clock.now():
            # RFC 8693 §2.2.2 asks for invalid_request here, not invalid_grant.
            raise InvalidRequestError("The subject token is not valid.")
        self.request.client = client
        self.request.subject = subject

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        realm: Realm = self.server.realm
        client: Client = self.request.client
        subject: Issued = self.request.subject
        form = self.request.form
        held = subject.scope.split()
        wanted = (form.get("scope") or "").split() or [name for name in held if name in client.scopes]
        if not wanted or not set(wanted) <= set(held) & set(client.scopes):
            raise InvalidScopeError()
        scope = " ".join(wanted)
        audience = audience_of(realm, client, scope, [*form.getlist("audience"), *form.getlist("resource")])
        grant = AccessGrant(
            subject.subject,
            scope,
            audience,
            min(_expiry(realm), int(subject.expires_at)),
            self.GRANT_TYPE,
            actor=client.client_id,
        )
        answer = issue(realm, client, grant, family=subject.family)
        return 200, {**answer, "issued_token_type": ACCESS_TOKEN_TYPE}, self.TOKEN_RESPONSE_HEADER
