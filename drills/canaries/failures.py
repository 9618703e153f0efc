"""What goes wrong with a canary itself, as opposed to a token that it refuses."""

from __future__ import annotations


class CanaryFailed(RuntimeError):
    """A canary is missing, did not start or has ended; the message gives the command that mends it where there is one."""
