"""The part of Keycloak's admin REST API that drills need: JSON in, JSON out, with a token of a service account."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from drills.driver import DriverFailed
from drills.target import KeycloakAdmin
from probes.model import ProbeFailure
from probes.secrets import Secrets

_SECONDS = 15.0
_MOST_BYTES = 4 * 1024 * 1024
_EARLY = 10.0  # seconds before its end that a token is replaced
_LONGEST_DETAIL = 200


@dataclass(slots=True)
class AdminApi:
    """One realm. Every method raises DriverFailed, whose message holds neither token nor secret."""

    admin: KeycloakAdmin
    secrets: Secrets = field(repr=False)
    ca_file: Path | None = None
    _token: str = field(default="", init=False, repr=False)
    _expires: float = field(default=0.0, init=False)

    def get(self, path: str, **query: str) -> Any:
        """What is at this path below /admin/realms/REALM."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        """Create something."""
        self._call("POST", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Change something."""
        self._call("PUT", path, body)

    def delete(self, path: str) -> None:
        """Remove something; what is gone already is no failure."""
        self._call("DELETE", path, accepted=(httpx.codes.NOT_FOUND,))

    def require_change(self, absent: str) -> None:
        """Raises DriverFailed unless we may change what is at that path: nothing is, and only those hear so who may."""
        self._call("PUT", absent, {"config": {}}, accepted=(httpx.codes.NOT_FOUND,))

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        accepted: tuple[int, ...] = (),
    ) -> Any:
        url = f"{self.admin.url}/admin/realms/{quote(self.admin.realm, safe='')}{path}"
        status, document = self._authorized(method, url, params=query, json=body)
        if status == httpx.codes.UNAUTHORIZED:
            self._expires = 0.0  # our own token was signed with a key that has left the realm
            status, document = self._authorized(method, url, params=query, json=body)
        if status >= httpx.codes.BAD_REQUEST and status not in accepted:
            raise DriverFailed(f"Keycloak refused {method} {url}: HTTP {status}{_detail(document)}{_hint(status)}")
        return document

    def _authorized(self, method: str, url: str, **request: Any) -> tuple[int, Any]:
        return self._send(method, url, headers={"Authorization": f"Bearer {self._fresh_token()}"}, **request)

    def _fresh_token(self) -> str:
        if time.monotonic() >= self._expires:
            url = f"{self.admin.url}/realms/{quote(self.admin.realm, safe='')}/protocol/openid-connect/token"
            auth = httpx.BasicAuth(quote(self.admin.client_id, safe=""), quote(self._secret(), safe=""))
            status, document = self._send("POST", url, auth=auth, data={"grant_type": "client_credentials"})
            if status != httpx.codes.OK or not isinstance(document, dict) or "access_token" not in document:
                where = f"{self.admin.client_id} in the realm {self.admin.realm} of {self.admin.url}"
                raise DriverFailed(
                    f"Keycloak gave no token to {where}: HTTP {status}{_detail(document)}; {_wrong(status)}"
                )
            self._token = str(document["access_token"])
            self._expires = time.monotonic() + float(document.get("expires_in", 0)) - _EARLY
        return self._token

    def _secret(self) -> str:
        try:
            return asyncio.run(_read(self.secrets, self.admin))
        except ProbeFailure as error:  # names the reference
            raise DriverFailed(str(error)) from error

    def _send(self, method: str, url: str, **request: Any) -> tuple[int, Any]:
        """Status and JSON (None for no body), read no further than a few MiB."""
        try:
            verify = ssl.create_default_context(cafile=self.ca_file)
            with (
                httpx.Client(verify=verify, trust_env=False, timeout=_SECONDS) as client,
                client.stream(method, url, **request) as response,
            ):
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise DriverFailed(f"{method} {url}: the answer is larger than {_MOST_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise DriverFailed(f"{method} {url}: {type(error).__name__}: {error}; check drill.provider.url") from error
        try:
            return response.status_code, json.loads(body) if body else None
        except ValueError:
            return response.status_code, None


async def _read(secrets: Secrets, admin: KeycloakAdmin) -> str:
    return await secrets(admin.secret)


def _wrong(status: int) -> str:
    """What to look at when there is no token."""
    if status == httpx.codes.NOT_FOUND:
        return "check drill.provider.realm and url"
    return "check drill.provider.client_id, secret and realm, and that the client has a service account"


def _detail(document: Any) -> str:
    """Keycloak's own words, as far as they are words."""
    said = document if isinstance(document, dict) else {}
    for name in ("errorMessage", "error_description", "error"):
        if isinstance(said.get(name), str):
            return f": {said[name][:_LONGEST_DETAIL]}"
    return ""


def _hint(status: int) -> str:
    if status == httpx.codes.FORBIDDEN:
        return "; its service account needs the role manage-realm of realm-management"
    return ""
