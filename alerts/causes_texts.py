"""Summaries of cause alerts: who, what, k of n runs, and the reasons that were seen."""

from __future__ import annotations

from alerts.causes_evidence import Counted
from alerts.model import Level
from alerts.promql import duration
from alerts.texts import AT_ISSUER, AT_TARGET
from exporters import metrics as m

_LABELS = {
    Level.ISSUER: (m.ISSUER, m.DRILL),
    Level.TARGET: (m.ISSUER, m.TARGET, m.DRILL),
    Level.REGION: (m.ISSUER, m.TARGET, m.REGION, m.DRILL),
}
WHERE = {
    Level.ISSUER: AT_ISSUER,
    Level.TARGET: AT_TARGET,
    Level.REGION: f"{AT_TARGET} from {{{{ $labels.{m.REGION} }}}}",
}


def k_of_n(counted: Counted, level: Level, what: str, word: str) -> str:
    """`7 of 15 runs in 5m (timeout)`: `what` are the events, `word` the label that says why each is bad."""
    bad, total = _narrowed(counted.bad, level), _narrowed(counted.total, level)
    if level is Level.ISSUER:
        total = f"{total} and on ({m.ISSUER}, {m.TARGET}, {m.DRILL}) {bad}"
    k, n = (_query(f"sum({series})", level) for series in (bad, total))
    one = '{{{{ with {0} }}}}{{{{ . | first | value | printf "%.0f" }}}}{{{{ else }}}}?{{{{ end }}}}'
    each = f'{_query(f"count by ({word}) ({bad})", level)} | sortByLabel "{word}"'
    why = f"{{{{ range {each} }}}} {{{{ .Labels.{word} }}}}{{{{ end }}}}"
    return f"{one.format(k)} of {one.format(n)} {what} in {duration(counted.window)}:{why}"


def _narrowed(selector: str, level: Level) -> str:
    """The selector for the alert's own labels. Their values are names, so no quoting can go wrong."""
    own = ",".join(f"{label}='%[{place}]s'" for place, label in enumerate(_LABELS[level], 1))
    return selector.replace('"', "'").replace("{", f"{{{own},", 1)


def _query(promql: str, level: Level) -> str:
    filled = " ".join(f"$labels.{label}" for label in _LABELS[level])
    return f'printf "{promql}" {filled} | query'
