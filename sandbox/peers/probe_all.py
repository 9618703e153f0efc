"""`make real`: starts each real provider and runs its example configuration against it, one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from sandbox.peers.keycloak import KEYCLOAK_PORT, start_keycloak
from sandbox.peers.node_oidc_provider import NODE_OIDC_PROVIDER_PORT, start_node_oidc_provider
from sandbox.peers.peer import Peer, PeerFailed

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

_STARTS: Mapping[str, Callable[[Path], AbstractContextManager[Peer]]] = MappingProxyType(
    {
        "node-oidc-provider": lambda folder: start_node_oidc_provider(folder, NODE_OIDC_PROVIDER_PORT),
        "keycloak": lambda folder: start_keycloak(folder, KEYCLOAK_PORT),
    }
)


def main(arguments: list[str]) -> int:
    """Runs `oidcwatch probe` with these arguments for each provider; the exit code is the worst of theirs."""
    worst = 0
    for name, start in _STARTS.items():
        print(f"== {name}", file=sys.stderr, flush=True)
        try:
            with tempfile.TemporaryDirectory(prefix="oidcwatch-real-") as folder, start(Path(folder)) as peer:
                command = [sys.executable, "-m", "oidcwatch", "probe", "-c", str(EXAMPLES / f"{name}.yaml")]
                done = subprocess.run(  # noqa: S603 - our own program
                    [*command, *arguments], env={**os.environ, **peer.environ}, check=False
                )
                worst = max(worst, done.returncode)
        except PeerFailed as error:
            print(error, file=sys.stderr)
            worst = max(worst, 2)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
