"""Asks the token endpoint as a client would, and judges its answer (RFC 6749 §3.2, §5)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from probes.checks import token
from probes.checks.base import run_checks
from probes.checks.token import Grant, TokenAnswer
from probes.documents import JsonObject, json_object, number, problem_of_answer, text
from probes.http import Http, Response
from probes.metadata import Metadata, require_endpoint
from probes.model import Check, ProbeFailure, Quantity, Stage
from probes.oauth_errors import outcome_of, refusal_of_token_endpoint
from probes.probe import Steps
from probes.provider import record
from probes.secrets import Secrets
from probes.subjects import AuthMethod, Client


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gave; an absent token is an empty string. Never shown."""

    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    refresh_expires_in: float | None = None
    """Seconds that the refresh token still lives, where the provider says so."""


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where and as whom tokens are asked for."""

    http: Http
    secrets: Secrets
    metadata: Metadata
    check: Check
    client: Client

    async def request(
        self, grant: Grant, parameters: Mapping[str, str], steps: Steps, stage: Stage = Stage.TOKEN
    ) -> Tokens:
        """One step: asks for tokens and runs the TOK checks. The outcome is measured whatever happens.

        Raises ProbeFailure (see `probes.oauth_errors`) and what `Http` raises.
        """
        with steps(stage) as note:
            url = require_endpoint(self.metadata.token_endpoint, "token_endpoint")
            headers, form = await _authenticated(self.client, self.secrets, steps)
            try:
                response = await self.http(
                    "POST", url, headers=headers, form={"grant_type": grant, **parameters, **form}
                )
            except BaseException:  # a deadline counts too
                steps.measure(Quantity.TOKEN_RESPONSE, 1, grant=grant, outcome="network")
                raise
            record(steps, note, response, "token")
            return self._judged(grant, response, steps)

    def _judged(self, grant: Grant, response: Response, steps: Steps) -> Tokens:
        document, unreadable = _document(response)
        answer = TokenAnswer(self.check.issuer, self.client, grant, response, document)
        tokens = Tokens(
            access_token=text(document, "access_token"),
            id_token=text(document, "id_token"),
            refresh_token=text(document, "refresh_token"),
            refresh_expires_in=next((left for name in _REFRESH_LIFETIMES if (left := number(document, name))), None),
        )
        for value in (tokens.access_token, tokens.id_token, tokens.refresh_token):
            steps.hide(value)
        steps.measure(Quantity.TOKEN_RESPONSE, 1, grant=grant, outcome=outcome_of(answer))
        if response.status != 200:
            steps.findings.extend(run_checks(token.ERRORS, answer))
            raise refusal_of_token_endpoint(answer)
        problem = problem_of_answer(response, frozenset({"application/json"}))
        if problem:
            raise ProbeFailure(*problem)
        if unreadable:
            raise unreadable
        steps.judge(run_checks(token.SUCCESS, answer))
        lifetime = number(document, "expires_in")
        if lifetime is not None:
            steps.measure(Quantity.TOKEN_LIFETIME, lifetime, token="access_token")
        return tokens


_REFRESH_LIFETIMES = ("refresh_expires_in", "refresh_token_expires_in")
"""No specification has this member: the first name is Keycloak's, where 0 means no end, the second Google's and B2C's."""


def _document(response: Response) -> tuple[JsonObject, ProbeFailure | None]:
    """The body as an object; empty with the reason when it is none, which matters only if the status says success."""
    try:
        return json_object(response.body), None
    except ProbeFailure as failure:
        return {}, failure


async def _authenticated(client: Client, secrets: Secrets, steps: Steps) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and form members that authenticate the client (RFC 6749 §2.3.1)."""
    if client.auth_method is AuthMethod.NONE or client.secret is None:
        return {}, {"client_id": client.client_id}
    secret = steps.hide(await secrets(client.secret))
    if client.auth_method is AuthMethod.POST:
        return {}, {"client_id": client.client_id, "client_secret": secret}
    # Both parts are form-encoded before they are joined: the step of the specification that most clients forget.
    pair = f"{quote_plus(client.client_id)}:{quote_plus(secret)}".encode()
    return {"Authorization": "Basic " + steps.hide(base64.b64encode(pair).decode())}, {}
