"""Which drills rehearse an alert: names of scenarios of `oidcwatch drill run`, which a test holds against those there are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from alerts.model import Alert
from alerts.rotation import ROTATION_ALERTS

_OF_ROTATIONS: Mapping[str, tuple[str, ...]] = {
    alert.name: tuple(dict.fromkeys(row.drill for row in alert.rows if row.drill)) for alert in ROTATION_ALERTS
}
DRILLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "OidcRotationUnsafe": ("zero-lead", "early-removal"),
        "OidcSignatureVerification": ("zero-lead", "algorithm-change"),
        "OidcJwksInvalid": ("kid-reuse", "kid-missing", "kid-duplicate"),
        "OidcJwksInconsistent": ("edge-inconsistency",),
        "OidcJwksUnavailable": ("jwks-outage-5xx", "jwks-outage-timeout"),
        "OidcJwksStale": ("jwks-outage-empty", "jwks-outage-error-body"),
        "OidcBadResponses": ("jwks-outage-html", "jwks-outage-error-body"),
        "OidcClockOffset": ("clock-skew-ahead", "clock-skew-behind"),
        "OidcTokenTimes": ("clock-skew-ahead", "clock-skew-behind"),
        "OidcIssuerMismatch": ("issuer-change",),
        "OidcTokenEndpointErrors": ("token-endpoint-errors",),
        "OidcClientAuthentication": ("client-secret-expiry",),
        **{name: drills for name, drills in _OF_ROTATIONS.items() if drills},
    }
)
"""Names of scenarios by the name of the alert that they raise, the plainest first."""

_BY_SLO: Mapping[str, tuple[str, ...]] = MappingProxyType({"token-latency": ("token-endpoint-slow",)})


def drills_of(alert: Alert) -> tuple[str, ...]:
    """Scenarios that raise this alert; none for most."""
    return DRILLS.get(alert.name, ()) or _BY_SLO.get(alert.slo, ())
