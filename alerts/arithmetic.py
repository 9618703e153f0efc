"""How much evidence a handful of probe runs is: the Wilson score bound, and failures needed to cross a threshold."""

from __future__ import annotations

import math

Z = 1.645
"""Quantile of the standard normal distribution for a one-sided confidence of 95 %."""


def wilson_lower(bad: float, total: float, z: float = Z) -> float:
    """The lower bound of the share of bad events, 0 to 1, given `bad` of `total` (Wilson 1927, one-sided).

    Unlike the plain ratio it does not take one failure of one run for an outage. 0 when there are no events.
    """
    if total <= 0:
        return 0.0
    share, square = min(max(bad / total, 0.0), 1.0), z * z
    spread = z * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return max((share + square / (2 * total) - spread) / (1 + square / total), 0.0)


def k_needed(total: int, threshold: float, z: float = Z) -> int | None:
    """The least number of bad events of `total` whose Wilson bound exceeds the threshold; None when even all do not."""
    if total <= 0 or wilson_lower(total, total, z) <= threshold:
        return None
    low, high = 0, total  # the bound grows with the number of bad events
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if wilson_lower(middle, total, z) > threshold else (middle, high)
    return high
