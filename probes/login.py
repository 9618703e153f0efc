"""A whole login through a real browser: from the authorization request to the logout."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass
from urllib.parse import urlencode

from probes.authorize import end_session
from probes.browser import BrowserPool
from probes.browser_session import BrowserSession
from probes.checks import userinfo
from probes.checks.base import run_checks
from probes.checks.userinfo import UserInfo
from probes.client_credentials import client_of
from probes.code_flow import CodeFlow, SignedIn, session_options
from probes.http import Http
from probes.memory import Memory
from probes.metadata import Metadata
from probes.model import Check, Stage
from probes.probe import Clock, Steps, utc_now
from probes.provider import discover, record
from probes.redact import Redactor
from probes.secrets import Secrets
from probes.subjects import Client, Region


@dataclass(frozen=True, slots=True)
class LoginProbe:
    """Steps: discovery, authorize, login_form, otp, consent, callback, token, jwks, id_token, userinfo, logout."""

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
        flow = CodeFlow(self.http, self.secrets, self.memory, self.clock, check, client, metadata)
        async with self.browsers.session(session_options(check, self.region, self.redact)) as session:
            signed_in = await flow.sign_in(session, client.user_for(self.region.name), steps)
            if metadata.userinfo_endpoint:
                await self._userinfo(metadata, signed_in, steps)
            if metadata.end_session_endpoint and client.post_logout_redirect_uri:
                await _log_out(session, metadata, client, signed_in, steps)

    async def _userinfo(self, metadata: Metadata, signed_in: SignedIn, steps: Steps) -> None:
        with steps(Stage.USERINFO) as note:
            headers = {"Authorization": f"Bearer {signed_in.tokens.access_token}"}
            response = record(
                steps, note, await self.http("GET", metadata.userinfo_endpoint, headers=headers), "userinfo"
            )
            steps.judge(run_checks(userinfo.ANSWER, UserInfo(response, {}, signed_in.sub)))
            document = userinfo.claims_of(response, signed_in.keys)
            steps.judge(run_checks(userinfo.CLAIMS, UserInfo(response, document, signed_in.sub)))


async def _log_out(
    session: BrowserSession, metadata: Metadata, client: Client, signed_in: SignedIn, steps: Steps
) -> None:
    """RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0 §2): the state must come back."""
    state = randomness.token_urlsafe(16)
    query = urlencode(
        {
            "id_token_hint": signed_in.tokens.id_token,
            "client_id": client.client_id,
            "post_logout_redirect_uri": client.post_logout_redirect_uri,
            "state": state,
        }
    )
    endpoint = metadata.end_session_endpoint
    url = f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"
    await end_session(session, url, client.post_logout_redirect_uri, steps, state)
