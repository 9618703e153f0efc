"""A token that the verifiers of a drill are asked about."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

TOKEN_SPARE = 2.0
"""Seconds before `exp` from which a token proves nothing any more."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token that verifiers are asked about. POSIX times in seconds."""

    value: str = field(repr=False)
    kid: str
    minted: float
    expires: float

    @property
    def stale(self) -> bool:
        """Whether half of its life is over."""
        return time.time() > self.minted + (self.expires - self.minted) / 2

    @property
    def spent(self) -> bool:
        """Whether a refusal of it would only mean that it has expired."""
        return time.time() > self.expires - TOKEN_SPARE
