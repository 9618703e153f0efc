"""How far a server's clock is from ours, by the Date header of its answer."""

from __future__ import annotations

from probes.http import Response


def clock_offset(response: Response) -> float | None:
    """Seconds by which the server is ahead of us; None without a readable Date header.

    Date has whole seconds, cut off: half a second is the best guess for the rest (RFC 9110 §6.6.1), and a difference
    of less than that is none.
    """
    if response.date is None:
        return None
    middle = (response.started.timestamp() + response.finished.timestamp()) / 2
    offset = response.date.timestamp() + 0.5 - middle
    return 0.0 if abs(offset) <= 0.5 else offset
