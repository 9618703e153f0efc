"""Providers to practise on: a drill's target, started for the length of a block, that nobody else uses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drills.target import SandboxControl, Target
from probes.subjects import Client, Issuer, SecretRef
from sandbox.launch import start_sandbox

TOKEN_LIFETIME = 3600
"""Seconds: a token of the old key stays valid for longer than any drill observes."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A running provider as a target, and what is needed to reach it."""

    target: Target
    environ: Mapping[str, str] = field(repr=False)
    """Has the secrets that the target refers to."""
    ca_file: Path
    """The authority that clients and verifiers must trust."""


@contextlib.contextmanager
def start_sandbox_lab(environ: Mapping[str, str], token_lifetime: int = TOKEN_LIFETIME) -> Iterator[Lab]:
    """The embedded provider over TLS, behind its fault proxy. It ends with this process, however that ends.

    `token_lifetime` is in seconds: short for drills that wait until old tokens have expired. Raises
    sandbox.launch.SandboxError.
    """
    with start_sandbox(tls=True, proxy=True, environ=environ) as sandbox:
        sandbox.control.settings(access_token_lifetime=token_lifetime)
        assert sandbox.ca_file is not None  # noqa: S101 - TLS was asked for
        row = sandbox.clients["machine"]
        secret = SecretRef("env", "SANDBOX_MACHINE_SECRET")
        client = Client("machine", row.client_id, secret=secret, scopes=row.scopes, audience=row.audience)
        issuer = Issuer("sandbox", sandbox.issuer, clients=(client,), ca_file=sandbox.ca_file)
        control = SandboxControl(sandbox.control.url, sandbox.control.fault_url)
        yield Lab(Target(issuer, client, control), {**environ, **sandbox.environ}, sandbox.ca_file)
