"""One-time codes (RFC 6238) that are fresh: never about to expire, never used twice within one process."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

import pyotp

from probes.model import ProbeFailure, Reason
from probes.probe import Clock

_LEAST_LEFT = 3.0
"""Seconds that a code must still be valid for when it is typed."""
_ACCEPTED_LENGTH = 32
_SECRET_OF_URI = re.compile(r"(?<=[?&]secret=)[^&#]+")


@dataclass(frozen=True, slots=True)
class TimedCode:
    """A code and how many seconds to wait until its window begins."""

    code: str = field(repr=False)
    wait: float


class OneTimeCodes:
    """Hands out each window's code once for each seed. Shared by all sessions of a pool.

    A provider must not accept a code twice (RFC 6238 §5.2), so two runs with one user need two windows.
    """

    def __init__(self) -> None:
        self._used: dict[bytes, int] = {}

    def __repr__(self) -> str:
        return f"OneTimeCodes({len(self._used)} seeds)"

    def next(self, seed: str, clock: Clock) -> TimedCode:
        """Reserve the next unused code of a base32 seed or otpauth:// URI.

        Raises ProbeFailure(probe_error) when the seed is neither; the message does not quote it.
        """
        totp = _parse(seed)
        now = clock().timestamp()
        current, past = divmod(now, totp.interval)
        counter = int(current) + (totp.interval - past < _LEAST_LEFT)
        # Only a digest of the seed is kept: this object lives as long as the agent.
        known = hashlib.sha256(totp.secret.encode()).digest()
        counter = max(counter, self._used.get(known, -1) + 1)
        self._used[known] = counter
        return TimedCode(totp.generate_otp(counter), max(0.0, counter * totp.interval - now))


def _parse(seed: str) -> pyotp.TOTP:
    try:
        if not seed.startswith("otpauth://"):
            return pyotp.TOTP(_lengthened(seed))
        parsed = pyotp.parse_uri(_SECRET_OF_URI.sub(lambda found: _lengthened(unquote(found[0])), seed))
        if isinstance(parsed, pyotp.TOTP):
            return parsed
    except ValueError:
        pass  # its message may quote the seed
    raise ProbeFailure(Reason.PROBE_ERROR, "the TOTP seed is neither base32 nor an otpauth://totp URI")


def _lengthened(secret: str) -> str:
    """The same key with zeros behind it: pyotp refuses the 80 bits that many providers still issue.

    HMAC fills a short key with zeros itself (RFC 2104 §2), and "A" is five of them in base32: the codes are the same.
    """
    plain = "".join(secret.split()).rstrip("=").upper()
    return plain.ljust(_ACCEPTED_LENGTH, "A") if plain else ""
