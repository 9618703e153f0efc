"""The cheapest probe that proves the provider can issue tokens: client credentials (RFC 6749 §4.4)."""

from __future__ import annotations

from dataclasses import dataclass

from probes.checks.token import Grant
from probes.http import Http
from probes.jose import looks_like_jws
from probes.memory import Memory
from probes.model import Check, ProbeFailure, Reason
from probes.probe import Clock, Steps, utc_now
from probes.provider import discover, fetch_keys
from probes.secrets import Secrets
from probes.subjects import Client
from probes.token_endpoint import TokenEndpoint
from probes.token_validation import Validator


@dataclass(frozen=True, slots=True)
class ClientCredentialsProbe:
    """Steps: discovery, token; then jwks and access_token when the access token is a JWS."""

    http: Http
    secrets: Secrets
    memory: Memory
    clock: Clock = utc_now

    async def __call__(self, check: Check, steps: Steps) -> None:
        """See `probes.probe.Probe`."""
        client = client_of(check)
        metadata = await discover(self.http, check, steps)
        endpoint = TokenEndpoint(self.http, self.secrets, metadata, check, client)
        tokens = await endpoint.request(Grant.CLIENT_CREDENTIALS, _parameters(client), steps)
        if looks_like_jws(tokens.access_token):
            keys = await fetch_keys(self.http, metadata, steps)
            validator = Validator(self.http, metadata, keys, check, client, self.memory, self.clock)
            await validator.access_token(tokens.access_token, steps)


def client_of(check: Check) -> Client:
    """The check's client; raises ProbeFailure(probe_error) when it has none, which the configuration prevents."""
    if check.client is None:
        raise ProbeFailure(Reason.PROBE_ERROR, f"{check.name} has no client")
    return check.client


def _parameters(client: Client) -> dict[str, str]:
    scopes = [scope for scope in client.scopes if scope not in ("openid", "offline_access")]  # there is no user
    parameters = {"scope": " ".join(scopes)} if scopes else {}
    if client.send_resource and client.audience:
        parameters["resource"] = client.audience
    return parameters
