"""Panels about the agents themselves: whether what the other panels show can be trusted."""

from __future__ import annotations

from dashboards.grafana import Tile
from dashboards.scope import CHOSEN
from dashboards.style import COUNT, SECONDS, Look, Query, graph
from exporters import metrics as m
from exporters.metrics import Metric

_WINDOW = "[$__rate_interval]"
_EVENTS = Look(COUNT, 0, no_value="none")


def watcher_panels(first_id: int) -> tuple[Tile, ...]:
    """Ids count up from the first."""
    makers = (fresh, late, missed, browsers, memory)
    return tuple(make(id) for id, make in enumerate(makers, first_id))


def fresh(id: int) -> Tile:
    """Whether checks run as often as they should."""
    overdue = f"max by (issuer, probe, region) ((time() - {CHOSEN.of(m.LAST_RUN)}) / {CHOSEN.of(m.INTERVAL)})"
    about = "Age of each check's last result, in its own intervals. Over 3 the result counts for nothing any more."
    return graph(
        id, "How old are results?", about, [Query(overdue, "{{issuer}} {{probe}} from {{region}}")], Look("none", 1)
    )


def _quantile(metric: Metric) -> str:
    return f"histogram_quantile(0.99, sum by ({m.LE}, instance) (rate({metric.name}_bucket{_WINDOW})))"


def late(id: int) -> Tile:
    """Whether the schedule holds."""
    about = "Time by which the latest 1 % of runs start after they are due, and wait for a free browser. Add an agent if it grows."
    queries = [
        Query(_quantile(m.LATENESS), "{{instance}}: after due time"),
        Query(_quantile(m.BROWSER_QUEUE), "{{instance}}: wait for a browser"),
    ]
    return graph(id, "How late do runs start? (p99)", about, queries, Look(SECONDS, 2))


def missed(id: int) -> Tile:
    """What never ran."""
    about = "Runs that were due and never started, runs whose artifacts were lost, browsers that did not start or died."
    failures = {
        "missed runs": m.MISSED, "artifacts lost": m.ARTIFACT_FAILURES, "runs not stored": m.RUN_STORE_FAILURES,
        "browsers not started": m.BROWSER_LAUNCH_FAILURES, "browsers crashed": m.BROWSER_CRASHES,
    }  # fmt: skip
    queries = [
        Query(f"sum by (instance) (increase({metric.name}{_WINDOW}))", f"{{{{instance}}}}: {name}")
        for name, metric in failures.items()
    ]
    return graph(id, "What went wrong in agents?", about, queries, _EVENTS)


def browsers(id: int) -> Tile:
    """How busy agents are."""
    about = "Runs and browser contexts that are open. A line that only rises is a leak."
    queries = [
        Query(f"sum by (instance) ({m.IN_FLIGHT.name})", "{{instance}}: runs"),
        Query(f"sum by (instance) ({m.BROWSER_CONTEXTS.name})", "{{instance}}: browser contexts"),
    ]
    return graph(id, "What runs now?", about, queries, _EVENTS, width=12)


def memory(id: int) -> Tile:
    """Of browsers."""
    about = "Resident memory of the browsers' processes. They are replaced by age, runs or memory, as configured."
    query = Query(f"sum by (instance) ({m.BROWSER_RSS.name})", "{{instance}}")
    return graph(id, "Browsers' memory", about, [query], Look("bytes", 0), width=12)
