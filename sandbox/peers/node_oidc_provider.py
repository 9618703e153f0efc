"""Starts node-oidc-provider over TLS with a private CA, three clients and a port on which its keys are rotated."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from sandbox.certificates import write_certificates
from sandbox.peers.parts import NODE_FILES, find_tool, node_oidc_provider_part
from sandbox.peers.peer import Peer, random_secrets
from sandbox.peers.process import LOOPBACK, child_environ, choose_port, running, wait_for_answer

NODE_OIDC_PROVIDER_PORT = 28443
"""The port in the issuer of examples/node-oidc-provider.yaml."""

_SECRETS = (
    "NODE_OIDC_PROVIDER_PORTAL_SECRET",
    "NODE_OIDC_PROVIDER_PORTAL_ES256_SECRET",
    "NODE_OIDC_PROVIDER_MACHINE_SECRET",
    "NODE_OIDC_PROVIDER_ALICE_PASSWORD",
    "NODE_OIDC_PROVIDER_CONTROL_TOKEN",
)


@contextmanager
def start_node_oidc_provider(
    workdir: Path,
    port: int = NODE_OIDC_PROVIDER_PORT,
    *,
    public_url: str = "",
    control_port: int = 0,
    environ: Mapping[str, str] = os.environ,
    seconds: float = 30.0,
) -> Iterator[Peer]:
    """Run node-oidc-provider until the block ends. `workdir` is an existing directory of the caller's.

    `port` and `control_port` 0 take free ones. `public_url` is the origin that clients use, such as a proxy's; it is
    the issuer. Keys are rotated by POST /rotate on `Peer.control` with `{"mode": "keep" | "abrupt" | "samekid"}` and
    the bearer token NODE_OIDC_PROVIDER_CONTROL_TOKEN; GET /keys names the active and the retired ones.
    Raises MissingPart when something is not installed and PeerFailed when there is no answer within `seconds`.
    """
    node = find_tool("node", environ)
    packages = node_oidc_provider_part(environ).require()
    port, control_port = choose_port(port), choose_port(control_port)
    address = f"https://{LOOPBACK}:{port}"
    issuer = public_url.rstrip("/") or address
    home = _prepare_home(packages, workdir / "node-oidc-provider")
    names = (urlsplit(public_url).hostname or LOOPBACK,) if public_url else ()
    certificates = write_certificates(home, datetime.now(UTC), names)
    secrets = random_secrets(_SECRETS)
    settings = {
        "ISSUER": issuer,
        "PORT": str(port),
        "CONTROL_PORT": str(control_port),
        "TLS_CHAIN": str(certificates.chains["good"]),
    }
    log = workdir / "node-oidc-provider.log"
    command = [node, str(home / "server.mjs")]
    with running(command, environ=child_environ(environ, settings | secrets), cwd=home, log=log) as process:
        wait_for_answer(f"{address}/jwks", process, log=log, seconds=seconds, ca_file=certificates.ca_file)
        variables = {"NODE_OIDC_PROVIDER_ISSUER": issuer, "NODE_OIDC_PROVIDER_CA": str(certificates.ca_file), **secrets}
        yield Peer(
            name="node-oidc-provider",
            issuer=issuer,
            address=address,
            pid=process.pid,
            log=log,
            environ=MappingProxyType(variables),
            ca_file=certificates.ca_file,
            control=f"http://{LOOPBACK}:{control_port}",
        )


def _prepare_home(packages: Path, home: Path) -> Path:
    """The program beside its packages: Node resolves the imports of a module from where the module lies."""
    home.mkdir()
    for program in NODE_FILES.glob("*.mjs"):
        shutil.copy(program, home)
    (home / "node_modules").symlink_to(packages / "node_modules")
    return home
