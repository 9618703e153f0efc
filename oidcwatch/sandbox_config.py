"""The configuration documents of demonstration and live stack: the sandbox provider with its clients and users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sandbox.launch import Sandbox

ISSUER = "sandbox"
PLACES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "eu-west": MappingProxyType({"geohash": "gcpv", "country": "IE"}),
        "us-east": MappingProxyType({"geohash": "dqcj", "country": "US"}),
        "ap-south": MappingProxyType({"geohash": "te7u", "country": "IN"}),
    }
)
REGIONS = tuple(PLACES)
_USERS = {"eu-west": "synthetic-eu", "us-east": "synthetic-us", "ap-south": "synthetic-ap"}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often each kind of probe runs, as the configuration writes it; without one the kind does not run."""

    discovery: str = ""
    jwks: str = ""
    client_credentials: str = ""
    login: str = ""
    refresh: str = ""

    def probes(self, kinds: Sequence[str], regions: Sequence[str]) -> list[dict[str, Any]]:
        """The entries of these kinds. A run is given up when the next one is due."""
        only = {"regions": list(regions)} if regions else {}
        return [
            {"type": kind, "every": every, "timeout": every, **only} for kind in kinds if (every := getattr(self, kind))
        ]


def issuer_document(sandbox: Sandbox, pace: Pace, regions: Sequence[str] = ()) -> dict[str, Any]:
    """The sandbox as one entry of `issuers`; with `regions`, probed from these alone."""
    clients = [_portal(sandbox, pace, regions), _machine(sandbox, pace, regions)]
    return {
        "name": ISSUER,
        "url": sandbox.issuer,
        "owner": "identity-platform",
        "verifiers": ["envoy-jwt-authn", "spring-nimbus", "pyjwt"],
        "policy": {"allow_http": True},  # loopback only
        "clients": [client for client in clients if client["probes"]],
        "probes": pace.probes(("discovery", "jwks"), regions),
    }


def _portal(sandbox: Sandbox, pace: Pace, regions: Sequence[str]) -> dict[str, Any]:
    client = sandbox.clients["portal"]
    return {
        "name": "portal",
        "client_id": client.client_id,
        "auth": {"method": client.auth_method, "secret": {"env": "SANDBOX_PORTAL_SECRET"}},
        "scopes": ["openid", "profile", "email", "offline_access"],
        "redirect_uri": client.redirect_uri,
        "post_logout_redirect_uri": client.post_logout_redirect_uri,
        # One synthetic user for each region: a user seen on three continents trips risk engines.
        "users_by_region": {region: _user(sandbox, _USERS[region]) for region in regions or REGIONS},
        "login": {"preset": "generic"},
        "probes": pace.probes(("login", "refresh"), regions),
    }


def _user(sandbox: Sandbox, name: str) -> dict[str, Any]:
    variable = name.upper().replace("-", "_")
    user: dict[str, Any] = {"username": name, "password": {"env": f"SANDBOX_{variable}_PASSWORD"}}
    if sandbox.users[name].totp_seed:
        user["totp"] = {"env": f"SANDBOX_{variable}_TOTP"}
    return user


def _machine(sandbox: Sandbox, pace: Pace, regions: Sequence[str]) -> dict[str, Any]:
    client = sandbox.clients["machine"]
    return {
        "name": "machine",
        "client_id": client.client_id,
        "auth": {"method": client.auth_method, "secret": {"env": "SANDBOX_MACHINE_SECRET"}},
        "scopes": list(client.scopes),
        "audience": client.audience,
        "probes": pace.probes(("client_credentials",), regions),
    }
