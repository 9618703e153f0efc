"""Grafana's provisioning files: where its dashboards are, and the data source that they ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.deployment import Deployment
from alerts.rules_file import dump

DATA_SOURCE = "oidcwatch-prometheus"
"""Uid of the data source."""
FOLDER = "/etc/grafana/dashboards/oidcwatch"
"""Where Grafana finds the dashboards' files: mount or copy them there."""
_LOCAL = "http://localhost:9090"


def provisioning_of(deployment: Deployment) -> Mapping[str, str]:
    """YAML by path below the folder that Grafana provisions from (`/etc/grafana`)."""
    return {
        "provisioning/dashboards/oidcwatch.yaml": dump(_dashboards()),
        "provisioning/datasources/oidcwatch.yaml": dump(_data_source(deployment)),
    }


def _dashboards() -> dict[str, Any]:
    provider = {
        "name": "oidcwatch",
        "folder": "OpenID Connect",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "options": {"path": FOLDER, "foldersFromFilesStructure": False},
    }
    return {"apiVersion": 1, "providers": [provider]}


def _data_source(deployment: Deployment) -> dict[str, Any]:
    source = {
        "name": "oidcwatch",
        "uid": DATA_SOURCE,
        "type": "prometheus",
        "access": "proxy",
        "url": deployment.alerting.prometheus_url or _LOCAL,
        "editable": False,
        # POST, for the longest queries exceed what some proxies take as a URL.
        "jsonData": {"httpMethod": "POST", "manageAlerts": True},
    }
    return {"apiVersion": 1, "datasources": [source]}
