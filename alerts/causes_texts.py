"""Summaries of cause alerts: who, what, k of n runs, and the reasons that were seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from alerts import series as s
from alerts.causes_evidence import CAUSE, CAUSE_BAD, CAUSE_TOTAL, Counted, one_of
from alerts.model import Level
from alerts.promql import duration
from alerts.texts import AT_ISSUER, AT_TARGET
from exporters import metrics as m

_LABELS: Mapping[Level, tuple[str, ...]] = {
    Level.ISSUER: (m.ISSUER, m.DRILL),
    Level.TARGET: (m.ISSUER, m.TARGET, m.DRILL),
    Level.REGION: (m.ISSUER, m.TARGET, m.REGION, m.DRILL),
}
WHERE: Mapping[Level, str] = {
    Level.ISSUER: AT_ISSUER,
    Level.TARGET: AT_TARGET,
    Level.REGION: f"{AT_TARGET} from {{{{ $labels.{m.REGION} }}}}",
}


def k_of_n(cause: str, counted: Counted, level: Level, window: timedelta, what: str) -> str:
    """`7 of 15 runs in 5m: timeout`: how many of what, and every value of the label that says why each is bad."""
    k, n = (_value(f"sum({name}{{{_own(level)},{CAUSE}='{cause}'}})", level) for name in (CAUSE_BAD, CAUSE_TOTAL))
    why = str(one_of(counted.label, counted.values)).replace('"', "'")
    series = f"{s.over(counted.bad, window)}{{{_own(level)},{why}}}"
    each = f'{_query(f"count by ({counted.label}) ({series})", level)} | sortByLabel "{counted.label}"'
    return (
        f"{k} of {n} {what} in {duration(window)}:{{{{ range {each} }}}} {{{{ .Labels.{counted.label} }}}}{{{{ end }}}}"
    )


def _own(level: Level) -> str:
    """Matchers of the alert's own labels. Their values are names, so no quoting can go wrong."""
    return ",".join(f"{label}='%s'" for label in _LABELS[level])


def _query(promql: str, level: Level) -> str:
    filled = " ".join(f"$labels.{label}" for label in _LABELS[level])
    return f'printf "{promql}" {filled} | query'


def _value(promql: str, level: Level) -> str:
    form = '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }}'
    return f"{{{{ with {_query(promql, level)} }}}}{form}"
