"""The cheapest probe that proves the provider can issue tokens: client credentials (RFC 6749 §4.4)."""

from __future__ import annotations

from dataclasses import dataclass

from probes.checks.token import Grant
from probes.documents import text
from probes.http import Http
from probes.jose import looks_like_jws, parse_jws
from probes.memory import Memory
from probes.model import Check, Finding, ProbeFailure, Reason, Severity
from probes.probe import Clock, Steps, utc_now
from probes.provider import discover, fetch_keys
from probes.secrets import Secrets
from probes.subjects import Client
from probes.token_endpoint import TokenEndpoint
from probes.token_validation import Validator


@dataclass(frozen=True, slots=True)
class ClientCredentialsProbe:
    """Steps: discovery, token; then jwks and access_token when the access token is a JWS that may be judged."""

    http: Http
    secrets: Secrets
    memory: Memory
    clock: Clock = utc_now

    async def __call__(self, check: Check, steps: Steps) -> None:
        """See `probes.probe.Probe`."""
        client = client_of(check)
        metadata = await discover(self.http, check, steps)
        endpoint = TokenEndpoint(self.http, self.secrets, metadata, check, client)
        tokens = await endpoint.request(Grant.CLIENT_CREDENTIALS, grant_parameters(client), steps)
        if not looks_like_jws(tokens.access_token):
            return
        if _is_ours_to_judge(tokens.access_token, check.issuer.url, client):
            keys = await fetch_keys(self.http, metadata, steps)
            validator = Validator(self.http, metadata, keys, check, client, self.memory, self.clock)
            await validator.access_token(tokens.access_token, steps)
        else:
            steps.judge([_NOT_JUDGED])


_NOT_JUDGED = Finding(
    "ACC-01",
    Severity.WARNING,
    "iss is not the issuer and typ not at+jwt: the token is for a resource that we are not, unless audience names it",
    "RFC 9068 §4",
    Reason.ISSUER_MISMATCH,
)


def _is_ours_to_judge(token: str, issuer: str, client: Client) -> bool:
    """Whether the token promises something to us: by its typ, its issuer, or the audience that is configured.

    Any other is between the provider and a resource that we are not (RFC 6749 §1.4): Entra ID's for Microsoft Graph, or
    for a resource that takes version 1, have an issuer of their own and may have a signature that only Graph can check.
    """
    try:
        jws = parse_jws(token)
    except ProbeFailure:
        return True  # for the validation to say why
    typed = text(jws.header, "typ").lower().removeprefix("application/") == "at+jwt"
    return bool(client.audience) or typed or text(jws.claims, "iss") in ("", issuer)


def client_of(check: Check) -> Client:
    """The check's client; raises ProbeFailure(probe_error) when it has none, which the configuration prevents."""
    if check.client is None:
        raise ProbeFailure(Reason.PROBE_ERROR, f"{check.name} has no client")
    return check.client


def grant_parameters(client: Client) -> dict[str, str]:
    """What a request for client credentials says beyond the grant (RFC 6749 §4.4.2, RFC 8707)."""
    scopes = [scope for scope in client.scopes if scope not in ("openid", "offline_access")]  # there is no user
    parameters = {"scope": " ".join(scopes)} if scopes else {}
    if client.send_resource and client.audience:
        parameters["resource"] = client.audience
    return parameters
