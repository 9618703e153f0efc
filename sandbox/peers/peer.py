"""What a running provider is to whoever started it: its addresses and the secrets of this start. No I/O."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_SECRET_BYTES = 24
_TOTP_BYTES = 20  # the length that RFC 4226 section 4 recommends


class PeerFailed(RuntimeError):
    """A provider could not be started; the message names its log."""


class MissingPart(PeerFailed):
    """Something is not installed; the message gives the command that installs it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running provider. `environ` has every variable that its example configuration refers to, and the passwords of
    users and operators beyond it.
    """

    name: str
    issuer: str
    address: str
    """Where the provider itself listens: differs from the issuer's origin when a proxy stands in front of it."""
    pid: int
    """Leader of the process group that holds all its processes."""
    log: Path
    environ: Mapping[str, str] = field(repr=False)
    ca_file: Path | None = None
    """What clients must trust; the chains of `sandbox.certificates` lie beside it, for a proxy in front."""
    control: str = ""
    """Address of the endpoint that rotates keys, where the provider has one."""


def random_secrets(names: Iterable[str]) -> dict[str, str]:
    """A new secret for each name; they need no quoting in a URL, a shell or JSON."""
    return {name: secrets.token_urlsafe(_SECRET_BYTES) for name in names}


def random_totp_seed() -> str:
    """A new TOTP seed in Base32 without padding, as authenticators read it."""
    return base64.b32encode(secrets.token_bytes(_TOTP_BYTES)).decode("ascii")
