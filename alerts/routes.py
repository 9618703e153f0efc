"""Who is told of which alert: destinations as a table, the routing tree made of it, and what each alert must reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import product

from alerts.alertmanager_times import OFFICE_HOURS, maintained_issuers
from alerts.deployment import Deployment
from alerts.model import AREA, LABELS, NONE, OWNER, SEVERITY, Alert, Area
from alerts.rules_file import labels_of
from alerts.watching import WATCHDOG
from alerts.windows import Severity
from exporters import metrics as m
from exporters.slis import Matcher

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
    Destination("page", (Matcher(SEVERITY, "=", Severity.PAGE),), _WAIT, _MINUTE, _HOUR),
    Destination("ticket", (Matcher(SEVERITY, "=", Severity.TICKET),), 5 * _MINUTE, 15 * _MINUTE, _DAY, office=True),
    DEFAULT,
)


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


def receiver_of(deployment: Deployment, name: str) -> str:
    """The receiver of a destination: its own name, or `nobody`."""
    return name if deployment.alerting.receivers.get(name) else NOBODY


def unattended(deployment: Deployment) -> tuple[str, ...]:
    """The destinations whose alerts reach nobody, because no receiver is configured for them."""
    return tuple(each.name for each in DESTINATIONS if receiver_of(deployment, each.name) == NOBODY)


def routing_tree(deployment: Deployment) -> Route:
    """The whole tree. What no destination takes (alerts of others that share this Alertmanager) goes to the default."""
    children = tuple(_route(deployment, destination) for destination in DESTINATIONS)
    receiver = receiver_of(deployment, DEFAULT.name)
    return Route(receiver, (), INCIDENT, *_times(deployment, DEFAULT), routes=children)


def _route(deployment: Deployment, to: Destination) -> Route:
    receiver = receiver_of(deployment, to.name)
    active = (OFFICE_HOURS,) if to.office else ()
    windows = maintained_issuers(deployment) if to.maintained else ()
    # A child has no intervals but its own, so that office hours are said again.
    quiet = tuple(Route(receiver, (issuers,), active=active, mute=names) for issuers, names in windows)
    return Route(receiver, to.matchers, to.group_by, *_times(deployment, to), active=active, routes=quiet)


def _times(deployment: Deployment, to: Destination) -> tuple[timedelta, timedelta, timedelta]:
    wait, interval, repeat = (max(deployment.paced(time), _SHORTEST) for time in (to.wait, to.interval, to.repeat))
    return wait, interval, repeat


def route_tests(deployment: Deployment, alerts: Sequence[Alert]) -> tuple[RouteTest, ...]:
    """For every alert, in a drill and outside of one: where it must arrive.

    The expectation is written down independently of the routing tree, and `alerts.alertmanager_check` compares both.
    """
    return tuple(_test(deployment, alert, drill) for alert, drill in product(alerts, ("false", "true")))


def _test(deployment: Deployment, alert: Alert, drill: str) -> RouteTest:
    issuer = deployment.issuers[0] if deployment.issuers else None
    target = issuer.clients[0].name if issuer and issuer.clients else "portal"
    region = deployment.regions[0].name if deployment.regions else "local"
    sample = dict.fromkeys(LABELS, NONE) | {m.ISSUER: issuer.name if issuer else "acme", m.TARGET: target}
    labels = sample | {m.REGION: region, OWNER: "somebody"} | labels_of(alert) | {m.DRILL: drill}
    ordered = ((ALERTNAME, alert.name), *((name, labels[name]) for name in LABELS))
    return RouteTest(ordered, receiver_of(deployment, _expected(alert, drill)))


def _expected(alert: Alert, drill: str) -> str:
    if alert.name == WATCHDOG:
        return "deadman"
    if drill == "true":
        return "drill"
    if alert.area is Area.SECURITY:
        return "security"
    return {Severity.PAGE: "page", Severity.TICKET: "ticket", Severity.INFO: "default"}[alert.severity]
