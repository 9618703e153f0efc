"""Real providers, each started once a session, and a person who signs in to them with nothing but HTTP forms."""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
import jwt
import pytest

from sandbox.peers import Peer, start_keycloak, start_node_oidc_provider

REDIRECT_URI = "https://portal.example.test/callback"
MOST_PAGES = 8


@dataclass
class Form:
    """A form of a page: where it goes, and the fields as they would be sent untouched."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(urljoin(self.url, given.get("action", ""))))
        elif tag in ("input", "button") and "name" in given and self.forms:
            self.forms[-1].fields.setdefault(given["name"], given.get("value", ""))


@dataclass
class Person:
    """Someone with a browser of the simplest kind, who fills in the fields that a page asks for."""

    peer: Peer
    http: httpx.Client = field(repr=False)
    metadata: dict[str, Any] = field(repr=False)
    answers: dict[str, str] = field(default_factory=dict, repr=False)
    pages: list[str] = field(default_factory=list)

    def authorize(self, client_id: str, secret: str, scope: str) -> dict[str, Any]:
        """The token response of a whole authorization code flow with PKCE (RFC 7636) and prompt=consent."""
        verifier, state, nonce = (secrets.token_urlsafe(48) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "prompt": "consent",
        }
        callback = self.visit(f"{self.metadata['authorization_endpoint']}?{urlencode(query)}")
        assert callback["state"] == state, callback
        answer = self.token(
            client_id,
            secret,
            grant_type="authorization_code",
            code=callback["code"],
            redirect_uri=REDIRECT_URI,
            code_verifier=verifier,
        )
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        assert self.claims(tokens["id_token"], client_id)["nonce"] == nonce
        return tokens

    def visit(self, url: str) -> dict[str, str]:
        """Follow redirects and send forms until the relying party is reached; the parameters that arrive there."""
        response = self.http.get(url)
        for _ in range(MOST_PAGES):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if urlsplit(target).hostname == "portal.example.test":
                    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
                response = self.http.get(target)
                continue
            forms = _Forms(str(response.url), response.text).forms
            assert forms, f"{response.status_code} without a form after {self.pages}"
            form = forms[-1]
            self.pages.append("+".join(sorted(form.fields.keys() & self.answers.keys())))
            known = {name: value for name, value in self.answers.items() if name in form.fields}
            response = self.http.post(form.action, data=form.fields | known)
        raise AssertionError(f"no end after {self.pages}")

    def token(self, client_id: str, secret: str, **parameters: str) -> httpx.Response:
        """POST to the token endpoint with client_secret_basic."""
        return self.http.post(self.metadata["token_endpoint"], data=parameters, auth=(client_id, secret))

    def claims(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a JWT that verifies against the published keys, for this issuer and audience."""
        keys = jwt.PyJWKSet.from_dict(self.http.get(self.metadata["jwks_uri"]).json())
        header = jwt.get_unverified_header(token)
        verified: dict[str, Any] = jwt.decode(
            token, keys[header["kid"]], algorithms=["RS256", "ES256"], audience=audience, issuer=self.peer.issuer
        )
        return verified


Arrive = Callable[..., Person]


def trust_loopback(client: httpx.Client) -> None:
    """Send Secure cookies over http too: Keycloak sets them on http loopback, which browsers hold to be trustworthy
    (https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy) and http.cookiejar does not.
    """
    for cookie in client.cookies.jar:
        cookie.secure = False


@pytest.fixture
def arrive() -> Iterator[Arrive]:
    """Makes a person with a fresh cookie jar in front of a provider (at `base` instead of the issuer, when given), who
    answers forms with the other arguments.
    """
    opened: list[httpx.Client] = []

    def person(peer: Peer, base: str = "", **answers: str) -> Person:
        context = ssl.create_default_context(cafile=peer.ca_file)
        client = httpx.Client(verify=context, trust_env=False, timeout=30.0)
        client.event_hooks["response"] = [lambda response: trust_loopback(client)]
        opened.append(client)
        discovery = client.get(f"{base or peer.issuer}/.well-known/openid-configuration")
        assert discovery.status_code == 200, discovery.text
        return Person(peer, client, discovery.json(), answers)

    yield person
    for client in opened:
        client.close()


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with start_keycloak(tmp_path_factory.mktemp("keycloak"), port=0) as peer:
        yield peer


@pytest.fixture(scope="session")
def node_oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with start_node_oidc_provider(tmp_path_factory.mktemp("node"), port=0) as peer:
        yield peer


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """An empty directory for one start."""
    directory = tmp_path / "peer"
    directory.mkdir()
    return directory
