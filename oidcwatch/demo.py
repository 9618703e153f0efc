"""The demonstration: a sandbox provider, an agent with three regions, and the configuration that joins them."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from probes.model import ProbeResult, Reason
from sandbox.egress import start_http_proxy, start_socks_proxy
from sandbox.launch import Sandbox, start_sandbox

REGIONS = ("eu-west", "us-east", "ap-south")
_USERS = {"eu-west": "synthetic-eu", "us-east": "synthetic-us", "ap-south": "synthetic-ap"}


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the demonstration lives. `environ` holds the secrets that the configuration refers to."""

    config: Path
    sandbox: Sandbox
    environ: Mapping[str, str] = field(repr=False)


@contextmanager
def demo_parts(port: int) -> Iterator[Demo]:
    """Sandbox, one HTTP and one SOCKS proxy, and a configuration file, for the length of the block.

    Raises sandbox.launch.SandboxError, and ImportError when the `sandbox` extra is not installed.
    """
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="oidcwatch-demo-")))
        sandbox = parts.enter_context(start_sandbox())
        proxies = {
            "us-east": parts.enter_context(start_http_proxy()),
            "ap-south": parts.enter_context(start_socks_proxy()),
        }
        config = folder / "oidcwatch.yaml"
        config.write_text(yaml.safe_dump(_configuration(sandbox, proxies, port, folder), sort_keys=False))
        yield Demo(config, sandbox, sandbox.environ)


def _configuration(sandbox: Sandbox, proxies: Mapping[str, str], port: int, folder: Path) -> dict[str, Any]:
    return {
        "region": {"name": "eu-west", "geohash": "gcpv", "country": "IE"},
        "egress": [
            {"region": "us-east", "proxy": proxies["us-east"], "geohash": "dqcj", "country": "US"},
            {"region": "ap-south", "proxy": proxies["ap-south"], "geohash": "te7u", "country": "IN"},
        ],
        "agent": {"listen": f"127.0.0.1:{port}", "data_dir": str(folder / "data"), "start_spread": "5s"},
        "issuers": [
            {
                "name": "sandbox",
                "url": sandbox.issuer,
                "owner": "identity-platform",
                "verifiers": ["envoy-jwt-authn", "spring-nimbus", "pyjwt"],
                "policy": {"allow_http": True},  # loopback only
                "clients": [_portal(sandbox), _machine(sandbox)],
                "probes": [
                    {"type": "discovery", "every": "5s", "timeout": "5s"},
                    {"type": "jwks", "every": "5s", "timeout": "5s"},
                ],
            }
        ],
    }


def _portal(sandbox: Sandbox) -> dict[str, Any]:
    client = sandbox.clients["portal"]
    return {
        "name": "portal",
        "client_id": client.client_id,
        "auth": {"method": client.auth_method, "secret": {"env": "SANDBOX_PORTAL_SECRET"}},
        "scopes": ["openid", "profile", "email", "offline_access"],
        "redirect_uri": client.redirect_uri,
        "post_logout_redirect_uri": client.post_logout_redirect_uri,
        # One synthetic user for each region: a user seen on three continents trips risk engines.
        "users_by_region": {region: _user(sandbox, name) for region, name in _USERS.items()},
        "login": {"preset": "generic"},
        "probes": [
            {"type": "login", "every": "15s", "timeout": "15s"},
            {"type": "refresh", "every": "20s", "timeout": "15s"},
        ],
    }


def _user(sandbox: Sandbox, name: str) -> dict[str, Any]:
    variable = name.upper().replace("-", "_")
    user: dict[str, Any] = {"username": name, "password": {"env": f"SANDBOX_{variable}_PASSWORD"}}
    if sandbox.users[name].totp_seed:
        user["totp"] = {"env": f"SANDBOX_{variable}_TOTP"}
    return user


def _machine(sandbox: Sandbox) -> dict[str, Any]:
    client = sandbox.clients["machine"]
    return {
        "name": "machine",
        "client_id": client.client_id,
        "auth": {"method": client.auth_method, "secret": {"env": "SANDBOX_MACHINE_SECRET"}},
        "scopes": list(client.scopes),
        "audience": client.audience,
        "probes": [{"type": "client_credentials", "every": "10s", "timeout": "10s"}],
    }


@dataclass(slots=True)
class Tally:
    """Counts results by check and region, for the demonstration's summary."""

    results: dict[tuple[str, str], list[ProbeResult]] = field(default_factory=dict)

    def publish(self, result: ProbeResult) -> None:
        """Counts one result."""
        self.results.setdefault((result.check.name, result.region), []).append(result)

    def summary(self) -> list[dict[str, Any]]:
        """One row for each check and region. p50 and p95 in seconds, over all runs; null without any."""
        return [_row(check, region, results) for (check, region), results in sorted(self.results.items())]


def _row(check: str, region: str, results: list[ProbeResult]) -> dict[str, Any]:
    last: Reason | None = next((result.failure.reason for result in reversed(results) if result.failure), None)
    seconds = sorted(result.seconds for result in results)
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else seconds * 99
    return {
        "check": check,
        "region": region,
        "runs": len(results),
        "successes": sum(result.ok for result in results),
        "last_reason": last,
        "p50": round(cuts[49], 4),
        "p95": round(cuts[94], 4),
    }
