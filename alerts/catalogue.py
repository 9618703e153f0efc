"""The catalogue of everything that is generated into rule files: recording groups and alerts, in a stable order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from alerts import series as s
from alerts.burn import burn_alerts
from alerts.causes import cause_groups
from alerts.deployment import Deployment
from alerts.model import OWNER, Alert, Group, Recording
from alerts.recording import objective_groups
from alerts.rotation import rotation_groups
from alerts.watching import watching_groups
from exporters import metrics as m

_MINUTE = timedelta(minutes=1)

_Builder = Callable[[Deployment], Iterator[Group]]


def _owners(deployment: Deployment) -> Iterator[Group]:
    """Who is called for each issuer and client, as series that rules join: one rule then serves every issuer."""
    team_of, rules = deployment.alerting.team_of, []
    for issuer in deployment.issuers:
        rules.append(Recording(s.ISSUER_OWNER, "vector(1)", {m.ISSUER: issuer.name, OWNER: team_of(issuer)}))
        for client in issuer.clients:
            labels = {m.ISSUER: issuer.name, m.TARGET: client.name, OWNER: team_of(issuer, client)}
            rules.append(Recording(s.CLIENT_OWNER, "vector(1)", labels))
    yield Group("oidc-owners", _MINUTE, tuple(rules))


def _objectives(deployment: Deployment) -> Iterator[Group]:
    for slo in deployment.fed():
        yield from objective_groups(deployment, slo, tuple(burn_alerts(deployment, slo)))


# A part of the catalogue is a file with a function that yields groups, and a line here.
BUILDERS: tuple[_Builder, ...] = (_owners, _objectives, cause_groups, rotation_groups, watching_groups)


def groups_of(deployment: Deployment) -> tuple[Group, ...]:
    """All rule groups that have rules."""
    return tuple(group for build in BUILDERS for group in build(deployment) if group.rules)


def alerts_of(deployment: Deployment) -> tuple[Alert, ...]:
    """All alerts."""
    return alerts_in(groups_of(deployment))


def alerts_in(groups: Iterable[Group]) -> tuple[Alert, ...]:
    """The alerts of these groups, in order."""
    return tuple(rule for group in groups for rule in group.rules if isinstance(rule, Alert))
