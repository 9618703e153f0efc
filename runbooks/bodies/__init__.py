"""The hand-written part of every page, chosen by the alert's name, its role, or its area."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from alerts.model import Alert, Area, Role
from runbooks.bodies.keys import CLOCK, COMPROMISED, KEYS, SHARED
from runbooks.bodies.login import CLIENT, LOGIN, REFRESH, RESOURCE
from runbooks.bodies.model import Body
from runbooks.bodies.provider import CERTIFICATE, PROVIDER, TOKEN
from runbooks.bodies.watching import BUDGET, DRILL, PROBE, REGION, SECURITY, WATCHDOG

BY_NAME: Mapping[str, Body] = MappingProxyType(
    {"Watchdog": WATCHDOG, "OidcKeyCompromised": COMPROMISED, "OidcKeyShared": SHARED}
)
BY_ROLE: Mapping[Role, Body] = MappingProxyType({Role.REGION: REGION, Role.BUDGET: BUDGET})
BY_AREA: Mapping[Area, Body] = MappingProxyType(
    {
        Area.PROVIDER: PROVIDER,
        Area.TOKEN: TOKEN,
        Area.KEYS: KEYS,
        Area.LOGIN: LOGIN,
        Area.REFRESH: REFRESH,
        Area.CLIENT: CLIENT,
        Area.RESOURCE: RESOURCE,
        Area.CLOCK: CLOCK,
        Area.CERTIFICATE: CERTIFICATE,
        Area.SECURITY: SECURITY,
        Area.PROBE: PROBE,
        Area.DRILL: DRILL,
    }
)


def body_of(alert: Alert) -> Body:
    """The body of that very alert, or of its role, or of its area, which always exists."""
    return BY_NAME.get(alert.name) or BY_ROLE.get(alert.role) or BY_AREA[alert.area]
