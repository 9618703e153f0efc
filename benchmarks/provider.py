"""The provider that both sides are measured against, and the configuration with which oidcwatch looks at it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.figures import BenchmarkError
from sandbox.peers import Peer, PeerFailed, start_node_oidc_provider

JWKS_CHECK = "node//jwks"
LOGIN_CHECK = "node/portal/login"

CLIENT_ID = "portal"
REDIRECT_URI = "https://portal.example.test/callback"
POST_LOGOUT_REDIRECT_URI = "https://portal.example.test/"
SCOPES = ("openid", "profile")
USERNAME = "alice"
SECRET = "NODE_OIDC_PROVIDER_PORTAL_SECRET"  # names of variables, in Peer.environ
PASSWORD = "NODE_OIDC_PROVIDER_ALICE_PASSWORD"


@dataclass(frozen=True, slots=True)
class Bench:
    """A running node-oidc-provider, and a folder that lasts as long as it does."""

    peer: Peer
    ca_file: Path
    folder: Path

    def config(self, browser: str | None = None) -> Path:
        """A configuration file with the checks named above; `browser` is Chromium's path, None: found by oidcwatch."""
        issuer = {
            "name": "node",
            "url": self.peer.issuer,
            "tls": {"ca_file": str(self.ca_file)},
            "probes": [{"type": "jwks", "every": "30s", "timeout": "10s"}],
            "clients": [_client()],
        }
        document: dict[str, Any] = {"issuers": [issuer], "agent": {"browser": {"executable": browser}}}
        path = self.folder / f"{Path(browser).name if browser else 'any'}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path


@contextmanager
def started_provider() -> Iterator[Bench]:
    """A provider for the length of the block. Raises BenchmarkError when it does not start."""
    with tempfile.TemporaryDirectory(prefix="oidcwatch-bench-") as name:
        folder = Path(name)
        try:
            with start_node_oidc_provider(folder, port=0) as peer:
                assert peer.ca_file is not None
                yield Bench(peer, peer.ca_file, folder)
        except PeerFailed as error:
            raise BenchmarkError(str(error)) from error


def find_browser(name: str) -> str | None:
    """Path of a Chromium of Debian's, if it is installed."""
    return shutil.which(name)


def _client() -> dict[str, Any]:
    return {
        "name": "portal",
        "client_id": CLIENT_ID,
        "auth": {"method": "client_secret_basic", "secret": {"env": SECRET}},
        "scopes": list(SCOPES),
        "redirect_uri": REDIRECT_URI,
        "post_logout_redirect_uri": POST_LOGOUT_REDIRECT_URI,
        "user": {"username": USERNAME, "password": {"env": PASSWORD}},
        "login": {"preset": "generic", "consent": "accept"},
        "probes": [{"type": "login", "every": "60s", "timeout": "30s"}],
    }
