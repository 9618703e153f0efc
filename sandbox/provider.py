"""The provider as a web application: the routes of an OpenID provider over one realm."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from authlib.oauth2 import OAuth2Error
from flask import Flask, Response, request

from sandbox import points
from sandbox.accounts import Client
from sandbox.endpoints import Server, build_server
from sandbox.login import Journey, Progress, advance, needs_consent, needs_sign_in, next_step, show
from sandbox.metadata import ENDPOINTS, discovery_document
from sandbox.pages import render
from sandbox.realm import Realm
from sandbox.reply import Reply, page
from sandbox.store import Authentication, Code, Issued, Session

_CORS_PATHS = frozenset(
    {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}
    | {ENDPOINTS[name] for name in ("jwks_uri", "token_endpoint", "userinfo_endpoint", "revocation_endpoint")}
)

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# Authorization request parameters that Discovery says are not supported, with their errors (OIDC Core §3.1.2.6).
_UNSUPPORTED = {"request": "request_not_supported", "request_uri": "request_uri_not_supported"}


def create_provider(realm: Realm) -> Flask:
    """The WSGI application. It believes in the realm's issuer URL, never in the Host header."""
    app = Flask("sandbox.provider", static_folder=None, template_folder=None)
    server = build_server(app, realm)
    _add_documents(app, realm)
    _add_authorize(app, realm, server)
    _add_token_endpoints(app, realm, server)
    _add_userinfo(app, realm)
    _add_logout(app, realm, server)

    @app.before_request
    def count() -> None:
        realm.hits.count(request.path)

    @app.after_request
    def finish(response: Response) -> Response:
        if request.path in _CORS_PATHS:
            response.headers["Access-Control-Allow-Origin"] = "*"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        if response.mimetype == "text/html":
            response.headers.extend(_PAGE_HEADERS)
        if realm.issuer.startswith("https:"):
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    return app


def _add_documents(app: Flask, realm: Realm) -> None:
    def cached(document: Mapping[str, Any]) -> Reply:
        return Reply(document=document, headers=(("Cache-Control", f"public, max-age={realm.settings.jwks_max_age}"),))

    @app.get("/.well-known/openid-configuration")
    @app.get("/.well-known/oauth-authorization-server")
    def discovery() -> Response:
        reply = cached(discovery_document(realm.issuer))
        return realm.faults.apply(points.DISCOVERY, reply, realm.situation()).response()

    @app.get(ENDPOINTS["jwks_uri"])
    def jwks() -> Response:
        reply = cached(realm.keys.jwks())
        if realm.settings.jwks_cache_control:
            reply = reply.with_header("Cache-Control", realm.settings.jwks_cache_control)
        return realm.faults.apply(points.JWKS, reply, realm.situation()).response()


def _add_authorize(app: Flask, realm: Realm, server: Server) -> None:
    @app.route(ENDPOINTS["authorization_endpoint"], methods=["GET", "POST"])
    def authorize() -> Response:
        situation = realm.situation(client_id=request.values.get("client_id", ""), request=request.args.to_dict())
        instead = realm.faults.apply(points.AUTHORIZE_PAGE, None, situation)
        if instead is not None:
            return instead.response()
        if request.method == "POST" and "step" not in request.form:
            # A request by POST (OIDC Core §3.1.2.1) goes on as GET, so that forms have one URL to come back to.
            return _see_other(f"{realm.issuer}{request.path}?{urlencode(list(request.values.items(multi=True)))}")
        try:
            grant = server.get_consent_grant()
        except OAuth2Error as error:
            return _refuse_request(realm, error)
        client: Client = grant.client
        fingerprint = hashlib.sha256(request.query_string).hexdigest()
        journey = Journey(realm, client, request.args.to_dict(), fingerprint)
        code = _request_error(journey) or realm.faults.apply(points.AUTHORIZE_ERROR, "", journey.situation)
        return _back(journey, {"error": code}) if code else _continue(journey)


def _refuse_request(realm: Realm, error: OAuth2Error) -> Response:
    """Back to the client where its redirect URI is known to be its own, a page otherwise (RFC 6749 §4.1.2.1)."""
    client = realm.directory.clients.get(request.args.get("client_id", ""))
    if error.redirect_uri and client is not None:
        journey = Journey(realm, client, request.args.to_dict(), "")
        return _back(journey, {"error": error.error, "error_description": error.get_error_description()})
    text = render("error.html", title="Invalid request", message=error.get_error_description() or error.error)
    return page(text, 400).response()


def _request_error(journey: Journey) -> str:
    """The error code for what Authlib does not look at; empty when there is nothing wrong."""
    asked = journey.request
    for parameter, code in _UNSUPPORTED.items():
        if parameter in asked:
            return code
    max_age = asked.get("max_age", "0")
    alone = "none" not in journey.prompts or len(journey.prompts) == 1
    if asked.get("response_mode", "query") != "query" or not max_age.isdigit() or not alone:
        return "invalid_request"
    return "" if "openid" in asked.get("scope", "").split() else "invalid_scope"


def _continue(journey: Journey) -> Response:
    session = journey.realm.store.sessions.get(request.cookies.get(_cookie_name(journey.realm), "")) or Session("")
    form = request.form.to_dict() if request.method == "POST" else {}
    progress = advance(journey, session, form) if form else Progress(session)
    response = _answer(journey, progress)
    if progress.session != session:
        _keep(journey.realm, session, progress.session, response)
    return response


def _answer(journey: Journey, progress: Progress) -> Response:
    session = progress.session
    if progress.refused:
        return _back(journey, {"error": "access_denied"})
    if progress.page is not None:
        return progress.page.response()
    if journey.prompts == {"none"}:
        if needs_sign_in(journey, session):
            return _back(journey, {"error": "login_required"})
        if needs_consent(journey, session):
            return _back(journey, {"error": "consent_required"})
    step = next_step(journey, session)
    if step:
        return show(journey, session, step, progress.error).response()
    return _back(journey, {"code": _new_code(journey, session)})


def _new_code(journey: Journey, session: Session) -> str:
    value = secrets.token_urlsafe(32)
    asked = journey.request
    event = Authentication(session.username, session.auth_time, session.methods, session.sid, asked.get("nonce", ""))
    code = Code(
        code=value,
        client_id=journey.client.client_id,
        redirect_uri=asked["redirect_uri"],
        scope=journey.client.get_allowed_scope(asked["scope"]),
        code_challenge=asked["code_challenge"],
        resource=" ".join(request.args.getlist("resource")),
        authentication=event,
        family=secrets.token_urlsafe(16),
        expires_at=journey.realm.clock.now() + journey.realm.settings.code_lifetime,
    )
    journey.realm.store.codes.put(value, code)
    return value


def _back(journey: Journey, parameters: Mapping[str, str]) -> Response:
    """The authorization response: to the redirect URI with `state` and `iss` (RFC 6749 §4.1.2, RFC 9207 §2)."""
    state = {"state": journey.request["state"]} if "state" in journey.request else {}
    right: Mapping[str, str] = {**parameters, **state, "iss": journey.realm.issuer}
    sent = journey.realm.faults.apply(points.CALLBACK, right, journey.situation)
    target = urlsplit(journey.request["redirect_uri"])
    query = urlencode([*parse_qsl(target.query, keep_blank_values=True), *sent.items()])
    return _see_other(urlunsplit(target._replace(query=query)))


def _see_other(location: str) -> Response:
    """303, so that a submitted password is never sent on (RFC 9700 §4.12)."""
    response = Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})
    response.autocorrect_location_header = False
    return response


def _cookie_name(realm: Realm) -> str:
    """One name a port: cookies do not tell ports apart (RFC 6265 §8.5)."""
    return f"sandbox_session_{urlsplit(realm.issuer).port or 443}"


def _keep(realm: Realm, old: Session, new: Session, response: Response) -> None:
    if not new.sid:
        new = realm.store.new_session_like(new)
    if old.sid and old.sid != new.sid:
        realm.store.sessions.pop(old.sid)
    realm.store.sessions.put(new.sid, new)
    secure = realm.issuer.startswith("https:")
    response.set_cookie(_cookie_name(realm), new.sid, httponly=True, samesite="Lax", secure=secure)


def _add_token_endpoints(app: Flask, realm: Realm, server: Server) -> None:
    @app.post(ENDPOINTS["token_endpoint"])
    def token() -> Response:
        client_id = (request.authorization.username if request.authorization else None) or request.form.get("client_id")
        situation = realm.situation(client_id=client_id or "", grant_type=request.form.get("grant_type", ""))
        instead = realm.faults.apply(points.TOKEN_REQUEST, None, situation)
        if instead is not None:
            return instead.response()
        response: Response = server.create_token_response()
        if response.status_code != 200:
            return response
        return realm.faults.apply(points.TOKEN_RESPONSE, _reply(response), situation).response()

    @app.post(ENDPOINTS["introspection_endpoint"])
    def introspect() -> Response:
        response: Response = server.create_endpoint_response("introspection")
        return response

    @app.post(ENDPOINTS["revocation_endpoint"])
    def revoke() -> Response:
        response: Response = server.create_endpoint_response("revocation")
        return response


def _reply(response: Response) -> Reply:
    kept = tuple((name, value) for name, value in response.headers if name not in ("Content-Type", "Content-Length"))
    return Reply(response.status_code, response.get_json(), headers=kept)


def _add_userinfo(app: Flask, realm: Realm) -> None:
    def refuse(status: int, error: str = "") -> Response:
        detail = f', error="{error}"' if error else ""
        challenge = (("WWW-Authenticate", f'Bearer realm="sandbox"{detail}'),)
        return Reply(status, {"error": error} if error else {}, headers=challenge).response()

    @app.route(ENDPOINTS["userinfo_endpoint"], methods=["GET", "POST"])
    def userinfo() -> Response:
        scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            presented = request.form.get("access_token", "")  # RFC 6750 §2.2
        if not presented:
            return refuse(401)  # without an error code (RFC 6750 §3.1)
        issued = realm.store.by_access_token(presented.strip())
        if issued is None or not _is_valid(realm, issued):
            return refuse(401, "invalid_token")
        user = realm.directory.user(issued.authentication.username) if issued.authentication else None
        if user is None or "openid" not in issued.scope.split():
            return refuse(403, "insufficient_scope")
        reply = Reply(document=user.claims(issued.scope.split()), headers=(("Cache-Control", "no-store"),))
        situation = realm.situation(client_id=issued.client_id)
        return realm.faults.apply(points.USERINFO, reply, situation).response()


def _is_valid(realm: Realm, issued: Issued) -> bool:
    return not issued.revoked and issued.expires_at > realm.clock.now()


def _add_logout(app: Flask, realm: Realm, server: Server) -> None:
    @app.route(ENDPOINTS["end_session_endpoint"], methods=["GET", "POST"])
    def logout() -> Response:
        try:
            asked = server.validate_endpoint_request("end_session")
        except OAuth2Error as error:
            return page(render("error.html", title="Invalid request", message=error.error), 400).response()
        confirmed = request.method == "POST" and request.form.get("confirm") == "yes"
        if (asked.needs_confirmation or realm.settings.confirm_logout) and not confirmed:
            # Without a valid hint anybody's link could sign people out (RP-Initiated Logout §6).
            parameters = {name: value for name, value in request.values.items() if name != "confirm"}
            return page(render("confirm_logout.html", parameters=parameters)).response()
        response: Response | None = server.create_endpoint_response("end_session", asked)
        response = response or page(render("signed_out.html")).response()
        realm.store.sessions.pop(request.cookies.get(_cookie_name(realm), ""))
        response.delete_cookie(_cookie_name(realm))
        response.autocorrect_location_header = False
        return response
