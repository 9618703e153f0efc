"""The PromQL of every panel, as it is asked when the dashboard opens: for promtool, and to look for what leads nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Json = dict[str, Any]

GLOBALS: Mapping[str, str] = MappingProxyType({"__rate_interval": "5m", "__range": "1h", "__interval": "1m"})
"""What Grafana puts in for its own variables, for a range of an hour."""

_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)")


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """One query of a panel; `panel` is 0 for an annotation, whose name is the title."""

    dashboard: str
    panel: int
    title: str
    ref: str
    template: str
    """With variables."""
    expr: str
    """With the values that they have when the dashboard opens: all issuers, clients and regions, no drills."""

    @property
    def name(self) -> str:
        """For messages and lists: `oidc-oncall/131/B`."""
        return f"{self.dashboard}/{self.panel or self.title}/{self.ref}"


def queries_of(dashboards: Mapping[str, str]) -> tuple[PanelQuery, ...]:
    """Every Prometheus query of every panel and annotation, in their order. ValueError for an unknown variable."""
    return tuple(query for text in dashboards.values() for query in _of_one(json.loads(text)))


def panels_of(dashboard: Json) -> Iterator[Json]:
    """All panels with those in folded rows, and without the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def variables_in(text: str) -> Iterator[str]:
    """Names of the variables that a query, a link or a title uses."""
    return (found[1] or found[2] for found in _VARIABLE.finditer(text))


def asked(template: str, values: Mapping[str, str]) -> str:
    """The text with values for its variables; ValueError for a variable that has none."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in values:
            raise ValueError(f"unknown variable ${name} in {template}")
        return values[name]

    return _VARIABLE.sub(value, template)


def defaults(dashboard: Json) -> dict[str, str]:
    """Values of the variables when the dashboard opens."""
    return {**GLOBALS, **{str(variable["name"]): _default(variable) for variable in dashboard["templating"]["list"]}}


def _default(variable: Json) -> str:
    if variable.get("includeAll"):
        return str(variable["allValue"])
    return str(variable.get("current", {}).get("value", ""))


def _of_one(dashboard: Json) -> Iterator[PanelQuery]:
    uid, values = dashboard["uid"], defaults(dashboard)
    for panel in panels_of(dashboard):
        for target in panel.get("targets", ()):
            if target["datasource"]["type"] == "prometheus":
                expr = asked(target["expr"], values)
                yield PanelQuery(uid, panel["id"], panel["title"], target["refId"], target["expr"], expr)
    for annotation in dashboard["annotations"]["list"]:
        if annotation["datasource"]["type"] == "prometheus":
            name, template = annotation["name"], annotation["expr"]
            yield PanelQuery(uid, 0, name, "annotation", template, asked(template, values))
