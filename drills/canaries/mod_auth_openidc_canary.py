"""Verifies with mod_auth_openidc, as the resource server that it can be beside a relying party."""

from __future__ import annotations

import sys
from pathlib import Path

from drills.canaries.apache_server import Module, run
from drills.canaries.protocol import Target


def options(target: Target, ca_file: Path | None) -> str:
    """Directives, one a line. Raises ValueError when the key set is not behind TLS."""
    if not target.jwks_uri.startswith("https://"):
        raise ValueError(f"mod_auth_openidc takes a jwks_uri with https only, got {target.jwks_uri}")
    lines = [f"{name} {int(value)}" for name, value in target.settings.items()]
    return "\n".join([*lines, f"OIDCCABundlePath {ca_file}"] if ca_file else lines)


if __name__ == "__main__":
    sys.exit(run(Module("mod_auth_openidc", options)))
