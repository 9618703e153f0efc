"""The dashboard for those who answer for the service: were promises kept, what is left, which incidents cost it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from grafana_foundation_sdk.builders import common, geomap
from grafana_foundation_sdk.models import common as shape

from alerts import series as s
from alerts.deployment import Deployment, Slo
from alerts.model import AREA, OWNER, SEVERITY, SLO
from alerts.promql import number as digits
from alerts.windows import Severity
from dashboards.board import EXECUTIVE, Board
from dashboards.grafana import Section, Tile
from dashboards.objectives import DAY, HOUR, WEEK, burn, fed_by, kept_by_budget, kept_in, lasts, strictest, these
from dashboards.scope import REAL, equals
from dashboards.style import (
    BAD,
    INFO,
    SECONDS,
    SHARE,
    Look,
    Query,
    at_least,
    bars,
    framed,
    graph,
    number,
    states,
    targets,
    words,
)
from dashboards.tables import Column, table
from dashboards.telemetry import users_sign_in
from dashboards.ways import ROW_TO_ONCALL, TO_ONCALL, row_to_runbook
from exporters import metrics as m
from exporters.slis import Freshness

_LOGIN, _AVAILABLE = "login-success", "idp-availability"
_PAGES = equals(SEVERITY, Severity.PAGE)


def executive(deployment: Deployment) -> Board:
    """Seven days on one screen, without drills."""
    return Board(
        uid=EXECUTIVE,
        title="OIDC / Executive",
        about="Whether users can sign in as promised, what is left of the error budgets, and what went wrong.",
        past="now-7d",
        refresh="5m",
        scope=REAL,
        sections=(
            Section(1, "Were promises kept?", tuple(_promises(deployment))),
            Section(2, "What went wrong?", tuple(_incidents(deployment))),
            Section(3, "Where and since when?", tuple(_trends(deployment))),
            Section(4, "Real users, where their telemetry is collected", users_sign_in(), folded=True),
        ),
    )


def _promises(deployment: Deployment) -> Iterator[Tile]:
    slos = deployment.fed()
    yield how_to_read(slos)
    if logins := fed_by(deployment, _LOGIN):
        yield login_success(110, "24 h", DAY, logins, deployment)
        yield login_success(111, "7 d", WEEK, logins, deployment)
        yield logins_made(logins, deployment)
    if available := fed_by(deployment, _AVAILABLE):
        yield availability(available)
        yield coverage(available)
    if slos:
        yield budget_lasts(slos)
        yield budget_left(slos)
        yield scorecard(slos)


def _incidents(deployment: Deployment) -> Iterator[Tile]:
    yield incident_timeline()
    yield incidents(deployment)
    yield time_in_incidents()


def _trends(deployment: Deployment) -> Iterator[Tile]:
    slos = deployment.fed()
    if slos:
        yield burn_down(slos)
        yield burn_rate(slos)
    if counted := tuple(slo for slo in slos if not isinstance(slo.sli.measure, Freshness)):
        shown = fed_by(deployment, _AVAILABLE) or fed_by(deployment, _LOGIN) or counted
        yield by_region(shown)
        if any(region.geohash for region in deployment.regions):
            yield region_map(shown)


def how_to_read(slos: tuple[Slo, ...]) -> Tile:
    """The promises, in words."""
    promises = " · ".join(f"**{slo.sli.title}**: {digits(slo.objective)} % in {slo.window.days} days" for slo in slos)
    text = f"Measured by synthetic users and services from every region; drills are not counted.\n\n{promises}"
    return words(101, "How to read this", text, height=3)


def login_success(id: int, past: str, window: timedelta, slos: tuple[Slo, ...], deployment: Deployment) -> Tile:
    """The seed's first number."""
    goal = strictest(slos)
    about = (
        f"Share of synthetic logins in the last {past} that got from the first request to validated tokens. Promised: "
        f"{digits(goal * 100)} %. Below it, look at the incidents under this row."
    )
    look = Look(SHARE, 3, high=1, steps=at_least(goal))
    return number(id, f"Login success, {past}", about, [Query(kept_in(REAL, slos, window, deployment))], look)


def logins_made(slos: tuple[Slo, ...], deployment: Deployment) -> Tile:
    """How many runs the shares are made of."""
    about = "Synthetic logins in the last 24 hours: what the shares beside it rest on. It falls when an agent stops."
    total = REAL.recorded(s.over(s.TOTAL, DAY), these(slos))
    return number(112, "Logins tried, 24 h", about, [Query(f"sum({total})")], Look(decimals=0))


def availability(slos: tuple[Slo, ...]) -> Tile:
    """Time in which most regions could use the provider."""
    goal = strictest(slos)
    about = (
        "Share of minutes in the objective's window in which no majority of regions failed; the worst issuer. "
        f"Promised: {digits(goal * 100)} %. Minutes in which too few regions looked do not count as bad."
    )
    look = Look(SHARE, 3, high=1, steps=at_least(goal))
    return number(113, "Provider availability", about, [Query(f"min({kept_by_budget(REAL, slos)})")], look)


def coverage(slos: tuple[Slo, ...]) -> Tile:
    """How much of the world was looking."""
    about = "Regions with a fresh result, of those that are expected; the worst issuer. Below 1 the numbers know less."
    look = Look(SHARE, 0, high=1, steps=at_least(Decimal(1), Decimal("0.5")))
    return number(114, "Coverage", about, [Query(f"min({REAL.recorded(s.COVERAGE, these(slos))})")], look)


def budget_lasts(slos: tuple[Slo, ...]) -> Tile:
    """When the first budget will be gone."""
    about = "At the pace of the last 24 hours, the time until the first error budget is spent."
    steps = at_least(Decimal(7 * 86_400), Decimal(86_400))
    look = Look(SECONDS, 0, steps=steps, no_value="no budget is being spent")
    return number(115, "First budget lasts for", about, [Query(f"min({lasts(REAL, slos)})")], look)


def budget_left(slos: tuple[Slo, ...]) -> Tile:
    """What may still go wrong."""
    about = "What is left of each error budget; the worst issuer or client. Under 25 % releases should wait."
    query = Query(f"min by ({SLO}) ({REAL.recorded(s.BUDGET_LEFT, these(slos))})", "{{slo}}")
    look = Look(SHARE, 0, low=0, high=1, steps=at_least(Decimal("0.25"), Decimal("0.1")))
    return bars(120, "Error budget left", about, [query], look, width=8)


def scorecard(slos: tuple[Slo, ...]) -> Tile:
    """Every promise in one table."""
    left = REAL.recorded(s.BUDGET_LEFT, these(slos))
    columns = (
        Column("Promised", f"max by ({SLO}) ({s.OBJECTIVE})", Look(SHARE, 3)),
        Column("Kept, worst", f"min by ({SLO}) ({kept_by_budget(REAL, slos)})", Look(SHARE, 3)),
        Column("Budget left, worst", f"min by ({SLO}) ({left})", Look(SHARE, 0, steps=at_least(Decimal("0.25")))),
        Column("Budgets spent", f"count by ({SLO}) ({left} <= 0) or 0 * count by ({SLO}) ({left})", Look(decimals=0)),
    )
    about = (
        "Each objective: what was promised and kept in its window, and how many issuers or clients spent their budget."
    )
    return table(
        121, "Objectives", about, {SLO: "Objective"}, columns, no_value="no objective is measured yet", width=16
    )


def incident_timeline() -> Tile:
    """When users suffered."""
    about = "Times in which somebody was paged, by issuer and area. A click leads to the on-call dashboard."
    query = Query(f"max by ({m.ISSUER}, {AREA}) ({REAL.alerts(_PAGES)})", "{{issuer}}: {{area}}")
    return states(
        130, "Major incidents", about, [query], {"1": ("incident", BAD)}, width=24, height=6, links=(TO_ONCALL,)
    )


def incidents(deployment: Deployment) -> Tile:
    """What it was, since when, how long, and whose."""
    pages = REAL.alerts(_PAGES)
    by = f"alertname, {m.ISSUER}, {m.TARGET}, {OWNER}"
    first = f"1000 * min by ({by}) (min_over_time(timestamp({pages})[$__range:1m]))"
    columns = (
        Column("First fired", first, Look("dateTimeAsIso")),
        Column("Fired for", f"60 * max by ({by}) (count_over_time({pages}[$__range:1m]))", Look(SECONDS, 0)),
    )
    links = {**row_to_runbook(deployment.alerting), "Issuer": ROW_TO_ONCALL}
    labels = {"alertname": "Alert", m.ISSUER: "Issuer", m.TARGET: "Client", OWNER: "Owner"}
    about = "Pages in the chosen range: when each first fired and for how long in all. The alert leads to its runbook."
    none = "nobody was paged"
    return table(131, "Incidents", about, labels, columns, links=links, no_value=none, width=18, height=7)


def time_in_incidents() -> Tile:
    """How much of the range was an incident."""
    about = "Time in the chosen range in which at least one page fired, for any issuer."
    firing = f"60 * sum(count_over_time((count({REAL.alerts(_PAGES)}) > bool 0)[$__range:1m]))"
    look = Look(SECONDS, 0, steps=((None, INFO),), no_value="none")
    return number(132, "Time in incidents", about, [Query(firing)], look, width=6, height=7)


def burn_down(slos: tuple[Slo, ...]) -> Tile:
    """The budget over time."""
    about = "What was left of each error budget over time; the worst issuer or client. Drills spend none."
    query = Query(f"min by ({SLO}) ({REAL.recorded(s.BUDGET_LEFT, these(slos))})", "{{slo}}")
    return graph(140, "Error budget left over time", about, [query], Look(SHARE, 0, low=None, high=1), width=12)


def burn_rate(slos: tuple[Slo, ...]) -> Tile:
    """How fast it goes."""
    about = (
        "How many times faster than allowed budgets are spent, over one hour; the worst issuer or client. 1 spends the "
        "budget in just its window; pages start at 6 (over six hours) and 14.4 (over one)."
    )
    queries = [Query(f"max by ({SLO}) ({burn(REAL, slos, HOUR)})", "{{slo}}"), *_pace_lines()]
    return graph(141, "Burn rate", about, queries, Look("none", 1), width=12)


def _pace_lines() -> Iterator[Query]:
    for pace, meaning in (("1", "just allowed"), ("6", "pages over 6 h"), ("14.4", "pages over 1 h")):
        yield Query(f"vector({pace})", f"{pace}: {meaning}")


def _regional(slos: tuple[Slo, ...]) -> str:
    bad, total = (
        f"sum by ({m.REGION}) ({REAL.recorded(s.over(name, DAY), these(slos))})"
        for name in (s.REGION_BAD, s.REGION_TOTAL)
    )
    return f"1 - {bad} / ({total} > 0)"


def by_region(slos: tuple[Slo, ...]) -> Tile:
    """The same as the map, without a map."""
    about = "Share of good runs in the last 24 hours as seen from each region. One low bar is that region's network."
    look = Look(SHARE, 2, high=1, steps=at_least(strictest(slos), strictest(slos) - Decimal("0.01")))
    return bars(142, "Availability by region, 24 h", about, [Query(_regional(slos), "{{region}}")], look, width=12)


def region_map(slos: tuple[Slo, ...]) -> Tile:
    """Where it is seen from."""
    places = f'max by ({m.REGION}, {m.GEOHASH.name}) ({m.REGION_INFO.name}{{{m.GEOHASH.name}!=""}})'
    expr = f"{_regional(slos)} * on ({m.REGION}) group_left ({m.GEOHASH.name}) {places}"
    about = "The same on a map. The background comes from the internet; where there is none, only the markers show."
    look = Look(SHARE, 2, high=1, steps=at_least(strictest(slos), strictest(slos) - Decimal("0.01")))
    panel = framed(geomap.Panel(), 143, "Availability map, 24 h", about, look)
    where = common.FrameGeometrySource().mode(shape.FrameGeometrySourceMode.GEOHASH).geohash(m.GEOHASH.name)
    markers = common.MapLayerOptions().type("markers").name("Regions").location(where).tooltip(True)
    panel.layers([markers]).basemap(common.MapLayerOptions().type("default").name("Map"))
    for target in targets([Query(expr)], instant=True, table=True):
        panel.with_target(target)
    return Tile(panel.build(), 12, 8)
