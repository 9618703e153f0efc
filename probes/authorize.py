"""The authorization request and RP-initiated logout through the browser: what a person would do, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from probes.browser_evidence import evidence_of_failure
from probes.browser_session import BrowserSession
from probes.egress_guard import Callback
from probes.login_pages import error_of, is_signed_out
from probes.login_pages_walk import Credentials, Walk
from probes.model import ProbeFailure, Quantity, Reason, Stage
from probes.probe import Clock, Steps
from probes.subjects import LoginForm

__all__ = ["AuthorizationRequest", "Credentials", "authorize", "end_session"]

# Parameters of the callback that are secret or stand for a session (OIDC Core §3.1.2.5, §3.3.2.5).
_SECRET_PARAMETERS = ("code", "id_token", "access_token", "session_state", "response")


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A complete authorization request (OIDC Core §3.1.2.1) and where its answer goes."""

    url: str = field(repr=False)
    redirect_uri: str


async def authorize(
    session: BrowserSession,
    request: AuthorizationRequest,
    user: Credentials | None,
    form: LoginForm,
    steps: Steps,
    clock: Clock,
    accept: Callable[[Mapping[str, str]], None] = lambda _: None,
) -> dict[str, str]:
    """Send the request and do what the provider's pages ask for; returns the callback's parameters, `error` included.

    The redirect URI is answered inside the browser: the relying party never sees the code. `user` None means that no
    login page is expected (prompt=none, or a session is there). `accept` judges the parameters within the step
    `callback`. Raises ProbeFailure; evidence is then in `steps.artifacts`.
    """
    for secret in (user.password, user.totp) if user else ():
        steps.hide(secret)
    async with evidence_of_failure(session, steps):
        with session.expecting(request.redirect_uri) as callback:
            walk = Walk(session, callback, user, form, steps, clock)
            with steps(Stage.AUTHORIZE) as note:
                page = await walk.first(request.url, note, strict=not form.steps)
                if session.certificate_expiry is not None:
                    steps.measure(Quantity.TLS_EXPIRY, session.certificate_expiry, endpoint="authorization")
            await walk.through(page)
            with steps(Stage.CALLBACK) as note:
                note["redirects"] = session.egress.redirects
                note["http.method"] = callback.result().method
                parameters = _parameters(callback.result(), steps)
                accept(parameters)
                return parameters


async def end_session(
    session: BrowserSession, url: str, post_logout_redirect_uri: str, steps: Steps, state: str = ""
) -> dict[str, str]:
    """Log out at the provider (OIDC RP-Initiated Logout 1.0 §2), confirming when it asks.

    Returns the parameters that came back to `post_logout_redirect_uri`, `state` (if one was sent) among them; without
    such a URI an empty dict once the provider shows a page that is no error.
    Raises ProbeFailure.
    """
    for name, value in parse_qsl(urlsplit(url).query):
        if name in {"id_token_hint", "logout_hint"}:
            steps.hide(value)
    async with evidence_of_failure(session, steps):
        with steps(Stage.LOGOUT) as note, session.expecting(post_logout_redirect_uri) as callback:
            walk = Walk(session, callback, None, LoginForm(), steps, steps.clock)
            page = await walk.confirm_logout(await walk.first(url, note, strict=False))
            if page is None:
                parameters = dict(callback.result().parameters)
                if state and parameters.get("state") != state:
                    message = "state did not come back to the post-logout redirect URI"
                    raise ProbeFailure(Reason.STATE_MISMATCH, message)
                return parameters
            if post_logout_redirect_uri:
                # A provider that does not know the URI signs out and must not redirect (RP-Initiated Logout 1.0 §3).
                stayed = Reason.REDIRECT_URI_REJECTED if is_signed_out(page) else Reason.LOGIN_UI_CHANGED
                reason = error_of(page, 200) or stayed
                raise ProbeFailure(reason, f"no redirect after the logout: {page.heading!r}: {page.summary()}")
            return {}


def _parameters(callback: Callback, steps: Steps) -> dict[str, str]:
    parameters = dict(callback.parameters)
    for name, value in callback.parameters:
        if name in _SECRET_PARAMETERS:
            steps.hide(value)
    repeated = [name for name, count in Counter(name for name, _ in callback.parameters).items() if count > 1]
    if repeated:
        # RFC 6749 §3.1: response parameters must not be included more than once.
        raise ProbeFailure(Reason.BAD_RESPONSE, f"the callback has {', '.join(sorted(repeated))} more than once")
    return parameters
