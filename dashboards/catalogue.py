"""The dashboards of a deployment: four, however many issuers it has."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.catalogue import alerts_of
from alerts.deployment import Deployment
from dashboards.board import render
from dashboards.debug import debug
from dashboards.drill import drill
from dashboards.executive import executive
from dashboards.oncall import oncall


def dashboards_of(deployment: Deployment) -> Mapping[str, str]:
    """JSON by file name; the same text at every call."""
    boards = (executive(deployment), oncall(deployment, alerts_of(deployment)), debug(), drill(deployment))
    return {f"{board.uid}.json": render(board) for board in boards}
