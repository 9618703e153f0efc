"""Which series a panel looks at: what the reader chose at the top of the dashboard, as label matchers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from alerts.model import Level
from exporters import metrics as m
from exporters.metrics import Metric
from exporters.slis import Matcher, Selector

# Series about a whole issuer have the target "*" where they are recorded and an empty one where they are measured, and
# many have no region at all: a choice among targets or regions does not hide them.
_WIDE = "|[*]|"

_ISSUER = Matcher(m.ISSUER, "=~", "$issuer")
_TARGET = Matcher(m.TARGET, "=~", f"$target{_WIDE}")
_REGION = Matcher(m.REGION, "=~", f"$region{_WIDE}")
_DRILL = Matcher(m.DRILL, "=~", "$drill")
_PLACES = (_ISSUER, _TARGET, _REGION)


@dataclass(frozen=True, slots=True)
class Scope:
    """Matchers that every selector of a panel has."""

    matchers: tuple[Matcher, ...]

    def of(self, metric: Metric, *more: Matcher, suffix: Literal["", "_bucket", "_count"] = "") -> str:
        """Series that agents export."""
        return str(Selector(metric, (*self.matchers, *more), suffix))

    def recorded(self, name: str, *more: Matcher) -> str:
        """Series by their name: those that rules record."""
        return f"{name}{{{','.join(map(str, (*self.matchers, *more)))}}}"

    def alerts(self, *more: Matcher, state: Literal["firing", "pending"] = "firing") -> str:
        """Prometheus' own series of alerts in that state; those about the watcher have the issuer "*"."""
        wide = Matcher(m.ISSUER, "=~", f"$issuer{_WIDE}")
        matchers = (Matcher("alertstate", "=", state), wide, *self.matchers[1:], *more)
        return f"ALERTS{{{','.join(map(str, matchers))}}}"


REAL = Scope((*_PLACES, Matcher(m.DRILL, "=", "false")))
"""Without drills: for those who look at budgets."""
CHOSEN = Scope((*_PLACES, _DRILL))
"""Real runs, drill runs or both, as the variable `drill` says."""
DRILLED = Scope((*_PLACES, Matcher(m.DRILL, "=", "true")))


def equals(label: str, value: str) -> Matcher:
    """One value of a label."""
    return Matcher(label, "=", value)


def one_of(label: str, *values: str) -> Matcher:
    """Some values of a label; they are names without special characters."""
    return Matcher(label, "=~", "|".join(values))


_SOME_ISSUER = Matcher(m.ISSUER, "=~", "$issuer|")
_FILTERS: Mapping[Level, tuple[Matcher, ...]] = MappingProxyType(
    {
        Level.ISSUER: (_SOME_ISSUER,),
        Level.TARGET: (_SOME_ISSUER, _TARGET),
        Level.REGION: (_SOME_ISSUER, _TARGET, _REGION),
        Level.FINDING: (_SOME_ISSUER,),
        Level.AGENT: (),
    }
)
_KNOWN = frozenset(metric.name for metric in m.METRICS)

# Strings (skipped), and names with the brace that opens their matchers if there is one.
_TOKEN = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?<![\w:])[A-Za-z_:][\w:]*(?:\s*\{\s*(?P<none>\})?)?""")


def filtered(expr: str, level: Level) -> str:
    """The PromQL with matchers of the chosen issuer, target and region in every selector, as far as `level` has them.

    An alert compares what it aggregates over the labels that its level lacks: those are not narrowed, so that the
    panel shows the numbers that the rule sees.
    """
    matchers = ",".join(map(str, _FILTERS[level]))
    if not matchers:
        return expr

    def narrowed(found: re.Match[str]) -> str:
        text = found[0]
        if text[0] in "\"'":
            return text
        if found["none"]:
            return f"{text[:-1]}{matchers}}}"
        if text.endswith("{"):
            return f"{text}{matchers},"
        return f"{text}{{{matchers}}}" if ":" in text or text in _KNOWN else text

    return _TOKEN.sub(narrowed, expr)
