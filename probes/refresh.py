"""A long-lived session that is refreshed again and again, as an application keeps its user signed in (OIDC Core §12)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from probes.browser import BrowserPool
from probes.checks.token import Grant
from probes.client_credentials import client_of
from probes.code_flow import CodeFlow, session_options
from probes.http import Http
from probes.memory import Memory, Session
from probes.metadata import Metadata
from probes.model import Check, ProbeFailure, Reason, Stage
from probes.probe import Clock, Steps, utc_now
from probes.provider import discover, fetch_keys
from probes.redact import Redactor
from probes.secrets import Secrets
from probes.subjects import Client, Region
from probes.token_endpoint import TokenEndpoint, Tokens
from probes.token_validation import Expected, Validator

_SPARE = 2.0  # intervals: the next run comes late at times


@dataclass(frozen=True, slots=True)
class RefreshProbe:
    """Steps: discovery, refresh, then jwks and id_token when one comes with it; before the first, those of a login.

    A refusal ends the session: the next run signs in anew, so one revoked family is one failure. So does the end that
    the provider has announced, before it comes: a session has a longest life, and to reach it is no failure.
    """

    http: Http
    browsers: BrowserPool
    secrets: Secrets
    memory: Memory
    region: Region
    redact: Redactor
    clock: Clock = utc_now

    async def __call__(self, check: Check, steps: Steps) -> None:
        """See `probes.probe.Probe`."""
        client = client_of(check)
        metadata = await discover(self.http, check, steps)
        place = (check.issuer.name, client.name, self.region.name)
        session = self.memory.sessions.get(place) or await self._sign_in(check, client, metadata, steps)
        steps.hide(session.refresh_token)
        endpoint = TokenEndpoint(self.http, self.secrets, metadata, check, client)
        try:
            tokens = await endpoint.request(
                Grant.REFRESH_TOKEN, {"refresh_token": session.refresh_token}, steps, Stage.REFRESH
            )
        except ProbeFailure as failure:
            if failure.reason is Reason.REFRESH_REJECTED:
                self.memory.sessions.pop(place, None)
            raise
        left = tokens.refresh_expires_in
        if left is not None and left <= _SPARE * check.interval:
            self.memory.sessions.pop(place, None)
        else:
            # A provider that rotates has made the old token worthless with this answer (RFC 9700 §4.14.2).
            self.memory.sessions[place] = replace(session, refresh_token=tokens.refresh_token or session.refresh_token)
        if tokens.id_token:
            await self._validate(check, client, metadata, session, tokens, steps)

    async def _sign_in(self, check: Check, client: Client, metadata: Metadata, steps: Steps) -> Session:
        flow = CodeFlow(self.http, self.secrets, self.memory, self.clock, check, client, metadata)
        async with self.browsers.session(session_options(check, self.region, self.redact)) as browser:
            signed_in = await flow.sign_in(browser, client.user_for(self.region.name), steps)
        if not signed_in.tokens.refresh_token:
            hint = "" if "offline_access" in client.scopes else "; the client does not ask for offline_access"
            message = f"the provider gave no refresh token{hint}"
            raise ProbeFailure(Reason.REQUEST_REJECTED, message, stage=Stage.TOKEN)
        return Session(signed_in.tokens.refresh_token, signed_in.sub, signed_in.nonce, signed_in.auth_time)

    async def _validate(
        self, check: Check, client: Client, metadata: Metadata, session: Session, tokens: Tokens, steps: Steps
    ) -> None:
        """OIDC Core §12.2: an ID token of a refresh is for the same user, by the same issuer, of the same login."""
        keys = await fetch_keys(self.http, metadata, steps)
        validator = Validator(self.http, metadata, keys, check, client, self.memory, self.clock)
        expected = Expected(
            session.nonce,
            tokens.access_token,
            previous_sub=session.sub,
            previous_auth_time=session.auth_time,
            refreshed=True,
        )
        await validator.id_token(tokens.id_token, expected, steps)
