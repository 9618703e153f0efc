"""Cause alerts: why users suffer, as failure reasons and measured values that enough regions agree on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from alerts.causes_evidence import (
    FAILURES,
    RUNS,
    TOKEN_ANSWERS,
    TOKEN_ERRORS,
    Counted,
    cause_recordings,
    conditions,
    recordings,
)
from alerts.causes_measured import clock_clauses, disagreement, measured_alerts, no_token_errors
from alerts.causes_model import STEADY, TOLD_ONCE, Cause, distinct, regions_of, team, windows_by_kind
from alerts.causes_table import CAUSES, CLOCK, INCONSISTENT, SIGN_IN, TOKEN_ENDPOINT, cause_of
from alerts.causes_texts import WHERE, k_of_n
from alerts.deployment import Deployment
from alerts.model import Alert, Condition, Group, Recording
from alerts.promql import duration
from alerts.rotation import broken_rules
from alerts.windows import Severity
from exporters import metrics as m
from probes.model import Check, Quantity
from probes.registry import PROBES

__all__ = ["cause_alerts", "cause_groups", "cause_of"]

_MINUTE = timedelta(minutes=1)
TOKEN_FAULTS = ("http_5xx", "network", "server_error")
"""Outcomes of token requests that no request of ours deserves."""


def cause_groups(deployment: Deployment) -> Iterator[Group]:
    """What is counted, then the alerts. Causes that no check of the deployment can see are left out."""
    fed = tuple(_fed(deployment))
    kinds = {cause.name: windows_by_kind(deployment, checks, cause.evidence.shortest) for cause, checks in fed}
    windows = {window for by_window in kinds.values() for window in by_window}
    counted = (rule for cause, _ in fed for rule in cause_recordings(cause.name, _counted(cause), kinds[cause.name]))
    rules: tuple[Recording | Alert, ...] = (*recordings(deployment, windows), *counted, *cause_alerts(deployment))
    yield Group("oidc-causes", _MINUTE, rules)


def cause_alerts(deployment: Deployment) -> Iterator[Alert]:
    """One alert for each row of the table that a check feeds, and those over measured values."""
    for cause, checks in _fed(deployment):
        yield _alert(deployment, cause, checks)
    yield from measured_alerts(deployment)


def _fed(deployment: Deployment) -> Iterator[tuple[Cause, tuple[Check, ...]]]:
    """Each cause that checks can see, with those checks."""
    checks = distinct(deployment)
    asking = tuple(check for check in checks if Quantity.TOKEN_RESPONSE in PROBES[check.probe].quantities)
    for cause in CAUSES:
        feeding = asking if cause.name == TOKEN_ENDPOINT else cause.fed_by(checks)
        if feeding:
            yield cause, feeding


def _counted(cause: Cause) -> Counted:
    if cause.name == TOKEN_ENDPOINT:
        return Counted(TOKEN_ERRORS, TOKEN_ANSWERS, m.OUTCOME.name, TOKEN_FAULTS)
    return Counted(FAILURES, RUNS, m.REASON.name, cause.reasons)


def _alert(deployment: Deployment, cause: Cause, checks: tuple[Check, ...]) -> Alert:
    agree = _pages_from(deployment, cause, checks)
    kinds = windows_by_kind(deployment, checks, cause.evidence.shortest)
    window = max(kinds)
    clause = tuple(conditions(cause.name, cause.level, cause.evidence, agree))
    if cause.name == SIGN_IN:
        clause = (*clause, no_token_errors(deployment, TOKEN_FAULTS, min(kinds)))
    what = "requests" if cause.name == TOKEN_ENDPOINT else "runs"
    evidence = k_of_n(cause.name, _counted(cause), cause.level, window, what)
    return Alert(
        name=cause.name,
        severity=cause.severity if agree or not cause.evidence.majority else Severity.TICKET,
        area=cause.area,
        role=cause.role,
        level=cause.level,
        any_of=(clause, *_measured(deployment, cause)),
        summary=f"{WHERE[cause.level]}: {cause.wrong}: {evidence}{broken_rules(deployment, cause.name, cause.reasons)}",
        impact=cause.impact,
        owner=team(deployment, cause.owner),
        reasons=cause.reasons,
        about=" ".join(filter(None, (cause.about, _about(cause, agree, window)))),
        runs_on=tuple(sorted({check.probe for check in checks})),
    )


def _pages_from(deployment: Deployment, cause: Cause, checks: tuple[Check, ...]) -> int:
    """Regions that must agree before somebody is woken; 0 where nobody is, as from a single place."""
    agree = deployment.alerting.min_regions
    wakes = cause.severity is Severity.PAGE and cause.evidence.majority
    return agree if wakes and regions_of(deployment, checks) >= agree else 0


def _measured(deployment: Deployment, cause: Cause) -> tuple[tuple[Condition, ...], ...]:
    """Values that tell the same as the reasons, often sooner."""
    if cause.name == CLOCK:
        return clock_clauses(deployment)
    return (disagreement(deployment),) if cause.name == INCONSISTENT else ()


def _about(cause: Cause, agree: int, window: timedelta) -> str:
    evidence, within = cause.evidence, duration(window)
    if evidence is TOLD_ONCE:
        text = f"A region may tell of a change only once: most of those that ran in {within} must have."
    elif not evidence.majority and evidence.share is None:
        text = f"One such run in {within}, from any region, is proof enough."
    else:
        where = "a strict majority of the regions that ran" if evidence is STEADY else "any region"
        text = (
            f"Of the last five runs of each check in each region, or those of five minutes if that is more, at least "
            f"{evidence.floor} and a tenth must fail so, seen from {where}."
        )
    if agree:
        text += f" Fewer than {agree} regions that agree wake nobody."
    elif cause.severity is Severity.PAGE and evidence.majority:
        text += " It is a ticket and no page here, since no check looks from enough regions to tell its own network "
        text += "from the provider."
    return text
