"""Where an alert leads: its runbook page, its panel, its query and the form that silences it."""

from __future__ import annotations

import zlib
from urllib.parse import quote

from alerts.deployment import Alerting
from alerts.model import ANY, Alert, Level
from exporters import metrics as m

ONCALL = "oidc-oncall"
"""The dashboard that has a panel for every alert."""

# The panels of alerts get ids of their own range: other panels are numbered by hand below it.
_FIRST, _RANGE = 100_000, 900_000

_VARIABLES: dict[Level, tuple[str, ...]] = {
    Level.ISSUER: (m.ISSUER,),
    Level.TARGET: (m.ISSUER, m.TARGET),
    Level.REGION: (m.ISSUER, m.TARGET, m.REGION),
    Level.FINDING: (m.ISSUER,),
    Level.AGENT: (),
}


def panel_id(alert_name: str) -> int:
    """The id of the alert's panel on the on-call dashboard: the same on every machine and in every version."""
    return _FIRST + zlib.crc32(alert_name.encode()) % _RANGE


def page_name(alert_name: str) -> str:
    """File name of the alert's runbook page in the static site."""
    return f"{alert_name}.html"


def runbook_url(alerting: Alerting, alert_name: str) -> str:
    """The page; relative to the site's folder when no base URL is configured."""
    return "/".join(filter(None, (alerting.runbooks_url, page_name(alert_name))))


def dashboard_url(alerting: Alerting, alert: Alert) -> str:
    """The alert's panel with the variables of the firing alert: a Prometheus template. ANY is left out: it is no
    regular expression, and the dashboard shows everything without it.
    """
    variables = "".join(
        f'{{{{ if ne $labels.{name} "{ANY}" }}}}&var-{name}={{{{ $labels.{name} | urlquery }}}}{{{{ end }}}}'
        for name in _VARIABLES[alert.level]
    )
    return f"{alerting.grafana_url}/d/{ONCALL}?viewPanel={panel_id(alert.name)}{variables}"


def silence_url(alerting: Alerting, alert_name: str) -> str:
    """The form of a new silence for this alert."""
    matchers = quote(f'{{alertname="{alert_name}"}}')
    return f"{alerting.alertmanager_url}/#/silences/new?filter={matchers}" if alerting.alertmanager_url else ""


def is_any(value: str) -> bool:
    """Whether a label's value means all of them."""
    return value in ("", ANY)
