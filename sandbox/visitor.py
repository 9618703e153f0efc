"""A person and a client without a browser: signs in over the HTML forms and redeems codes, for tests and drills."""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import httpx
import pyotp

from sandbox.launch import Sandbox

SCOPES = "openid profile email offline_access"
_MAX_PAGES = 8


@dataclass(frozen=True, slots=True)
class Attempt:
    """One authorization request with what must come back."""

    client_id: str
    url: str
    parameters: Mapping[str, str] = field(repr=False)
    code_verifier: str = field(repr=False)


class VisitError(RuntimeError):
    """The journey did not go on; the message names the page, never what was typed."""


class _Forms(HTMLParser):
    """Collects the names and values of the inputs of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "input" and attributes.get("name"):
            self.inputs[str(attributes["name"])] = attributes.get("value") or ""


def inputs_of(text: str) -> dict[str, str]:
    """The inputs of an HTML page by name, with their present values."""
    forms = _Forms()
    forms.feed(text)
    return forms.inputs


def callback_of(response: httpx.Response) -> dict[str, str]:
    """The parameters of the authorization response. Raises VisitError when it is no redirect."""
    if "location" not in response.headers:
        raise VisitError(f"no redirect from {response.url.path}: HTTP {response.status_code}")
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))


class Visitor:
    """One browser profile (cookies) together with the clients of the sandbox."""

    def __init__(self, sandbox: Sandbox, *, timeout: float = 10.0) -> None:
        self._sandbox = sandbox
        verify = ssl.create_default_context(cafile=sandbox.ca_file) if sandbox.ca_file else True
        self.http = httpx.Client(verify=verify, timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.http.close()

    def attempt(self, client_id: str, scope: str = SCOPES, **parameters: str) -> Attempt:
        """A complete authorization request (PKCE, state, nonce); parameters replace or add, empty ones are left out."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        request = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": self._sandbox.clients[client_id].redirect_uri,
            "scope": scope,
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **parameters,
        }
        request = {name: value for name, value in request.items() if value}
        url = httpx.URL(f"{self._sandbox.issuer}/authorize", params=request)
        return Attempt(client_id, str(url), request, verifier)

    def visit(self, attempt: Attempt, username: str, *, consent: str = "accept") -> httpx.Response:
        """Fill in form after form until the provider redirects, shows an error, or shows no form that is known."""
        response = self.http.get(attempt.url)
        for _ in range(_MAX_PAGES):
            filled = self._fill(response, username, consent)
            if filled is None:
                return response
            response = self.http.post(attempt.url, data=filled)
        raise VisitError(f"more than {_MAX_PAGES} pages")

    def _fill(self, response: httpx.Response, username: str, consent: str) -> dict[str, str] | None:
        found = inputs_of(response.text)
        if response.status_code != 200 or "step" not in found or 'role="alert"' in response.text:
            return None
        user = self._sandbox.users[username]
        answers = {
            "username": username,
            "password": user.password,
            "otp": pyotp.TOTP(user.totp_seed).now() if user.totp_seed else "",
            "agree": "yes",
        }
        filled = {name: answers.get(name, value) for name, value in found.items()}
        return {**filled, "consent": consent} if found["step"] == "consent" else filled

    def token(self, client_id: str, /, **form: str) -> httpx.Response:
        """A request to the token endpoint, authenticated as that client."""
        return self.post(client_id, "/token", **form)

    def post(self, client_id: str, path: str, /, **form: str) -> httpx.Response:
        """A form to any endpoint of the provider, authenticated as that client."""
        client = self._sandbox.clients[client_id]
        url = f"{self._sandbox.issuer}{path}"
        if client.auth_method == "client_secret_basic":
            return self.http.post(url, data=form, auth=(client_id, client.client_secret))
        secret = {"client_secret": client.client_secret} if client.client_secret else {}
        return self.http.post(url, data={**form, "client_id": client_id, **secret})

    def redeem(self, attempt: Attempt, code: str, /, **form: str) -> httpx.Response:
        """Exchange the code of that attempt; form fields replace the right ones."""
        right = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.parameters["redirect_uri"],
            "code_verifier": attempt.code_verifier,
        }
        return self.token(attempt.client_id, **{**right, **form})

    def sign_in(self, client_id: str, username: str, scope: str = SCOPES, **parameters: str) -> dict[str, Any]:
        """The whole way to tokens. Raises VisitError where it ends."""
        attempt = self.attempt(client_id, scope, **parameters)
        callback = callback_of(self.visit(attempt, username))
        if "code" not in callback:
            raise VisitError(f"no code: {callback.get('error', 'no error either')}")
        answer = self.redeem(attempt, callback["code"])
        if answer.status_code != 200:
            raise VisitError(f"no tokens: HTTP {answer.status_code}")
        tokens: dict[str, Any] = answer.json()
        return tokens
