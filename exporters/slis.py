"""The catalogue of service level indicators: what counts as good, bad and total, and the default objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from exporters import metrics as m
from exporters.metrics import Metric, ProbeKind
from probes.model import Outcome, Stage


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher of a selector, as in PromQL."""

    label: str
    op: Literal["=", "!=", "=~", "!~"]
    value: str

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.label}{self.op}"{escaped}"'


@dataclass(frozen=True, slots=True)
class Selector:
    """Series of one metric. `suffix` is `_bucket` or `_count` for histograms."""

    metric: Metric
    matchers: tuple[Matcher, ...] = ()
    suffix: Literal["", "_bucket", "_count"] = ""

    def __str__(self) -> str:
        return f"{self.metric.name}{self.suffix}{{{','.join(map(str, self.matchers))}}}"


@dataclass(frozen=True, slots=True)
class Events:
    """The share of events that are bad: both are counters."""

    bad: Selector
    total: Selector

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """All series that it reads."""
        return self.bad, self.total


@dataclass(frozen=True, slots=True)
class Latency:
    """The share of events that took at most `threshold` seconds; `good` is the bucket with that bound."""

    good: Selector
    total: Selector
    threshold: float

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """All series that it reads."""
        return self.good, self.total


@dataclass(frozen=True, slots=True)
class Slices:
    """The share of time slices in which the regions' quorum failed, beside the share of events.

    A region takes part in a slice while its last run is younger than `stale_after` intervals. With fewer than
    `min_regions` such regions the slice is unknown: no sample, neither good nor bad.
    """

    success: Selector
    last_run: Selector
    interval: Selector
    bad: Selector
    total: Selector
    length: timedelta = timedelta(minutes=1)
    quorum: Literal["any", "majority", "all"] = "majority"
    min_regions: int = 2
    stale_after: int = 3

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """All series that it reads."""
        return self.success, self.last_run, self.interval, self.bad, self.total


@dataclass(frozen=True, slots=True)
class Freshness:
    """The share of time in which a UNIX timestamp is at most `max_age` old."""

    timestamp: Selector
    max_age: timedelta

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """All series that it reads."""
        return (self.timestamp,)


Measure = Events | Latency | Slices | Freshness


@dataclass(frozen=True, slots=True)
class Sli:
    """One indicator. `name` joins rules, dashboards, runbooks and tests; `objective` is a percentage of `window`."""

    name: str
    title: str
    seed: str
    """The measure (M1 to M10) that was asked for."""
    good: str
    """What a good event is, in words."""
    measure: Measure
    objective: Decimal
    probes: frozenset[str]
    """Kinds of probe that feed it."""
    window: timedelta = timedelta(days=30)

    @property
    def budget(self) -> Decimal:
        """The share, 0 to 1, that may be bad. A Decimal: 100 - 99.9 in binary is 0.09999999999999432."""
        return (100 - self.objective) / 100

    @property
    def issuer_wide(self) -> bool:
        """Whether it is about the issuer as a whole, and not about one client of it."""
        return not self.probes.isdisjoint({"discovery", "jwks"})


# Drills count for drill rules and never for budgets.
_REAL = Matcher(m.DRILL, "=", "false")
_COUNTED = Matcher(m.RESULT.name, "!=", Outcome.EXCLUDED)
_FAILED = Matcher(m.RESULT.name, "=", Outcome.FAILURE)


def _of(*probes: str) -> Matcher:
    """Series of these kinds of probe."""
    return Matcher(m.PROBE, "=" if len(probes) == 1 else "=~", "|".join(probes))


def _runs(*probes: str) -> Events:
    """Failed runs of all runs that are evidence about the provider."""
    return Events(Selector(m.RUNS, (_of(*probes), _FAILED, _REAL)), Selector(m.RUNS, (_of(*probes), _COUNTED, _REAL)))


def _slices(*probes: str) -> Slices:
    """The same in time slices, so that every interval weighs the same and one region alone spends nothing."""
    same = (_of(*probes), _REAL)
    events = _runs(*probes)
    return Slices(
        Selector(m.SUCCESS, same), Selector(m.LAST_RUN, same), Selector(m.INTERVAL, same), events.bad, events.total
    )


def _faster(stage: Stage, seconds: float) -> Latency:
    """Steps that went well within so many seconds, which must be a bound of the histogram."""
    step = Matcher(m.STEP.name, "=", stage)
    bound = Matcher(m.LE, "=", str(seconds))
    return Latency(
        Selector(m.STEP_DURATION, (step, bound, _REAL), "_bucket"),
        Selector(m.STEP_DURATION, (step, _REAL), "_count"),
        seconds,
    )


_ANSWERS = Selector(m.TOKEN_RESPONSES, (_REAL,))
_REFUSED = Selector(m.TOKEN_RESPONSES, (Matcher(m.OUTCOME.name, "!=", m.OK), _REAL))
_VALIDATIONS = Events(Selector(m.VALIDATIONS, (_FAILED, _REAL)), Selector(m.VALIDATIONS, (_REAL,)))
_GRANTS = frozenset({"login", "client_credentials", "refresh"})

SLIS: tuple[Sli, ...] = (
    Sli(
        "login-success", "Logins that succeed", "M1",
        "A synthetic user gets from the authorization request to validated tokens.",
        _runs("login"), Decimal("99.95"), frozenset({"login"}),
    ),
    Sli(
        "token-validation", "Tokens that validate", "M2",
        "A token that was just issued validates against a freshly fetched key set.",
        _VALIDATIONS, Decimal("99.99"), _GRANTS,
    ),
    Sli(
        "idp-availability", "Time in which the provider is available", "M3",
        "In that minute most regions could use discovery, key set and client credentials.",
        _slices("discovery", "jwks", "client_credentials"), Decimal("99.99"),
        frozenset({"discovery", "jwks", "client_credentials"}),
    ),
    Sli(
        "token-latency", "Token responses that are fast", "M4",
        "The token endpoint answers within half a second.",
        _faster(Stage.TOKEN, 0.5), Decimal(95), _GRANTS,
    ),
    Sli(
        "token-errors", "Token requests without an error", "M5",
        "The token endpoint answers a valid request with tokens.",
        Events(_REFUSED, _ANSWERS), Decimal("99.9"), _GRANTS,
    ),
    Sli(
        "jwks-fetch", "Key set polls that succeed", "M6",
        "The key set is fetched and well-formed.",
        _runs("jwks"), Decimal("99.9"), frozenset({"jwks"}),
    ),
    Sli(
        "jwks-freshness", "Time with a fresh key set", "M6",
        "The last good key set is at most five minutes old.",
        Freshness(Selector(m.JWKS_LAST_FETCH, (_of("jwks"), _REAL)), timedelta(minutes=5)), Decimal("99.9"),
        frozenset({"jwks"}),
    ),
    Sli(
        "refresh-success", "Refreshes that succeed", "M7",
        "A live refresh token gives new tokens.",
        _runs("refresh"), Decimal("99.9"), frozenset({"refresh"}),
    ),
)  # fmt: skip

BY_NAME: Mapping[str, Sli] = MappingProxyType({sli.name: sli for sli in SLIS})


def slis_of(kind: ProbeKind) -> tuple[Sli, ...]:
    """The indicators that this kind of probe feeds."""
    return tuple(sli for sli in SLIS if kind.name in sli.probes)
