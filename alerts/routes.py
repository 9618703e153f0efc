"""Who is told of which alert: destinations as a table, the routing tree made of it, and what each alert must reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import product

from alerts.alertmanager_times import OFFICE_HOURS, maintained_issuers
from alerts.deployment import Deployment
from alerts.model import AREA, LABELS, OWNER, SEVERITY, Alert, Area, Team
from alerts.rules_file import labels_of
from alerts.watching import WATCHDOG
from alerts.windows import Severity
from exporters import metrics as m
from exporters.findings import ROTATION_CHECKS
from exporters.slis import Matcher
from probes.subjects import Client, Issuer

ALERTNAME = "alertname"
NOBODY = "nobody"
"""The receiver without a configuration, of routes that nobody was named for."""
INCIDENT = (m.ISSUER, AREA, m.DRILL)
"""Alerts with the same values of these labels are one incident, and one notification."""

_SECOND, _MINUTE, _HOUR, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Destination:
    """One key of `Alerting.receivers`, which alerts go there, and how often. The first that matches is taken."""

    name: str
    matchers: tuple[Matcher, ...]
    wait: timedelta
    """From the first alert of an incident to the notification."""
    interval: timedelta
    """Between two notifications of an incident that changes."""
    repeat: timedelta
    """Between two notifications of an incident that does not change."""
    group_by: tuple[str, ...] = INCIDENT
    office: bool = False
    """Whether it waits for office hours."""
    maintained: bool = True
    """Whether maintenance windows silence it."""
    by_team: bool = False
    """Whether a team may have a receiver of its own for it."""


_SHORTEST = timedelta(milliseconds=100)  # Alertmanager takes no zero, and a rehearsal needs no flood

# A cause and its symptoms come from different rule groups, which are evaluated within half a minute or so of one
# another: with this wait the cause is there in time to hide the symptoms, and the pager rings once.
_WAIT = 30 * _SECOND

DEFAULT = Destination("default", (Matcher(SEVERITY, "=", Severity.INFO),), 5 * _MINUTE, 15 * _MINUTE, 7 * _DAY)
DESTINATIONS: tuple[Destination, ...] = (
    # First, so that nothing below can keep the sign of life: no other route, no office hours, no maintenance. It repeats
    # a little sooner than the interval: what was sent a moment less than that ago would wait for the next one.
    Destination(
        "deadman", (Matcher(ALERTNAME, "=", WATCHDOG),), _SECOND, _MINUTE, 50 * _SECOND, (ALERTNAME,), maintained=False
    ),
    # Before every severity: a game day wakes nobody who does not take part.
    Destination("drill", (Matcher(m.DRILL, "=", "true"),), _WAIT, _MINUTE, _HOUR),
    # Before the severities, and in maintenance too: a control that does not hold is worth most to an attacker then.
    Destination("security", (Matcher(AREA, "=", Area.SECURITY),), _WAIT, _MINUTE, _HOUR, maintained=False),
    Destination("page", (Matcher(SEVERITY, "=", Severity.PAGE),), _WAIT, _MINUTE, _HOUR, by_team=True),
    Destination(
        "ticket", (Matcher(SEVERITY, "=", Severity.TICKET),), 5 * _MINUTE, 15 * _MINUTE, _DAY, office=True, by_team=True
    ),
    DEFAULT,
)
BY_TEAM = tuple(destination.name for destination in DESTINATIONS if destination.by_team)
"""The keys of an entry of `Alerting.teams`."""


@dataclass(frozen=True, slots=True)
class Route:
    """One node of the routing tree. A child takes times and receiver from its parent; intervals are its own."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    wait: timedelta | None = None
    interval: timedelta | None = None
    repeat: timedelta | None = None
    active: tuple[str, ...] = ()
    """Names of the time intervals in which it notifies; empty means always."""
    mute: tuple[str, ...] = ()
    """Names of the time intervals in which it does not."""
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteTest:
    """The labels of one alert and the receiver that it must reach."""

    labels: tuple[tuple[str, str], ...]
    receiver: str


def receiver_name(destination: str, team: str = "") -> str:
    """The name of the receiver of a destination, or of one team's for it."""
    return f"{destination}-{team}" if team else destination


def receiver_of(deployment: Deployment, name: str, owner: str = "") -> str:
    """Who is told of what arrives at a destination and belongs to this owner: its team, everybody's, or `nobody`."""
    alerting = deployment.alerting
    if name in BY_TEAM and alerting.teams.get(owner, {}).get(name):
        return receiver_name(name, owner)
    return receiver_name(name) if alerting.receivers.get(name) else NOBODY


def routing_tree(deployment: Deployment) -> Route:
    """The whole tree. What no destination takes (alerts of others that share this Alertmanager) goes to the default."""
    children = tuple(_route(deployment, destination) for destination in DESTINATIONS)
    receiver = receiver_of(deployment, DEFAULT.name)
    return Route(receiver, (), INCIDENT, *_times(deployment, DEFAULT), routes=children)


def _route(deployment: Deployment, to: Destination) -> Route:
    receiver = receiver_of(deployment, to.name)
    active = (OFFICE_HOURS,) if to.office else ()
    windows = maintained_issuers(deployment) if to.maintained else ()

    def quiet(receiver: str) -> tuple[Route, ...]:
        return tuple(Route(receiver, (issuers,), active=active, mute=names) for issuers, names in windows)

    teams = deployment.alerting.teams if to.by_team else {}
    # A child has no intervals but its own, so that office hours and maintenance are said again.
    own = tuple(
        Route(name, (Matcher(OWNER, "=", team),), active=active, routes=quiet(name))
        for team in teams
        if (name := receiver_of(deployment, to.name, team)) == receiver_name(to.name, team)
    )
    return Route(
        receiver, to.matchers, to.group_by, *_times(deployment, to), active=active, routes=(*own, *quiet(receiver))
    )


def _times(deployment: Deployment, to: Destination) -> tuple[timedelta, timedelta, timedelta]:
    wait, interval, repeat = (max(deployment.paced(time), _SHORTEST) for time in (to.wait, to.interval, to.repeat))
    return wait, interval, repeat


def route_tests(deployment: Deployment, alerts: Sequence[Alert]) -> tuple[RouteTest, ...]:
    """For every alert, with every owner that makes a difference, in a drill and outside of one: where it must arrive.

    The expectation is written down independently of the routing tree, and `alerts.alertmanager_check` compares both.
    """
    return tuple(
        RouteTest(_labels(deployment, case, drill), receiver_of(deployment, _expected(case.alert, drill), case.owner))
        for case, drill in product(_cases(deployment, alerts), ("false", "true"))
    )


def unattended(deployment: Deployment, alerts: Sequence[Alert]) -> tuple[str, ...]:
    """The destinations some of whose alerts reach nobody: no receiver is configured for them, nor for their owners."""
    lost = {
        name
        for case, drill in product(_cases(deployment, alerts), ("false", "true"))
        if receiver_of(deployment, name := _expected(case.alert, drill), case.owner) == NOBODY
    }
    return tuple(destination.name for destination in DESTINATIONS if destination.name in lost)


@dataclass(frozen=True, slots=True)
class _Case:
    """An alert about one issuer and one of its clients, and whose it is."""

    alert: Alert
    issuer: str
    target: str
    owner: str


def _cases(deployment: Deployment, alerts: Sequence[Alert]) -> Iterator[_Case]:
    """Each alert with every team that has receivers of its own and with one that has not, if it can have such owners.

    Hundreds of teams without receivers would all say the same.
    """
    subjects = {team: _subjects(deployment, team) for team in Team}
    for alert in alerts:
        if isinstance(alert.owner, Team):
            yield from (_Case(alert, *subject) for subject in subjects[alert.owner])
        else:
            issuer, target, _ = subjects[Team.ISSUER][0]
            yield _Case(alert, issuer, target, alert.owner)


def _subjects(deployment: Deployment, team: Team) -> tuple[tuple[str, str, str], ...]:
    """Issuer, client and owner: the first of each team that makes a difference, or an example if nothing is watched."""
    alerting = deployment.alerting
    first: dict[str, tuple[str, str, str]] = {}
    for issuer in deployment.issuers or (Issuer("acme", ""),):
        for client in issuer.clients or (Client("portal", "portal"),):
            owner = alerting.team_of(issuer, client if team is Team.CLIENT else None)
            first.setdefault(owner if owner in alerting.teams else "", (issuer.name, client.name, owner))
    return tuple(first.values())


def _labels(deployment: Deployment, case: _Case, drill: str) -> tuple[tuple[str, str], ...]:
    region = deployment.regions[0].name if deployment.regions else "local"
    place = {m.ISSUER: case.issuer, m.TARGET: case.target, m.REGION: region}
    sample = {**place, OWNER: case.owner, m.FINDING.name: next(iter(ROTATION_CHECKS))}
    labels = sample | labels_of(case.alert) | {m.DRILL: drill}
    return ((ALERTNAME, case.alert.name), *((name, labels[name]) for name in LABELS))


def _expected(alert: Alert, drill: str) -> str:
    if alert.name == WATCHDOG:
        return "deadman"
    if drill == "true":
        return "drill"
    if alert.area is Area.SECURITY:
        return "security"
    return {Severity.PAGE: "page", Severity.TICKET: "ticket", Severity.INFO: "default"}[alert.severity]
