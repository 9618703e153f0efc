"""What rules, dashboards and runbooks are generated for: one deployment's issuers, checks, objectives and addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from alerts.prometheus_version import PrometheusVersion
from alerts.windows import TIERS, Tier
from exporters import metrics as m
from exporters.slis import SLIS, Matcher, Sli
from probes.model import Check
from probes.reasons import Owner
from probes.subjects import Client, Issuer, Region


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective: an SLI with its target for some issuers; without `issuers`, for all that no other SLO names."""

    name: str
    sli: Sli
    objective: Decimal
    """Percent of good events."""
    window: timedelta
    issuers: tuple[str, ...] = ()

    @property
    def budget(self) -> Decimal:
        """The share, 0 to 1, that may be bad."""
        return (100 - self.objective) / 100


DEFAULT_SLOS: tuple[Slo, ...] = tuple(Slo(sli.name, sli, sli.objective, sli.window) for sli in SLIS)


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When tickets are delivered. `days` and `times` as Alertmanager writes them."""

    days: str = "monday:friday"
    start: str = "08:00"
    end: str = "18:00"
    location: str = "UTC"


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A time in which alerts about these issuers (none: all) reach nobody, but for those of security.

    Alerts about no issuer are told too: the sign of life, an agent that is gone. Budgets count on. Hours may pass
    midnight: 22:00 to 04:00 ends on the next day.
    """

    name: str
    issuers: tuple[str, ...] = ()
    days: str = ""
    start: str = ""
    end: str = ""
    location: str = "UTC"


Receivers = Mapping[str, tuple[Mapping[str, object], ...]]
"""By route: entries with one key each, `webhook`, `slack`, `pagerduty`, `opsgenie` or `email`, whose value holds
Alertmanager's own fields."""


@dataclass(frozen=True, slots=True)
class Alerting:
    """Where people look and who is called. URLs are bases without a trailing slash; empty means: not there."""

    runbooks_url: str = ""
    grafana_url: str = ""
    prometheus_url: str = ""
    alertmanager_url: str = ""
    owners: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Teams by `probes.reasons.Owner` value, where they are other than that word."""
    receivers: Receivers = field(default_factory=lambda: MappingProxyType({}))
    """Of the routes `page`, `ticket`, `security`, `drill`, `deadman` and `default`."""
    teams: Mapping[str, Receivers] = field(default_factory=lambda: MappingProxyType({}))
    """By team, as in the label `owner`: who is told of its `page` and `ticket` in place of `receivers`."""
    office_hours: OfficeHours = OfficeHours()
    maintenance: tuple[Maintenance, ...] = ()
    min_regions: int = 2
    """Regions that must agree before somebody is paged."""

    def team_of(self, issuer: Issuer, client: Client | None = None) -> str:
        """The label `owner` of what concerns this client, or the issuer as a whole; the nearest name is taken."""
        of_client = (client.owner or self.owners.get(Owner.APPLICATION, "")) if client else ""
        return of_client or issuer.owner or self.owners.get(Owner.IDENTITY_PROVIDER, Owner.IDENTITY_PROVIDER.value)


@dataclass(frozen=True, slots=True)
class Deployment:
    """All that is generated depends on this value and on nothing else."""

    issuers: tuple[Issuer, ...]
    checks: tuple[Check, ...]
    """Those of every agent; `regions` of each are filled in."""
    regions: tuple[Region, ...]
    slos: tuple[Slo, ...] = DEFAULT_SLOS
    alerting: Alerting = Alerting()
    prometheus: PrometheusVersion = PrometheusVersion.DEBIAN
    speed: int = 1
    """Times are this many times shorter: to rehearse hours in minutes. Names of rules do not change."""

    def paced(self, length: timedelta) -> timedelta:
        """The duration as it is written into rules."""
        return length / self.speed

    def fed(self) -> tuple[Slo, ...]:
        """The objectives that at least one check feeds."""
        return tuple(slo for slo in self.slos if self.checks_of(slo))

    def checks_of(self, slo: Slo) -> tuple[Check, ...]:
        """The checks that feed this objective."""
        # Once for all checks: there are thousands.
        probes, among, named = slo.sli.probes, bool(slo.issuers), frozenset(slo.issuers or self._named(slo))
        return tuple(check for check in self.checks if check.probe in probes and (check.issuer.name in named) is among)

    def matchers_of(self, slo: Slo) -> tuple[Matcher, ...]:
        """What narrows the SLI's series to the issuers of this objective."""
        if slo.issuers:
            return (Matcher(m.ISSUER, "=" if len(slo.issuers) == 1 else "=~", "|".join(slo.issuers)),)
        named = self._named(slo)
        return (Matcher(m.ISSUER, "!=" if len(named) == 1 else "!~", "|".join(named)),) if named else ()

    def tiers_of(self, slo: Slo) -> tuple[Tier, ...]:
        """The tiers that can fire: one whose threshold is 1 or more, or longer than the window, never does."""
        return tuple(tier for tier in TIERS if tier.long <= slo.window and tier.factor(slo.window) * slo.budget < 1)

    def slowest(self, slo: Slo) -> timedelta:
        """The longest interval among the checks that feed it, in the rules' time: rehearsals pass more of it a run."""
        return self.speed * timedelta(seconds=max(check.interval for check in self.checks_of(slo)))

    def expected_runs(self, slo: Slo, window: timedelta) -> int:
        """Runs in that window for the client (or issuer) with the fewest."""
        rates: dict[tuple[str, str], float] = {}
        issuer_wide = slo.sli.issuer_wide
        for check in self.checks_of(slo):
            key = (check.issuer.name, "" if issuer_wide else check.target)
            regions = len(check.regions) or len(self.regions)
            rates[key] = rates.get(key, 0) + regions / check.interval
        return int(min(rates.values()) * self.paced(window).total_seconds())

    def _named(self, slo: Slo) -> tuple[str, ...]:
        return tuple(issuer for other in self.slos if other.sli is slo.sli for issuer in other.issuers)
