"""Starting a sandbox as a child process: `start_sandbox()` gives a typed handle and stops it at the end."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from sandbox.control_client import Control

_STOP_TIMEOUT = 10.0


class SandboxError(RuntimeError):
    """The sandbox did not start; the message is what it said."""


@dataclass(frozen=True, slots=True)
class SandboxClient:
    """A registered client."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_method: str
    redirect_uri: str
    post_logout_redirect_uri: str
    scopes: tuple[str, ...]
    id_token_alg: str
    audience: str


@dataclass(frozen=True, slots=True)
class SandboxUser:
    """A user who can sign in."""

    username: str
    subject: str
    password: str = field(repr=False)
    totp_seed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: its addresses, its accounts, and how to steer it."""

    issuer: str
    control: Control
    clients: Mapping[str, SandboxClient]
    users: Mapping[str, SandboxUser]
    resources: Mapping[str, str]
    """URLs of the resource servers by cache policy (see `sandbox.resources`)."""
    ca_file: Path | None
    """The CA to trust, with TLS."""
    pid: int
    provider: str = ""
    """The provider behind the proxy; the issuer itself without a proxy."""

    @property
    def environ(self) -> Mapping[str, str]:
        """Secrets under the names that configurations refer to: SANDBOX_PORTAL_SECRET, SANDBOX_BOB_TOTP, ..."""
        values: dict[str, str] = {}
        for name, client in self.clients.items():
            values[f"SANDBOX_{_variable(name)}_SECRET"] = client.client_secret
        for name, user in self.users.items():
            values[f"SANDBOX_{_variable(name)}_PASSWORD"] = user.password
            values[f"SANDBOX_{_variable(name)}_TOTP"] = user.totp_seed
        return MappingProxyType({name: value for name, value in values.items() if value})

    @classmethod
    def from_description(cls, said: Mapping[str, Any], pid: int) -> Self:
        """From the JSON line that `python -m sandbox --json` prints."""
        clients = {
            name: SandboxClient(**{**row, "scopes": tuple(row["scopes"])}) for name, row in said["clients"].items()
        }
        users = {name: SandboxUser(**row) for name, row in said["users"].items()}
        return cls(
            issuer=said["issuer"],
            control=Control(said["control"], said["fault_control"] or ""),
            clients=MappingProxyType(clients),
            users=MappingProxyType(users),
            resources=MappingProxyType(said["resources"]),
            ca_file=Path(said["ca_file"]) if said["ca_file"] else None,
            pid=pid,
            provider=said["provider"],
        )


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


@contextlib.contextmanager
def start_sandbox(
    *, port: int = 0, tls: bool = False, proxy: bool = True, environ: Mapping[str, str] | None = None
) -> Iterator[Sandbox]:
    """Run `python -m sandbox` for the length of the block. Port 0 takes a free one.

    It ends with this process too, however that ends. Raises SandboxError when it does not start.
    """
    command = [sys.executable, "-m", "sandbox", "--json", "--port", str(port), "--proxy" if proxy else "--no-proxy"]
    command += ["--until-eof"]
    command += ["--tls"] if tls else []
    # Our own package, wherever the caller's working directory is.
    base = dict(os.environ if environ is None else environ)
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent.parent), base.get("PYTHONPATH")]))
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(  # noqa: S603 - our own module
            command,
            env={**base, "PYTHONPATH": path},
            stdin=subprocess.PIPE,  # its end is the child's end, even when we are killed
            stdout=subprocess.PIPE,
            stderr=complaints,  # a file: nobody reads a pipe while the sandbox runs
            text=True,
        ) as child,
    ):
        try:
            line = child.stdout.readline() if child.stdout else ""
            if not line:
                complaints.seek(0)
                raise SandboxError(f"the sandbox did not start: {complaints.read().strip()}")
            yield Sandbox.from_description(json.loads(line), child.pid)
        finally:
            _stop(child)


def _stop(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
