"""What every dashboard has around its panels: variables, links to the others, annotations, and that nobody edits it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as shape
from grafana_foundation_sdk.models import dashboard as model

from alerts import links
from alerts import series as s
from alerts.model import SEVERITY
from alerts.windows import Severity
from dashboards.grafana import Section, rendered
from dashboards.scope import Scope, equals
from dashboards.style import BAD, INFO, PROMETHEUS, UNKNOWN, WARN
from exporters import metrics as m

TAG = "oidcwatch"
"""Of every dashboard, and of every annotation that is posted about this deployment."""

EXECUTIVE, ONCALL, DEBUG, DRILL = "oidc-executive", links.ONCALL, "oidc-debug", "oidc-drill"
"""Uids: parts of the addresses that alerts and people have written down."""

_GRAFANA = shape.DataSourceRef(type_val="grafana", uid="-- Grafana --")


@dataclass(frozen=True, slots=True)
class Board:
    """What one dashboard is called and how it opens. `past` is the range, as Grafana writes it (`now-3h`)."""

    uid: str
    title: str
    about: str
    past: str
    refresh: str
    sections: tuple[Section, ...]
    scope: Scope
    variables: tuple[Builder[model.VariableModel], ...] = ()
    """Those beyond the ones that all dashboards have."""


def render(board: Board) -> str:
    """The dashboard's JSON."""
    dashboard = build.Dashboard(board.title).uid(board.uid).description(board.about).tags([TAG]).readonly()
    dashboard.timezone("browser").time(board.past, "now").refresh(board.refresh)
    dashboard.tooltip(model.DashboardCursorSync.CROSSHAIR)
    dashboard.variables([*_variables(), *board.variables]).annotations([*_annotations(board.scope)])
    others = build.DashboardLink("OpenID Connect").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    dashboard.link(others.as_dropdown(True).include_vars(True).keep_time(True))
    return rendered(dashboard, board.sections)


# --- variables --------------------------------------------------------------------------------------------------------


def _variables() -> Iterable[Builder[model.VariableModel]]:
    """The choices that all dashboards share, so that links between them keep what was chosen.

    Issuers and targets come from the rules, which know what is configured even while no agent runs.
    """
    yield build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    yield _choice(m.ISSUER, "Issuer", s.ISSUER_OWNER)
    yield _choice(m.TARGET, "Client", f'{s.CLIENT_OWNER}{{issuer=~"$issuer"}}')
    yield _choice(m.REGION, "Region", m.REGION_INFO.name)


def _choice(label: str, title: str, series: str) -> Builder[model.VariableModel]:
    query = f"label_values({series}, {label})"
    variable = build.QueryVariable(label).label(title).datasource(PROMETHEUS).query(query).definition(query)
    variable.multi(True).include_all(True).all_value(".+").current(model.VariableOption(True, "All", "$__all"))
    return variable.sort(model.VariableSort.ALPHABETICAL_ASC).refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)


def drill_choice() -> Builder[model.VariableModel]:
    """Whether runs of drills are shown. Real ones are, unless somebody asks for the others."""
    choices = (("Real runs", "false"), ("Drill runs", "true"), ("Both", "true|false"))
    options = [model.VariableOption(value == "false", text, value) for text, value in choices]
    query = ", ".join(f"{text} : {value}" for text, value in choices)
    return build.CustomVariable(m.DRILL).label("Runs").values(query).options(options).current(options[0])


# --- annotations ------------------------------------------------------------------------------------------------------


class _ByTag(Dataquery):
    """Annotations that were posted to Grafana; the SDK's own value for these is no query."""

    def to_json(self) -> Mapping[str, object]:
        return {"limit": 100, "matchAny": True, "tags": [TAG], "type": "tags"}


class _ByTagBuilder(Builder[Dataquery]):
    def build(self) -> Dataquery:
        return _ByTag()


def _annotations(scope: Scope) -> Iterable[Builder[model.AnnotationQuery]]:
    """What happened: posted by `oidcwatch annotate`, and read from the metrics."""
    posted = build.AnnotationQuery().name("Deployments, rotations, drills").datasource(_GRAFANA).icon_color(INFO)
    yield posted.enable(True).target(_ByTagBuilder())

    pages = f"max by (alertname, issuer) ({scope.alerts(equals(SEVERITY, Severity.PAGE))})"
    yield _series("Pages", pages, BAD, "{{alertname}}", "{{issuer}}")

    changed = f"1000 * max by (issuer) ({scope.of(m.JWKS_LAST_CHANGE)})"
    yield _series("Key set changed", changed, WARN, "Key set of {{issuer}} changed", "", at_value=True)

    reloaded = f"1000 * max by (instance) ({m.RELOAD_TIME.name})"
    yield _series("Configuration loaded", reloaded, UNKNOWN, "Configuration loaded by {{instance}}", "", at_value=True)

    drills = f'count by (issuer) ({m.INTERVAL.name}{{issuer=~"$issuer",drill="true"}})'
    yield _series("Drill", drills, INFO, "Drill on {{issuer}}", "")


def _series(
    name: str, expr: str, colour: str, title: str, text: str, *, at_value: bool = False
) -> Builder[model.AnnotationQuery]:
    """An annotation where the series has samples, or at the time (in milliseconds) that its value is."""
    query = build.AnnotationQuery().name(name).datasource(PROMETHEUS).icon_color(colour).enable(True)
    query.expr(expr).step("60s").title_format(title).text_format(text)
    return query.use_value_for_time(True) if at_value else query
