"""One answer of jwks_uri as the checks see it: what came, how, and what was known before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from probes.certificate import Identity
from probes.http import Response
from probes.keys import Key, KeySet
from probes.ledger import Ledger
from probes.subjects import Issuer


@dataclass(frozen=True, slots=True)
class JwksAnswer:
    """One answer of jwks_uri, and what was known before."""

    issuer: Issuer
    response: Response
    keys: KeySet
    seconds: float
    now: datetime
    advertised: tuple[str, ...] = ()
    """id_token_signing_alg_values_supported of the discovery document."""
    previous: KeySet | None = None
    previous_etag: str = ""
    known: Ledger = field(default_factory=Ledger)
    """Every key that was seen before."""
    region: str = ""
    """From which the set was fetched: the ledger tells what it held there before."""
    samples: tuple[frozenset[str], ...] = ()
    """Thumbprints of each sample taken in this run, the first one included."""
    elsewhere: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Thumbprints that other issuers of the configuration publish, with the issuer's name."""
    moduli_elsewhere: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    """RSA moduli that other issuers of the configuration publish, with the issuer's name."""
    neighbours: frozenset[str] = frozenset()
    """Issuers whose key set the same host serves."""
    certificates: tuple[Identity, ...] = ()
    """TLS certificates that the host has shown before; none when it was never looked at."""


def name_of(key: Key) -> str:
    """For a message; the provider chose the kid."""
    return f"key {key.kid[:60]!r}" if key.kid else f"a key of type {key.kty[:20]!r}"
