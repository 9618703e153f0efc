"""Facts of this deployment for pages and summaries: who is called, which issuers and clients are concerned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from alerts import windows
from alerts.deployment import Alerting, Deployment, Slo
from alerts.links import dashboard_url
from alerts.model import NONE, Alert, Group, Team
from alerts.promql import duration
from probes.model import Reason
from probes.reasons import REASONS, Owner
from probes.registry import PROBES
from probes.subjects import Client, Issuer
from runbooks.bodies import body_of

_FEW = 10
"""Issuers that a page lists itself; with more of them it leads to the page of the deployment."""
_FEW_CLIENTS = 6
_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
_TEMPLATE = re.compile(r"\{\{ (?:with|range) .*?\{\{ end \}\}|\{\{.*?\}\}")


@dataclass(frozen=True, slots=True)
class Subject:
    """One alert with all that its page is made from."""

    alert: Alert
    group: str
    """Name of its rule group."""
    deployment: Deployment

    @property
    def slo(self) -> Slo | None:
        """Its objective; None for alerts that have none."""
        return next((slo for slo in self.deployment.slos if slo.name == self.alert.slo), None)


def subjects_of(deployment: Deployment, groups: Iterable[Group]) -> Iterator[Subject]:
    """Every alert of these groups, once: rules of one name are one page."""
    seen: set[str] = set()
    for group in groups:
        for rule in group.rules:
            if isinstance(rule, Alert) and rule.name not in seen:
                seen.add(rule.name)
                yield Subject(rule, group.name, deployment)


def team_of(owner: Owner, alerting: Alerting, issuer: Issuer | None = None, client: Client | None = None) -> str:
    """Who is called: the issuer's owner for the provider, the client's for the application, else the configured team.

    As the alerts' label `owner`: an application without a team is the issuer's owner's. Falls back to the owner's word.
    """
    named = alerting.owners.get(owner.value, "")
    if owner is Owner.IDENTITY_PROVIDER:
        return (issuer.owner if issuer else "") or named or owner.value
    if owner is Owner.APPLICATION:
        fallback = team_of(Owner.IDENTITY_PROVIDER, alerting, issuer) if issuer else owner.value
        return (client.owner if client else "") or named or fallback
    return named or owner.value


def owner_text(alert: Alert) -> str:
    """Whom the alert is for, in words."""
    match alert.owner:
        case Team.ISSUER:
            return "the issuer's owner"
        case Team.CLIENT:
            return "the client's owner"
        case team:
            return str(team)


def summary_of(alert: Alert) -> str:
    """The alert's summary with words in place of what Prometheus fills in."""
    named = _LABEL.sub(lambda found: found[1].upper(), alert.summary)
    return _TEMPLATE.sub(
        lambda found: " ..." if " range " in found[0] else "..." if "| label " in found[0] else "N", named
    )


def concerned(subject: Subject) -> tuple[Issuer, ...]:
    """The issuers whose checks feed the alert."""
    deployment, slo = subject.deployment, subject.slo
    checks = deployment.checks_of(slo) if slo else deployment.checks
    kinds = set(subject.alert.runs_on)
    names = {check.issuer.name for check in checks if not kinds or check.probe in kinds}
    return tuple(issuer for issuer in deployment.issuers if issuer.name in names)


def is_few(issuers: tuple[Issuer, ...]) -> bool:
    """Whether a page lists them itself."""
    return len(issuers) <= _FEW


def clients_of(issuer: Issuer) -> str:
    """Names of the issuer's clients, the first few of many."""
    names = [client.name for client in issuer.clients]
    more = f" and {len(names) - _FEW_CLIENTS} more" if len(names) > _FEW_CLIENTS else ""
    return ", ".join(names[:_FEW_CLIENTS]) + more if names else "none"


def reasons_of(alert: Alert) -> tuple[Reason, ...]:
    """The reasons that can lead to the alert: its own, those of its body, or all that its probes can give."""
    named = alert.reasons or body_of(alert).reasons
    if named:
        return named
    kinds = alert.runs_on or tuple(PROBES)
    possible = {reason for kind in kinds if kind in PROBES for reason in PROBES[kind].reasons}
    return tuple(reason for reason in REASONS if reason in possible)


def panel_url(alerting: Alerting, alert: Alert) -> str:
    """The alert's panel for all issuers; empty without a Grafana."""
    return dashboard_url(alerting, alert).partition("&var-")[0] if alerting.grafana_url else ""


def exhaustion(slo: Slo, tier: str) -> str:
    """How long the budget lasts at the pace of the tier; empty for a tier that is no burn rate."""
    known: Mapping[str, windows.Tier] = {row.name: row for row in windows.TIERS}
    if tier not in known:
        return ""
    hours = timedelta(hours=round(slo.window / timedelta(hours=1) / float(known[tier].factor(slo.window))))
    return duration(max(hours, timedelta(hours=1)))


def has_objective(alert: Alert) -> bool:
    """Whether it is about an objective."""
    return alert.slo != NONE
