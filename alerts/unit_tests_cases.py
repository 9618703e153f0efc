"""The values of emitted unit tests: a case, what is expected in it, and who stands for all issuers and clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from alerts import series as s
from alerts.catalogue import groups_of
from alerts.causes_model import regions_of
from alerts.deployment import Deployment, Slo
from alerts.model import ANY, NONE, OWNER, Alert, Recording, Team
from alerts.rules_file import labels_of
from alerts.scenarios import Fault, Series, Story, input_series, minutes_between_runs, region_series
from exporters import metrics as m
from exporters.slis import Matcher
from probes.model import Check
from probes.registry import PROBES


@dataclass(frozen=True, slots=True)
class Expected:
    """What a query gives in some minute: series with the value 1, written as PromQL writes them; none if empty."""

    minute: int
    expr: str
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One test: what is exposed and what follows."""

    name: str
    series: tuple[Series, ...]
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """A deployment with its alerts, and the checks that stand for all."""

    deployment: Deployment
    alerts: Mapping[str, Alert]
    owners: Mapping[tuple[str, str], str]
    """By issuer and client; the client is empty for the issuer's own."""
    slos: Mapping[Slo, tuple[Check, ...]]
    checks: tuple[Check, ...]
    """All that stand for something."""

    @property
    def pace(self) -> int:
        """Minutes between two runs of the slowest check, at least 1."""
        return max(1, *(-int(-minutes_between_runs(self.deployment, check) // 1) for check in self.checks))

    def looks_from_enough(self, checks: Iterable[Check]) -> bool:
        """Whether these checks can wake somebody."""
        return regions_of(self.deployment, checks) >= self.deployment.alerting.min_regions

    def told(self, story: Story, minutes: int, fault: Fault, *, drill: bool = False) -> tuple[Series, ...]:
        """Series of all checks, and of the regions."""
        checks = input_series(self.deployment, self.checks, story, minutes, fault, drill=drill)
        return (*checks, *region_series(self.deployment, story, minutes))

    def firing(
        self,
        minute: int,
        alert: Alert,
        check: Check,
        *,
        region: str = ANY,
        target: str = "",
        drill: bool = False,
        finding: str = NONE,
    ) -> Expected:
        """The alert fires for this check, with exactly the labels that alerts have."""
        where = {m.ISSUER: check.issuer.name, m.TARGET: target or check.target or ANY, m.REGION: region}
        told = {m.DRILL: str(drill).lower(), m.FINDING.name: finding}
        labels = {**where, **told, **labels_of(alert), "alertname": alert.name}
        if isinstance(alert.owner, Team):
            client = check.target if alert.owner is Team.CLIENT else ""
            labels[OWNER] = self.owners[check.issuer.name, client]
        narrowed = {key: labels[key] for key in ("alertname", m.ISSUER, m.TARGET, m.REGION, *told)}
        return Expected(minute, _alerts(narrowed), (_alerts(labels),))

    def quiet(self, minute: int, *matchers: Matcher) -> Expected:
        """No alert with such labels fires."""
        return Expected(minute, f"ALERTS{{{','.join(map(str, (*matchers, Matcher('alertstate', '=', 'firing'))))}}}")


def _alerts(labels: Mapping[str, str]) -> str:
    pairs = ", ".join(f'{name}="{value}"' for name, value in sorted({**labels, "alertstate": "firing"}.items()))
    return f"ALERTS{{{pairs}}}"


def region_of(deployment: Deployment, check: Check, place: int = 0) -> str:
    """The name of one of the regions that the check runs in."""
    return (check.regions or tuple(region.name for region in deployment.regions))[place]


def material_of(deployment: Deployment) -> Material:
    """Everything that cases are made of."""
    rules = [rule for group in groups_of(deployment) for rule in group.rules]
    owners = {
        (rule.labels[m.ISSUER], rule.labels.get(m.TARGET, "")): rule.labels[OWNER]
        for rule in rules
        if isinstance(rule, Recording) and rule.record in (s.ISSUER_OWNER, s.CLIENT_OWNER)
    }
    slos = {slo: tuple(_standing_for(deployment, slo)) for slo in deployment.fed()}
    each_kind = [_widest(deployment, (c for c in deployment.checks if c.probe == kind)) for kind in PROBES]
    chosen = {check.name: check for checks in slos.values() for check in checks}
    chosen |= {check.name: check for check in each_kind if check}
    alerts = {rule.name: rule for rule in rules if isinstance(rule, Alert)}
    return Material(deployment, alerts, owners, slos, tuple(chosen.values()))


def _standing_for(deployment: Deployment, slo: Slo) -> Iterator[Check]:
    """The checks of one issuer, or of one of its clients."""
    checks = deployment.checks_of(slo)
    first = _widest(deployment, checks)
    assert first is not None  # noqa: S101 - asked only of objectives that checks feed
    seen: set[str] = set()
    for check in checks:
        same = check.issuer == first.issuer and (slo.sli.issuer_wide or check.target == first.target)
        if same and check.probe not in seen:
            seen.add(check.probe)
            yield check


def _widest(deployment: Deployment, checks: Iterable[Check]) -> Check | None:
    """The first of those that look from the most regions."""
    return max(checks, key=lambda check: regions_of(deployment, (check,)), default=None)
