"""The dashboard that a page opens: what fires, which step fails for whom and from where, and what changed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from alerts import series as s
from alerts.deployment import Deployment, Slo
from alerts.model import OWNER, SEVERITY, SLO, TIER, Alert
from dashboards.alert_panels import alert_sections
from dashboards.board import ONCALL, TAG, Board, drill_choice
from dashboards.grafana import Section, Tile
from dashboards.objectives import lasts, these
from dashboards.oncall_causes import changes, key_panels, login_panels, token_panels, validation_panels
from dashboards.scope import CHOSEN
from dashboards.style import BAD, GOOD, SECONDS, SHARE, Look, Query, at_least, number, plugin, states
from dashboards.tables import Column, table
from dashboards.telemetry import services_validate
from dashboards.watcher import watcher_panels
from dashboards.ways import ROW_TO_DEBUG, TO_DEBUG, row_to_runbook, row_to_silence
from exporters import metrics as m

_FIRST_ALERT_ROW = 50


def oncall(deployment: Deployment, alerts: Iterable[Alert]) -> Board:
    """Symptoms first, causes below; a panel for every alert in folded rows."""
    return Board(
        uid=ONCALL,
        title="OIDC / On-call",
        about="What fires now, which step fails for whom and from where, and the exact series behind every alert.",
        past="now-3h",
        refresh="30s",
        scope=CHOSEN,
        variables=(drill_choice(),),
        sections=(
            Section(10, "Now", now(deployment)),
            Section(11, "Is it login?", login_panels()),
            Section(12, "Are tokens valid?", validation_panels(), folded=True),
            Section(13, "Does the token endpoint answer?", token_panels(), folded=True),
            Section(14, "Are keys, metadata and certificates in order?", key_panels(), folded=True),
            Section(15, "What changed?", changes(TAG), folded=True),
            *alert_sections(alerts, deployment.alerting, _FIRST_ALERT_ROW),
            Section(16, "Real users, where their telemetry is collected", services_validate(), folded=True),
            Section(17, "The watcher itself", watcher_panels(200), folded=True),
        ),
    )


def now(deployment: Deployment) -> tuple[Tile, ...]:
    """The first screen."""
    slos = deployment.fed()
    budgets = (budget_left(slos), budget_lasts(slos)) if slos else ()
    return active_incidents(deployment), alert_list(), coverage(), *budgets, check_states()


def coverage() -> Tile:
    """Whether enough regions look."""
    about = "Regions with a fresh result, of those that are expected; the worst. Below 1 an agent is silent: mend that first."
    look = Look(SHARE, 0, high=1, steps=at_least(Decimal(1), Decimal("0.5")))
    return number(103, "Coverage", about, [Query(f"min({CHOSEN.recorded(s.COVERAGE)})")], look)


def budget_left(slos: tuple[Slo, ...]) -> Tile:
    """How near the next broken promise is."""
    about = "What is left of the error budget that is nearest to its end. At 0 the promise is broken."
    look = Look(SHARE, 0, low=None, steps=at_least(Decimal("0.25"), Decimal("0.1")))
    query = Query(f"min({CHOSEN.recorded(s.BUDGET_LEFT, these(slos))})")
    return number(104, "Least budget left", about, [query], look)


def budget_lasts(slos: tuple[Slo, ...]) -> Tile:
    """How soon."""
    about = "At the pace of the last 24 hours, the time until the first error budget is spent."
    steps = at_least(Decimal(7 * 86_400), Decimal(86_400))
    look = Look(SECONDS, 0, steps=steps, no_value="no budget is being spent")
    return number(105, "It lasts for", about, [Query(f"min({lasts(CHOSEN, slos)})")], look)


def active_incidents(deployment: Deployment) -> Tile:
    """What fires, since when, whose it is, and the page that says what to do."""
    labels = {
        "alertname": "Alert", SEVERITY: "Severity", m.ISSUER: "Issuer", m.TARGET: "Client", m.REGION: "Region",
        OWNER: "Owner", SLO: "Objective", TIER: "Tier", m.DRILL: "Drill",
    }  # fmt: skip
    by = ", ".join(labels)
    firing = f"60 * count_over_time({CHOSEN.alerts()}[1d:1m]) and {CHOSEN.alerts()}"
    silence = row_to_silence(deployment.alerting)
    links = {
        **row_to_runbook(deployment.alerting),
        "Issuer": ROW_TO_DEBUG,
        **({"Severity": silence} if silence else {}),
    }
    about = (
        "Every alert that fires for the choice above. The alert leads to its runbook, the issuer to the debug dashboard, "
        "the severity to the form that silences it."
    )
    columns = (Column("Fired for, of 24 h", f"max by ({by}) ({firing})", Look(SECONDS, 0)),)
    return table(101, "Active incidents", about, labels, columns, links=links, no_value="nothing fires", width=16)


def alert_list() -> Tile:
    """Grafana's own list, for alerts that live in Grafana."""
    options = {
        "alertInstanceLabelFilter": '{issuer=~"${issuer:regex}|[*]"}',
        "alertName": "",
        "groupMode": "default",
        "maxItems": 20,
        "sortOrder": 3,
        "stateFilter": {"error": True, "firing": True, "noData": False, "normal": False, "pending": True},
        "viewMode": "list",
    }
    about = "Firing and pending rules as Grafana lists them, from the data source and from Grafana itself."
    return plugin(102, "alertlist", "Alert rules", about, options, width=8)


def check_states() -> Tile:
    """Where it fails: every check from every region."""
    by = f"{m.ISSUER}, {m.TARGET}, {m.PROBE}, {m.REGION}"
    query = Query(f"min by ({by}) ({CHOSEN.of(m.SUCCESS)})", "{{issuer}}/{{target}}/{{probe}} from {{region}}")
    about = (
        "The last result of every check from every region; a gap is no result. One region alone points at a network, all "
        "regions at the provider, one client at its registration."
    )
    words = {"0": ("failed", BAD), "1": ("ok", GOOD)}
    return states(106, "Which checks fail, and from where?", about, [query], words, width=12, links=(TO_DEBUG,))
