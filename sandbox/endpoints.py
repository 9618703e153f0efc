"""The authorization server as Authlib assembles it: grants, introspection, revocation and logout."""

from __future__ import annotations

from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.rpinitiated import EndSessionEndpoint
from flask import Flask
from joserfc.jwk import KeySet

from sandbox.accounts import MACHINE_SCOPES, USER_SCOPES, Client
from sandbox.grants import S256, ClientCredentialsGrant, CodeGrant, ExchangeGrant, RefreshGrant
from sandbox.keys import ALGORITHMS
from sandbox.realm import Realm
from sandbox.store import Issued


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's server with our realm, for its grants and endpoints to find."""

    def __init__(self, app: Flask, realm: Realm) -> None:
        app.config["OAUTH2_SCOPES_SUPPORTED"] = sorted({*USER_SCOPES, *MACHINE_SCOPES})
        super().__init__(app, query_client=realm.directory.clients.get)
        self.realm = realm


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib ships no types
    """Token introspection (RFC 7662) for the token's own client and for its audience."""

    CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

    def query_token(self, token: str, _hint: str | None) -> Issued | None:
        realm: Realm = self.server.realm
        return realm.store.by_access_token(token) or realm.store.by_refresh_token(token)

    def check_permission(self, token: Issued, client: Client, _request: object) -> bool:
        return token.client_id == client.client_id or client.audience in token.audience

    def authenticate_token(self, request: Any, client: Client) -> dict[str, Any] | None:
        """What introspection says about the presented string; None when it must be called inactive (§2.2)."""
        self.check_params(request, client)
        presented = request.form["token"]
        token = self.query_token(presented, None)
        if token is None or not self.check_permission(token, client, request):
            return None
        realm: Realm = self.server.realm
        is_refresh = presented == token.refresh_token
        inactive = token.refresh_spent if is_refresh else token.revoked
        expires_at = token.refresh_expires_at if is_refresh else token.expires_at
        if inactive or expires_at <= realm.clock.now():
            return None
        return {
            "active": True,
            "iss": realm.issuer,
            "sub": token.subject,
            "client_id": token.client_id,
            "aud": list(token.audience),
            "scope": token.scope,
            "iat": int(token.issued_at),
            "exp": int(expires_at),
            **({} if is_refresh else {"token_type": "Bearer"}),
        }

    def create_introspection_payload(self, answer: dict[str, Any] | None) -> dict[str, Any]:
        return answer or {"active": False}


class Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib ships no types
    """Token revocation (RFC 7009); a refresh token takes its whole family along (§2.1)."""

    CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")

    def query_token(self, token: str, _hint: str | None) -> Issued | None:
        realm: Realm = self.server.realm
        return realm.store.by_access_token(token) or realm.store.by_refresh_token(token)

    def revoke_token(self, token: Issued, request: Any) -> None:
        realm: Realm = self.server.realm
        if request.form["token"] == token.refresh_token:
            realm.store.revoke_family(token.family)
        else:
            realm.store.revoke_access_token(token.access_token)


class EndSession(EndSessionEndpoint):  # type: ignore[misc]  # Authlib ships no types
    """RP-initiated logout: ends the session that the ID Token hint names."""

    def get_server_jwks(self) -> KeySet:
        realm: Realm = self.server.realm
        return realm.keys.ever_active()

    def get_algorithms(self) -> list[str]:
        return list(ALGORITHMS)

    def end_session(self, request: Any) -> None:
        realm: Realm = self.server.realm
        if request.id_token_claims:
            realm.store.sessions.pop(str(request.id_token_claims.get("sid", "")))


def build_server(app: Flask, realm: Realm) -> Server:
    """The complete authorization server for that application."""
    server = Server(app, realm)
    server.register_grant(CodeGrant, [S256(required=True)])
    for grant in (RefreshGrant, ClientCredentialsGrant, ExchangeGrant):
        server.register_grant(grant)
    for endpoint in (Introspection, Revocation, EndSession):
        server.register_endpoint(endpoint)
    return server
