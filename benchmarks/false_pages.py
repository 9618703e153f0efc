"""False pages and time to detection, by simulation: our rules beside the shapes that Sloth and Pyrra generate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import accumulate
from statistics import fmean, median
from types import MappingProxyType
from typing import Any

from alerts.deployment import Deployment, Slo
from alerts.replay import firing, rules_of
from alerts.simulation import MONTH, Shape, Trouble, simulate
from alerts.timeline import Slicing, Timeline, slicing_of
from alerts.windows import Severity
from benchmarks.figures import Figure, Goal
from exporters.slis import BY_NAME
from probes.model import Check
from probes.subjects import Client, Issuer, Region

NOISE = 0.002
_OBJECTIVE = Decimal("99.9")
_BUDGET = 0.001
_REGIONS = ("ap", "eu", "us")
_INTERVAL = 60.0  # seconds
_MONTHS, _QUICK_MONTHS = 30, 5
_OUTAGES, _QUICK_OUTAGES = 21, 5
_WARM, _HORIZON = 3 * 24 * 60, 6 * 60  # minutes
_APART = 15  # minutes without an alert, after which the next one is another page; the same for all sides

TROUBLES: Mapping[str, Trouble] = MappingProxyType(
    {
        "total_outage": Trouble(_WARM, 1.0),
        "two_of_three_regions": Trouble(_WARM, 1.0, regions=2),
        "one_of_three_regions": Trouble(_WARM, 1.0, regions=1),
        "half_of_the_runs": Trouble(_WARM, 0.5),
        "a_fifth_of_the_runs": Trouble(_WARM, 0.2),
    }
)

Pages = Callable[[Timeline], list[int]]
"""The minutes at which somebody is being paged."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """One pair of windows in minutes: it fires when the share of bad runs is over `factor` budgets in both."""

    factor: float
    long: int
    short: int
    lasting: int = 0
    """Minutes for which it must hold before it fires (`for`)."""


# The defaults of both generators for an objective of 30 days and four weeks, pages only.
_SLOTH = (_Pair(14.4, 60, 5), _Pair(6, 360, 30))
_PYRRA = (_Pair(14, 60, 5, lasting=2), _Pair(7, 360, 30, lasting=15))


def measure(*, quick: bool) -> Figure:
    """False pages in 30 days at two failing runs in a thousand, nothing else being wrong: three regions, a run a minute."""
    shape, slicing, sides = _sides()
    months = range(_QUICK_MONTHS if quick else _MONTHS)
    histories = [simulate(shape, slicing, MONTH, noise=NOISE, seed=seed) for seed in months]
    false = {name: [len(_apart(pages(history))) for history in histories] for name, pages in sides.items()}
    outages = range(_QUICK_OUTAGES if quick else _OUTAGES)
    detected = {
        what: {name: _delay(shape, slicing, pages, trouble, outages) for name, pages in sides.items()}
        for what, trouble in TROUBLES.items()
    }
    beside = {f"{name}_false_pages": fmean(counts) for name, counts in false.items() if name != "ours"}
    sources: dict[str, Any] = {
        "measured": f"{len(months)} simulated months of 3 regions x 1 run a minute, 99.9 %, {NOISE:.1%} noise; "
        + ", ".join(f"{name.replace('_', ' ')} {value:.1f}" for name, value in beside.items()),
        **beside,
        "most_in_a_month": {name: max(counts) for name, counts in false.items()},
        "minutes_to_page": detected,
    }
    return Figure("false_pages_per_30d", fmean(false["ours"]), Goal(0.0), sources)


def _sides() -> tuple[Shape, Slicing, Mapping[str, Pages]]:
    client = Client("portal", "portal")
    issuer = Issuer("acme", "https://login.acme.example", clients=(client,))
    slo = Slo("login-success", BY_NAME["login-success"], _OBJECTIVE, timedelta(days=30))
    check = Check(issuer, "login", client, interval=_INTERVAL)
    deployment = Deployment((issuer,), (check,), tuple(map(Region, _REGIONS)), slos=(slo,))
    pages = [rule for rule in rules_of(deployment, slo) if rule.tier.severity is Severity.PAGE]
    sides: dict[str, Pages] = {
        "ours": lambda history: sorted({minute for _, minutes in firing(pages, history) for minute in minutes}),
        "sloth": _pooled,
        "pyrra_by_region": _by_region,
    }
    return Shape(((_INTERVAL,),) * len(_REGIONS)), slicing_of(deployment, slo), sides


def _pooled(history: Timeline) -> list[int]:
    """Sloth's page: the ratio of all regions together."""
    bad, total = (
        [sum(each) for each in zip(*by_region.values(), strict=True)] for by_region in (history.bad, history.total)
    )
    return sorted({minute for pair in _SLOTH for minute in _holding(pair, bad, total)})


def _by_region(history: Timeline) -> list[int]:
    """Pyrra's page for a bool_gauge grouped by region: each region has alerts of its own."""
    return sorted(
        {
            minute
            for pair in _PYRRA
            for region, bad in history.bad.items()
            for minute in _holding(pair, bad, history.total[region])
        }
    )


def _holding(pair: _Pair, bad: Sequence[int], total: Sequence[int]) -> Iterable[int]:
    long, short = (_shares(bad, total, window) for window in (pair.long, pair.short))
    threshold, since = pair.factor * _BUDGET, 0
    for minute, shares in enumerate(zip(long, short, strict=True), start=1):
        since = since + 1 if min(shares) > threshold else 0
        if since > pair.lasting:
            yield minute


def _shares(bad: Sequence[int], total: Sequence[int], window: int) -> list[float]:
    of_bad, of_total = (_windowed(counts, window) for counts in (bad, total))
    return [some / every if every else 0.0 for some, every in zip(of_bad, of_total, strict=True)]


def _windowed(counts: Sequence[int], window: int) -> list[int]:
    running = list(accumulate(counts, initial=0))
    return [running[at] - running[max(0, at - window)] for at in range(1, len(running))]


def _apart(minutes: Sequence[int]) -> list[int]:
    """The first minute of each page."""
    return [
        minute for before, minute in zip([-_APART - 1, *minutes], minutes, strict=False) if minute - before > _APART
    ]


def _delay(shape: Shape, slicing: Slicing, pages: Pages, trouble: Trouble, seeds: Iterable[int]) -> float | None:
    """Minutes until somebody is paged, the median; None when nobody is within six hours."""
    history = partial(simulate, shape, slicing, _WARM + _HORIZON, noise=0.0, trouble=trouble)
    delays = [min(pages(history(seed=seed)), default=math.inf) - _WARM for seed in seeds]
    return delay if math.isfinite(delay := median(delays)) else None
