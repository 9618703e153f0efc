"""Verifies with mod_oauth2, the successor of mod_auth_openidc as a resource server."""

from __future__ import annotations

import sys
from pathlib import Path

from drills.canaries.apache_server import Module, run
from drills.canaries.protocol import Target

# liboauth2 has no option for a CA: in production a private one is in the system's store, which is not ours to change.
# Nothing secret is in the request for a key set, and what comes instead of it can do no more than spoil a measurement.
_WITH_PRIVATE_CA = "jwks_uri.ssl_verify=false"


def options(target: Target, ca_file: Path | None) -> str:
    """Pairs of a query string, each with its ampersand, as OAuth2TokenVerify takes them."""
    pairs = [f"{name}={int(value)}" for name, value in target.settings.items()]
    return "".join(f"&{pair}" for pair in ([*pairs, _WITH_PRIVATE_CA] if ca_file else pairs))


if __name__ == "__main__":
    sys.exit(run(Module("mod_oauth2", options)))
