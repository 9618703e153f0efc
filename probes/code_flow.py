"""The authorization code flow as a relying party would do it: request, callback, tokens, ID token (OIDC Core §3.1)."""

from __future__ import annotations

import base64
import hashlib
import secrets as randomness
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

from probes.authorize import AuthorizationRequest, Credentials, authorize
from probes.browser_session import BrowserSession, SessionOptions
from probes.checks.base import run_checks
from probes.checks.callback import CALLBACK, Callback
from probes.checks.token import Grant
from probes.documents import JsonObject, number, text
from probes.http import Http
from probes.jose import parse_jws
from probes.keys import KeySet
from probes.memory import Memory
from probes.metadata import Metadata, host_of, require_endpoint
from probes.model import Check, ProbeFailure, Reason
from probes.oauth_errors import refusal_of_authorization
from probes.probe import Clock, Steps
from probes.provider import fetch_keys
from probes.redact import Redactor
from probes.secrets import Secrets
from probes.subjects import Client, Region, User
from probes.token_endpoint import TokenEndpoint, Tokens
from probes.token_validation import Expected, Validator


def session_options(check: Check, region: Region, redact: Redactor) -> SessionOptions:
    """What a browser may reach for this check: the issuer's host and the configured ones, through the region's proxy."""
    hosts = {host_of(check.issuer.url), *check.issuer.allowed_hosts}
    return SessionOptions(frozenset(hosts), redact, proxy=region.proxy, navigation_seconds=check.timeout)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The end of a successful flow."""

    tokens: Tokens
    keys: KeySet
    sub: str
    nonce: str = field(repr=False)
    auth_time: float | None


@dataclass(frozen=True, slots=True)
class CodeFlow:
    """One client's flow with PKCE, state and nonce."""

    http: Http
    secrets: Secrets
    memory: Memory
    clock: Clock
    check: Check
    client: Client
    metadata: Metadata

    async def sign_in(self, session: BrowserSession, user: User | None, steps: Steps) -> SignedIn:
        """Steps: authorize, login_form, otp, consent, callback, token, jwks, id_token.

        Raises ProbeFailure with the reason of the first thing that went wrong.
        """
        state, nonce, verifier = (randomness.token_urlsafe(32) for _ in range(3))
        steps.hide(verifier)
        request = AuthorizationRequest(self._url(state, nonce, verifier), self.client.redirect_uri)
        credentials = await self._credentials(user, steps)
        async with self.memory.turn_of(self.check.issuer.name, user.username if user else ""):
            parameters = await authorize(
                session,
                request,
                credentials,
                self.client.login,
                steps,
                self.clock,
                partial(self._accept, session, state, steps),
            )
        endpoint = TokenEndpoint(self.http, self.secrets, self.metadata, self.check, self.client)
        tokens = await endpoint.request(
            Grant.AUTHORIZATION_CODE,
            {"code": parameters["code"], "redirect_uri": self.client.redirect_uri, "code_verifier": verifier},
            steps,
        )
        keys = await fetch_keys(self.http, self.metadata, steps)
        claims = await self._identified(tokens, keys, nonce, user, steps)
        return SignedIn(tokens, keys, text(claims, "sub"), nonce, number(claims, "auth_time"))

    def _url(self, state: str, nonce: str, verifier: str) -> str:
        """The authorization request (Core §3.1.2.1) with an S256 challenge (RFC 7636 §4.2)."""
        client = self.client
        digest = hashlib.sha256(verifier.encode("ascii")).digest()
        parameters = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": client.redirect_uri,
            "scope": " ".join(client.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if "offline_access" in client.scopes:
            parameters["prompt"] = "consent"  # without it the scope is ignored (Core §11)
        if client.max_age is not None:
            parameters["max_age"] = str(client.max_age)
        if client.acr_values:
            parameters["acr_values"] = " ".join(client.acr_values)
        if client.send_resource and client.audience:
            parameters["resource"] = client.audience
        endpoint = require_endpoint(self.metadata.authorization_endpoint, "authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"

    async def _credentials(self, user: User | None, steps: Steps) -> Credentials | None:
        if user is None:
            return None
        password = steps.hide(await self.secrets(user.password))
        totp = steps.hide(await self.secrets(user.totp)) if user.totp else ""
        return Credentials(user.username, password, totp)

    def _accept(self, session: BrowserSession, state: str, steps: Steps, parameters: Mapping[str, str]) -> None:
        """Judges the authorization response; raises ProbeFailure unless it is a sound one with a code."""
        promised = self.metadata.iss_parameter_supported
        answer = Callback(self.check.issuer, parameters, state, promised, session.egress.plain_hops)
        steps.judge(run_checks(CALLBACK, answer))
        if "error" in parameters:
            raise refusal_of_authorization(parameters)

    async def _identified(
        self, tokens: Tokens, keys: KeySet, nonce: str, user: User | None, steps: Steps
    ) -> JsonObject:
        """Validates the ID token; gives its claims, and remembers its `sub` as that of this user.

        Another `sub` fails one run and is then the known one: the synthetic account may have been made anew.
        """
        who = (self.check.issuer.name, self.client.client_id, user.username if user else "")
        validator = Validator(self.http, self.metadata, keys, self.check, self.client, self.memory, self.clock)
        expected = Expected(nonce, tokens.access_token, previous_sub=self.memory.subs.get(who, ""))
        try:
            jws = await validator.id_token(tokens.id_token, expected, steps)
        except ProbeFailure as failure:
            if failure.reason is Reason.CLAIM_INVALID:
                self.memory.subs[who] = text(parse_jws(tokens.id_token).claims, "sub")
            raise
        self.memory.subs[who] = text(jws.claims, "sub")
        return jws.claims
