"""Rules about ids, positions and links."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from dashboards.board import DEBUG, DRILL, EXECUTIVE, ONCALL
from dashboards.grafana import WIDTH
from dashboards.queries import Json, panels_of

_LONGEST_UID = 40  # Grafana refuses longer ones
_UIDS = frozenset({EXECUTIVE, ONCALL, DEBUG, DRILL})


def distinct_ids(dashboard: Json) -> Iterator[str]:
    """Rows too: Grafana takes a panel with the id 0, or of another's, for the other one."""
    rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
    ids = Counter(panel["id"] for panel in (*rows, *panels_of(dashboard)))
    for id, times in ids.items():
        if times > 1 or not id:
            yield f"{times} panels have the id {id}"


def no_overflow(dashboard: Json) -> Iterator[str]:
    """Every panel is inside the grid."""
    for panel in (*dashboard["panels"], *panels_of(dashboard)):
        at = panel["gridPos"]
        if at["x"] < 0 or at["w"] < 1 or at["h"] < 1 or at["x"] + at["w"] > WIDTH:
            yield f"{panel['title']} is at {at}"


def no_overlap(dashboard: Json) -> Iterator[str]:
    """No two panels that are shown together cover the same place. Those of a folded row are shown without the others."""
    folded = [panel["panels"] for panel in dashboard["panels"] if panel["type"] == "row"]
    for shown in (dashboard["panels"], *folded):
        for one, other in combinations(shown, 2):
            if _overlap(one["gridPos"], other["gridPos"]):
                yield f"{one['title']} covers {other['title']}"


def _overlap(one: Json, other: Json) -> bool:
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def short_uid(dashboard: Json) -> Iterator[str]:
    """The uid is known, and no longer than Grafana allows."""
    if dashboard["uid"] not in _UIDS or len(dashboard["uid"]) > _LONGEST_UID:
        yield f"has the uid {dashboard['uid']}"


def links_lead_somewhere(dashboard: Json) -> Iterator[str]:
    """Links to dashboards name one of ours."""
    for panel in panels_of(dashboard):
        for uid in re.findall(r"/d/([\w-]+)", str(panel)):
            if uid not in _UIDS:
                yield f"{panel['title']} links to {uid}"
