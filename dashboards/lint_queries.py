"""Rules about the queries of panels."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from dashboards.queries import GLOBALS, Json, panels_of, variables_in

# What Grafana knows without being told.
_BUILT_IN = frozenset({*GLOBALS, "__url_time_range", "__field", "__data", "__value", "__from", "__to"})
_GRAPHS = frozenset({"timeseries", "stat", "gauge", "table", "state-timeline"})
_RATE_WINDOW = re.compile(r"\bi?rate\s*\([^\[\]]*\[([^\]:]+)\]")
_COUNTER = re.compile(r"(?<![\w:])\w+_total(?![\w:])")
_RATED = re.compile(r"\b(?:rate|irate|increase)\s*\(\s*\w+_total(?:\{[^}]*\})?\s*\[")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')


def _targets(dashboard: Json, source: str) -> Iterator[tuple[Json, Json]]:
    for panel in panels_of(dashboard):
        for target in panel.get("targets", ()):
            if target["datasource"]["type"] == source:
                yield panel, target


def some_query(dashboard: Json) -> Iterator[str]:
    """Every target asks something."""
    for panel, target in _targets(dashboard, "prometheus"):
        if not target["expr"].strip():
            yield f"{panel['title']} has an empty query"


def rate_interval(dashboard: Json) -> Iterator[str]:
    """rate() over less than a few scrapes is empty, and over a fixed time is wrong when the range grows."""
    for panel, target in _targets(dashboard, "prometheus"):
        windows = _RATE_WINDOW.findall(target["expr"])
        if panel["type"] in _GRAPHS and any(window != "$__rate_interval" for window in windows):
            yield f"{panel['title']} rates over {windows}"


def counters_are_rated(dashboard: Json) -> Iterator[str]:
    """A counter's value says nothing: it starts anew with every process."""
    for panel, target in _targets(dashboard, "prometheus"):
        bare = _RATED.sub("", _STRING.sub('""', target["expr"]))
        if found := _COUNTER.findall(bare):
            yield f"{panel['title']} shows the counters {found} themselves"


def has_matcher(label: str) -> Callable[[Json], Iterator[str]]:
    """Every query narrows that label by its variable."""

    def check(dashboard: Json) -> Iterator[str]:
        for panel, target in _targets(dashboard, "prometheus"):
            if f'{label}=~"${label}"' not in target["expr"]:
                yield f"{panel['title']} has no matcher for {label}"

    return check


def logql_selects(dashboard: Json) -> Iterator[str]:
    """A LogQL query begins with a stream selector."""
    for panel, target in _targets(dashboard, "loki"):
        if not target["expr"].lstrip().startswith("{"):
            yield f"{panel['title']} asks {target['expr']}"


def logql_auto(dashboard: Json) -> Iterator[str]:
    """Ranges of LogQL follow the graph's resolution."""
    for panel, target in _targets(dashboard, "loki"):
        if any(window != "$__auto" for window in re.findall(r"\[([^\]]+)\]", target["expr"])):
            yield f"{panel['title']} has a fixed range in {target['expr']}"


def declared_variables(dashboard: Json) -> Iterator[str]:
    """Every variable that a query, a link or a data source uses is one of the dashboard's."""
    declared = {each["name"] for each in dashboard["templating"]["list"]} | _BUILT_IN
    for part in ("panels", "annotations"):
        text = json.dumps(dashboard[part])
        if unknown := {name for name in variables_in(text) if name.split(".")[0] not in declared}:
            yield f"{part} use the variables {sorted(unknown)}"
