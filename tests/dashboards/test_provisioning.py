"""Grafana finds the dashboards and the data source without a click."""

from __future__ import annotations

import yaml

from alerts.deployment import Alerting, Deployment
from dashboards.provisioning import DATA_SOURCE, FOLDER, provisioning_of


def test_the_data_source_asks_the_configured_prometheus(deployment: Deployment) -> None:
    (source,) = yaml.safe_load(provisioning_of(deployment)["provisioning/datasources/oidcwatch.yaml"])["datasources"]

    assert (source["uid"], source["type"], source["url"]) == (DATA_SOURCE, "prometheus", "https://prometheus.example")


def test_without_an_address_prometheus_is_expected_beside_grafana(deployment: Deployment) -> None:
    plain = Deployment(deployment.issuers, deployment.checks, deployment.regions, alerting=Alerting())

    (source,) = yaml.safe_load(provisioning_of(plain)["provisioning/datasources/oidcwatch.yaml"])["datasources"]

    assert source["url"] == "http://localhost:9090"


def test_dashboards_are_read_from_files_and_not_edited_in_grafana(deployment: Deployment) -> None:
    (provider,) = yaml.safe_load(provisioning_of(deployment)["provisioning/dashboards/oidcwatch.yaml"])["providers"]

    assert provider["options"]["path"] == FOLDER
    assert provider["allowUiUpdates"] is False
