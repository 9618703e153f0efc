"""The values that the table of causes is made of: which failures, seen how often and from how many regions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from alerts.deployment import Deployment
from alerts.model import Area, Level, Role, Team
from alerts.windows import Severity
from probes.model import Check, Reason, Stage
from probes.reasons import REASONS, Owner
from probes.registry import PROBES

FIVE_MINUTES, HALF_AN_HOUR = timedelta(minutes=5), timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much must be seen before a cause is named."""

    majority: bool = True
    """A strict majority of the regions that ran must have seen it; otherwise one region is enough."""
    floor: int = 4
    """Failed runs in the window: at 0.2 % noise and 60 runs in five minutes, three come together every other week."""
    share: Decimal | None = Decimal("0.1")
    """Of the runs in the window, so that a probe of every 15 s is not proof sooner than one of every minute."""
    shortest: timedelta = FIVE_MINUTES


STEADY = Evidence()
"""For what fails each run while it lasts."""
TOLD_ONCE = Evidence(floor=1, share=None, shortest=HALF_AN_HOUR)
"""For changes: each region's probe tells one when it notices it, and then takes the new state for the known one."""
ANYWHERE = Evidence(majority=False, floor=3)
"""For runs that count for no objective: no other alert tells of one region alone."""
PROOF = Evidence(majority=False, floor=1, share=None, shortest=HALF_AN_HOUR)
"""For controls: what was accepted once and had to be refused needs no second witness."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause alert over failure reasons. Each pair of reason and stage belongs to exactly one of them."""

    name: str
    reasons: tuple[Reason, ...]
    wrong: str
    """What is the matter, as the end of "acme: ..."."""
    impact: str
    severity: Severity
    area: Area
    level: Level = Level.ISSUER
    owner: Team | Owner = Team.ISSUER
    evidence: Evidence = STEADY
    role: Role = Role.CAUSE
    stages: frozenset[Stage] = frozenset(Stage)
    """Where the reasons mean this cause; at other stages they mean another."""
    probes: frozenset[str] = frozenset()
    """Kinds of probe whose failures tell of it; empty means all that can give a reason at one of the stages."""
    otherwise: frozenset[str] = frozenset()
    """Kinds that stand in where none of `probes` is configured."""
    about: str = ""

    def fed_by(self, checks: Iterable[Check]) -> tuple[Check, ...]:
        """Those of the checks that can fail for this cause."""
        able = tuple(check for check in checks if self._can_come_from(check))
        chosen = tuple(check for check in able if check.probe in self.probes)
        return chosen or tuple(check for check in able if not self.probes or check.probe in self.otherwise)

    def _can_come_from(self, check: Check) -> bool:
        kind = PROBES[check.probe]
        if self.level is Level.TARGET and kind.of != "client":
            return False
        seen = (kind.stages | {Stage.PROBE}) & self.stages
        return any(REASONS[reason].stages & seen for reason in self.reasons)


def team(deployment: Deployment, owner: Team | Owner) -> Team | str:
    """The value of the label `owner`: looked up when the rule is evaluated, or this deployment's name for a team."""
    return owner if isinstance(owner, Team) else deployment.alerting.owners.get(owner.value, owner.value)


def distinct(deployment: Deployment) -> tuple[Check, ...]:
    """One check for each kind, interval and number of regions: all that causes depend on, of thousands of checks."""
    return tuple({(check.probe, check.interval, len(check.regions)): check for check in deployment.checks}.values())


def regions_of(deployment: Deployment, checks: Iterable[Check]) -> int:
    """Regions from which the most widely run of these checks looks."""
    return max((len(check.regions) or len(deployment.regions) for check in checks), default=0)


def windows_by_kind(
    deployment: Deployment, checks: Iterable[Check], shortest: timedelta
) -> dict[timedelta, tuple[str, ...]]:
    """The window in which each kind of probe is judged, shortest first: five runs of its slowest check, in minutes.

    Kinds are judged apart, so that a refresh of every five minutes does not make a login of every minute wait.
    """
    slowest: dict[str, float] = {}
    for check in checks:
        slowest[check.probe] = max(slowest.get(check.probe, 0), check.interval)
    kinds: dict[timedelta, tuple[str, ...]] = {}
    for kind in sorted(slowest):
        runs = timedelta(seconds=5 * slowest[kind]) * deployment.speed
        window = max(shortest, timedelta(minutes=-(-runs // timedelta(minutes=1))))
        kinds[window] = (*kinds.get(window, ()), kind)
    return dict(sorted(kinds.items()))


def longest_window(deployment: Deployment, checks: Iterable[Check], shortest: timedelta) -> timedelta:
    """The window in which the slowest of these checks is judged; `shortest` when there are none."""
    return max(windows_by_kind(deployment, checks, shortest), default=shortest)
