"""Links from panel to panel: from the overview to the on-call dashboard and on to the details, and to runbook pages."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.deployment import Alerting
from alerts.links import runbook_url, silence_url
from dashboards.board import DEBUG, ONCALL
from exporters import metrics as m

_RANGE = "${__url_time_range}"
_CHOICES = "".join(f"&${{{name}:queryparam}}" for name in ("datasource", m.TARGET, m.REGION))

TO_ONCALL = ("On-call: this issuer", f"/d/{ONCALL}?var-issuer=${{__field.labels.issuer}}{_CHOICES}&{_RANGE}")
"""From a series that has the label `issuer`."""

TO_DEBUG = ("Debug: this issuer", f"/d/{DEBUG}?var-issuer=${{__field.labels.issuer}}{_CHOICES}&{_RANGE}")

ROW_TO_ONCALL = ("On-call: this issuer", f"/d/{ONCALL}?var-issuer=${{__data.fields.Issuer}}{_CHOICES}&{_RANGE}")
"""From a row of a table that has a column `Issuer`."""

ROW_TO_DEBUG = ("Debug: this issuer", f"/d/{DEBUG}?var-issuer=${{__data.fields.Issuer}}{_CHOICES}&{_RANGE}")

ROW_TO_AGENT = ("Status page of the agent: each run with its steps", "http://${__data.fields.Agent}/")
"""The agent's page has what no metric may have: steps, findings and artifacts of single runs."""


def row_to_runbook(alerting: Alerting) -> Mapping[str, tuple[str, str]]:
    """From a row of a table that has a column `Alert`; nothing where the pages have no address."""
    if not alerting.runbooks_url:
        return {}
    return {"Alert": ("Runbook", runbook_url(alerting, "${__data.fields.Alert}"))}


def row_to_silence(alerting: Alerting) -> tuple[str, str] | None:
    """From a row of a table that has a column `Alert` to the form that silences it; None without Alertmanager."""
    url = silence_url(alerting, _NAME)
    return ("Silence", url.replace(_NAME, "${__data.fields.Alert}")) if url else None


# Stands for the name while the URL is quoted: Grafana's placeholder would be quoted away.
_NAME = "ALERT"
