"""The objectives as Sloth's specification (prometheus/v1), for those who already generate their rules with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from alerts import series as s
from alerts.burn import camel
from alerts.deployment import Deployment, Slo
from alerts.links import runbook_url
from alerts.model import OWNER, SEVERITY
from alerts.promql import number
from alerts.recording import of, spends_slices
from alerts.rules_file import dump
from alerts.windows import TIERS, Severity
from exporters import metrics as m
from exporters.slis import Freshness, Latency, Matcher, Selector, Slices
from probes.subjects import Issuer

_SLOTHS_PERIOD = timedelta(days=30)
_WINDOW = "[{{.window}}]"
_REAL = Matcher(m.DRILL, "=", "false")
_ESCALATION = TIERS[0]
"""A page on top of a page, which Sloth does not know."""


def sloth_yaml(deployment: Deployment) -> str:
    """A document for each issuer: to Sloth a service with its objectives.

    Sloth's rules know no regions, quorum or least number of failures, so they page more often than ours. Its own
    catalogue of windows is for 30 days, and an objective of another length is left out.
    """
    slos = _slos_by_issuer(deployment)
    services = (_service(deployment, issuer, slos[issuer.name]) for issuer in deployment.issuers if issuer.name in slos)
    return "---\n".join(map(dump, services))


def _slos_by_issuer(deployment: Deployment) -> dict[str, list[Slo]]:
    """Gathered in one pass: asking for the checks of every issuer anew takes seconds where there are hundreds."""
    found: dict[str, list[Slo]] = {}
    for slo in deployment.fed():
        if slo.window == _SLOTHS_PERIOD:
            for issuer in {check.issuer.name for check in deployment.checks_of(slo)}:
                found.setdefault(issuer, []).append(slo)
    return found


def _service(deployment: Deployment, issuer: Issuer, slos: Sequence[Slo]) -> dict[str, Any]:
    owner = {OWNER: issuer.owner} if issuer.owner else {}
    return {
        "version": "prometheus/v1",
        "service": issuer.name,
        "labels": {m.ISSUER: issuer.name, **owner},
        "slos": [_slo(deployment, slo, issuer) for slo in slos],
    }


def _slo(deployment: Deployment, slo: Slo, issuer: Issuer) -> dict[str, Any]:
    return {
        "name": slo.name,
        "objective": float(number(slo.objective)),
        "description": slo.sli.good,
        "sli": _sli(slo, Matcher(m.ISSUER, "=", issuer.name)),
        "alerting": {
            "name": f"Oidc{camel(slo.name)}Burn",
            "annotations": {"summary": f"{issuer.name}: the error budget of {slo.name} burns"},
            "page_alert": _alert(deployment, slo, Severity.PAGE),
            "ticket_alert": _alert(deployment, slo, Severity.TICKET),
        },
    }


def _alert(deployment: Deployment, slo: Slo, severity: Severity) -> dict[str, Any]:
    """One of Sloth's two alerts, which leads to the page of the fastest of ours; off when none of ours can fire."""
    tiers = [tier for tier in deployment.tiers_of(slo) if tier.severity is severity and tier is not _ESCALATION]
    if not tiers:
        return {"disable": True}
    like = f"Oidc{camel(slo.name)}Burn{tiers[0].name.capitalize()}"
    return {
        "labels": {SEVERITY: severity.value},
        "annotations": {"runbook_url": runbook_url(deployment.alerting, like)},
    }


def _sli(slo: Slo, issuer: Matcher) -> dict[str, Any]:
    if spends_slices(slo):
        return {"raw": {"error_ratio_query": f"avg(avg_over_time({of(s.SLICE_BAD, slo, _REAL, issuer)}{_WINDOW}))"}}

    def count(selector: Selector) -> str:
        narrowed = Selector(selector.metric, (*selector.matchers, issuer), selector.suffix)
        return f"sum(increase({narrowed}{_WINDOW}))"

    match slo.sli.measure:
        case Latency(good=good, total=total):
            return {"events": {"error_query": f"{count(total)} - {count(good)}", "total_query": count(total)}}
        case measure:
            assert not isinstance(measure, Freshness | Slices)  # noqa: S101 - those are slices
            return {"events": {"error_query": count(measure.bad), "total_query": count(measure.total)}}
