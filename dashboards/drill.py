"""The dashboard of a game day: what is under drill, which alerts came how soon, and that nothing real was touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from alerts import series as s
from alerts.deployment import Deployment
from alerts.model import SEVERITY, SLO
from alerts.windows import Severity
from dashboards.board import DRILL, Board
from dashboards.grafana import Section, Tile
from dashboards.objectives import these
from dashboards.rotation import rotation_panels
from dashboards.scope import DRILLED, REAL, equals
from dashboards.style import BAD, COUNT, INFO, RATE, SECONDS, SHARE, WARN, Look, Query, graph, number, states, words
from dashboards.tables import Column, table
from dashboards.ways import row_to_runbook
from exporters import metrics as m

_STEP = "[$__range:1m]"
_UNDER_DRILL = DRILLED.of(m.INTERVAL)
_STARTED = f"min by ({m.ISSUER}) (min_over_time(timestamp({_UNDER_DRILL}){_STEP}))"
_SHORT = timedelta(minutes=5)


def drill(deployment: Deployment) -> Board:
    """Two hours; everything above the last rows is of drill runs only."""
    return Board(
        uid=DRILL,
        title="OIDC / Drill",
        about="A game day while it runs: what is under drill, which alerts fired how soon, and that nobody else suffers.",
        past="now-2h",
        refresh="30s",
        scope=DRILLED,
        sections=(
            Section(
                30, "The drill", (how_to_read(), under_drill(), elapsed(), first_alert(), first_page(), recovery())
            ),
            Section(31, "Was it noticed?", (alert_timeline(), alerts_fired(deployment))),
            Section(32, "What does it do?", (*bad_share(deployment), results(), reasons())),
            Section(
                33, "Is anybody else hurt?", (*budgets_untouched(deployment), control_group(), drill_runs_counted())
            ),
            Section(35, "What does it do to keys?", rotation_panels(450, DRILLED)),
            Section(
                34, "Are alerts delivered? (needs Alertmanager's metrics)", (delivered(), not_delivered()), folded=True
            ),
        ),
    )


def how_to_read() -> Tile:
    """What a drill is here."""
    text = (
        'While an issuer is under drill its runs are counted with `drill="true"`: they spend no budget and their alerts go '
        "to the drill's receiver. Abort with `oidcwatch drill abort`; a forgotten drill ends by itself. The scenario, its "
        "hypothesis and its criteria are in the drill's report."
    )
    return words(401, "How to read this", text, height=3)


def under_drill() -> Tile:
    """Which issuers."""
    look = Look(COUNT, 0, steps=((None, INFO),), no_value="no drill is running")
    about = "Issuers whose runs are counted as drill runs now."
    return number(402, "Issuers under drill", about, [Query(f"count(count by ({m.ISSUER}) ({_UNDER_DRILL}))")], look)


def elapsed() -> Tile:
    """Since it began."""
    look = Look(SECONDS, 0, no_value="no drill in this range")
    about = "Time since the first drill run in the chosen range."
    return number(403, "Since the drill began", about, [Query(f"time() - min({_STARTED})")], look, width=5)


def _first(matchers: str) -> str:
    """Seconds from the drill's begin to the first alert, by alert and issuer."""
    fired = f"min by (alertname, {m.ISSUER}, {SEVERITY}) (min_over_time(timestamp({matchers}){_STEP}))"
    return f"{fired} - on ({m.ISSUER}) group_left () {_STARTED}"


def first_alert() -> Tile:
    """Time to detect."""
    look = Look(SECONDS, 0, no_value="nothing fired")
    about = (
        "Time from the drill's begin to the first alert of any severity. It includes the time before the fault began."
    )
    return number(404, "First alert after", about, [Query(f"min({_first(DRILLED.alerts())})")], look, width=5)


def first_page() -> Tile:
    """Time until somebody would have been woken."""
    page = DRILLED.alerts(equals(SEVERITY, Severity.PAGE))
    look = Look(SECONDS, 0, steps=((None, INFO), (Decimal(300), WARN)), no_value="nobody would be paged")
    about = "Time from the drill's begin to the first alert that would page, had it been no drill."
    return number(405, "First page after", about, [Query(f"min({_first(page)})")], look, width=5)


def recovery() -> Tile:
    """How long alerts were on."""
    look = Look(SECONDS, 0, no_value="nothing fired")
    about = "Time in the chosen range in which at least one alert of the drill fired: from detection to recovery."
    firing = f"60 * sum(count_over_time((count({DRILLED.alerts()}) > bool 0){_STEP}))"
    return number(406, "Alerts fired for", about, [Query(firing)], look, width=5)


def alert_timeline() -> Tile:
    """Pending, firing, over."""
    pending = DRILLED.alerts(state="pending")
    expr = f"max by (alertname, {m.ISSUER}) (2 * {DRILLED.alerts()} or {pending})"
    about = "Alerts of drill runs: pending while their condition must still hold, then firing, then over."
    states_of = {"1": ("pending", WARN), "2": ("firing", BAD)}
    return states(
        410, "Alerts of the drill", about, [Query(expr, "{{alertname}} {{issuer}}")], states_of, width=12, height=9
    )


def alerts_fired(deployment: Deployment) -> Tile:
    """With their delays, to be compared with what was predicted."""
    columns = (Column("First fired after", _first(DRILLED.alerts()), Look(SECONDS, 0)),)
    labels = {"alertname": "Alert", SEVERITY: "Severity", m.ISSUER: "Issuer"}
    about = (
        "Which alerts fired, and how long after the drill began. The drill's report compares them with its prediction."
    )
    links = row_to_runbook(deployment.alerting)
    return table(411, "Observed alerts", about, labels, columns, links=links, no_value="nothing fired", height=9)


def bad_share(deployment: Deployment) -> Iterator[Tile]:
    """The indicators while the fault is on."""
    if not deployment.fed():
        return
    query = Query(
        f"max by (issuer, {SLO}) ({DRILLED.recorded(s.over(s.RATIO, _SHORT), these(deployment.fed()))})",
        "{{issuer}}: {{slo}}",
    )
    about = "Share of bad events over five minutes, of drill runs: the curve that the prediction is compared with."
    yield graph(420, "Bad share during the drill", about, [query], Look(SHARE, 1, high=1))


def results() -> Tile:
    """Runs under drill."""
    query = Query(
        f"sum by (probe, result) (increase({DRILLED.of(m.RUNS)}[$__rate_interval])) > 0", "{{probe}}: {{result}}"
    )
    about = "Runs of the drill by probe and result. Runs are excluded where the probe itself was in trouble."
    return graph(421, "Runs of the drill", about, [query], Look(COUNT, 0))


def reasons() -> Tile:
    """What the probes say is wrong."""
    query = Query(f"sum by (reason) (increase({DRILLED.of(m.FAILURES)}[$__rate_interval])) > 0", "{{reason}}")
    about = "Reasons of failed drill runs. They should name the fault that was injected, and no other."
    return graph(422, "Reasons seen", about, [query], Look(COUNT, 0, no_value="none"), stacked=True)


def budgets_untouched(deployment: Deployment) -> Iterator[Tile]:
    """The proof that a drill spends nothing."""
    if not deployment.fed():
        return
    query = Query(f"min by ({SLO}) ({REAL.recorded(s.BUDGET_LEFT, these(deployment.fed()))})", "{{slo}}")
    about = "Error budgets left, of real runs: flat during a drill. If one falls, the fault reaches beyond the drill: abort."
    yield graph(430, "Real budgets during the drill", about, [query], Look(SHARE, 1, low=None, high=1))


def control_group() -> Tile:
    """The others."""
    expr = f"max by (issuer) ({REAL.recorded(s.over(s.RATIO, _SHORT))} unless on ({m.ISSUER}) {_UNDER_DRILL})"
    about = "Share of bad events over five minutes at issuers that are not under drill. It must stay where it was."
    return graph(431, "Issuers not under drill", about, [Query(expr, "{{issuer}}")], Look(SHARE, 1, high=1))


def drill_runs_counted() -> Tile:
    """Real and drill runs side by side."""
    parts = (("real runs", REAL), ("drill runs", DRILLED))
    queries = [Query(f"sum(increase({scope.of(m.RUNS)}[$__rate_interval]))", name) for name, scope in parts]
    about = "Runs that are counted for budgets, and runs that are counted for the drill."
    return graph(432, "Real and drill runs", about, queries, Look(COUNT, 0))


def delivered() -> Tile:
    """By receiver."""
    query = Query("sum by (integration) (rate(alertmanager_notifications_total[$__rate_interval]))", "{{integration}}")
    about = "Notifications that Alertmanager sent, by kind of receiver."
    return graph(440, "Notifications", about, [query], Look(RATE, 3, no_value="not collected here"), width=12)


def not_delivered() -> Tile:
    """Failures, by receiver."""
    failed = "sum by (integration) (rate(alertmanager_notifications_failed_total[$__rate_interval]))"
    about = "Notifications that Alertmanager could not deliver. Any is a page that nobody gets."
    look = Look(RATE, 3, no_value="not collected here")
    return graph(441, "Notifications that failed", about, [Query(failed, "{{integration}}")], look, width=12)
