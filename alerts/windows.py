"""The burn-rate windows as a table: how much of the budget, how fast, and whom it wakes (SRE Workbook chapter 5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum


class Severity(StrEnum):
    """What a person does at once: gets up, opens a ticket, knows."""

    PAGE = "page"
    TICKET = "ticket"
    INFO = "info"


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tier:
    """One pair of windows. It fires when `share` of the budget would be gone after `long` at the pace of both."""

    name: str
    share: Decimal
    long: timedelta
    short: timedelta
    severity: Severity

    def factor(self, window: timedelta) -> Decimal:
        """The burn rate: how many times faster than the objective allows. 2 % in 1 h of 30 d is 14.4."""
        return self.share * Decimal(window // timedelta(seconds=1)) / Decimal(self.long // timedelta(seconds=1))


FAST = Tier("fast", Decimal("0.02"), _HOUR, 5 * _MINUTE, Severity.PAGE)
TIERS: tuple[Tier, ...] = (
    # Half the budget in an hour: whoever was paged is not enough.
    Tier("escalation", Decimal("0.5"), _HOUR, 5 * _MINUTE, Severity.PAGE),
    FAST,
    Tier("medium", Decimal("0.05"), 6 * _HOUR, 30 * _MINUTE, Severity.PAGE),
    Tier("slow", Decimal("0.1"), _DAY, 2 * _HOUR, Severity.TICKET),
    Tier("long", Decimal("0.1"), 3 * _DAY, 6 * _HOUR, Severity.TICKET),
)

WINDOWS: tuple[timedelta, ...] = tuple(sorted({window for tier in TIERS for window in (tier.short, tier.long)}))

BUDGET_LEFT: tuple[tuple[Decimal, Severity], ...] = (
    (Decimal("0.5"), Severity.INFO),
    (Decimal("0.25"), Severity.INFO),
    (Decimal("0.1"), Severity.TICKET),
    (Decimal(0), Severity.TICKET),
)
"""Shares of the budget that are announced when no more than that is left."""
