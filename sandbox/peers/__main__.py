"""`python -m sandbox.peers`: install the real providers, or keep one running until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any

from sandbox.peers.install import install
from sandbox.peers.keycloak import KEYCLOAK_PORT, start_keycloak
from sandbox.peers.node_oidc_provider import NODE_OIDC_PROVIDER_PORT, start_node_oidc_provider
from sandbox.peers.peer import Peer, PeerFailed

Start = Callable[..., AbstractContextManager[Peer]]

_PEERS: Mapping[str, tuple[Start, int]] = MappingProxyType(
    {
        "keycloak": (start_keycloak, KEYCLOAK_PORT),
        "node-oidc-provider": (start_node_oidc_provider, NODE_OIDC_PROVIDER_PORT),
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 after a clean stop, 1 with one line on standard error when something is missing or failed."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.peers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="download and prepare everything; repeating it changes nothing")
    start = commands.add_parser("start", help="start one provider and keep it running")
    start.add_argument("peer", choices=sorted(_PEERS))
    start.add_argument("--port", type=int, help="default: the port of its example configuration; 0 takes a free one")
    start.add_argument("--public-url", default="", help="the address that clients use, when a proxy stands in front")
    start.add_argument("--json", action="store_true", help="print one line of JSON instead of text")
    options = parser.parse_args(arguments)
    try:
        if options.command == "install":
            install(os.environ, lambda line: print(line, flush=True))
        else:
            _serve(options.peer, options.port, options.public_url, as_json=options.json)
    except PeerFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _serve(name: str, port: int | None, public_url: str, *, as_json: bool) -> None:
    start, default_port = _PEERS[name]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with tempfile.TemporaryDirectory(prefix="oidcwatch-peer-") as directory:
        workdir = Path(directory)
        with start(workdir, default_port if port is None else port, public_url=public_url) as peer:
            env_file = _write_environ(workdir / "env", peer.environ)
            about = _describe(peer, env_file)
            print(json.dumps(about) if as_json else _text(about), flush=True)
            while True:
                signal.pause()


def _leave(number: int, frame: FrameType | None) -> None:
    """Unwinds the stack, so that the provider is stopped also while it is still starting."""
    raise SystemExit(0)


def _write_environ(path: Path, environ: Mapping[str, str]) -> Path:
    """Assignments for `set -a; . FILE`, readable by the owner only."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in environ.items())
    return path


def _describe(peer: Peer, env_file: Path) -> dict[str, Any]:
    """What may be printed: addresses, files and the names of the variables, never their values."""
    return {
        "name": peer.name,
        "issuer": peer.issuer,
        "address": peer.address,
        "control": peer.control,
        "ca_file": str(peer.ca_file) if peer.ca_file else None,
        "pid": peer.pid,
        "log": str(peer.log),
        "env_file": str(env_file),
        "env": sorted(peer.environ),
    }


def _text(about: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in about.items() if value and name != "env"}
    return "\n".join(f"{name:9} {value}" for name, value in shown.items())


if __name__ == "__main__":
    sys.exit(main())
