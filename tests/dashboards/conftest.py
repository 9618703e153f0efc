"""A deployment with every kind of probe in two regions, and its dashboards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from alerts.deployment import Alerting, Deployment
from dashboards.catalogue import dashboards_of
from probes.model import Check
from probes.registry import PROBES
from probes.subjects import Client, Issuer, Region

ALERTING = Alerting(
    runbooks_url="https://runbooks.example",
    grafana_url="https://grafana.example",
    prometheus_url="https://prometheus.example",
    alertmanager_url="https://alertmanager.example",
)
REGIONS = (Region("eu-west", "gcpv", "IE"), Region("us-east", "dqcj", "US"))


def deployment_with(*issuers: str) -> Deployment:
    """Each issuer with one client and every kind of probe, once a minute."""
    subjects = tuple(
        Issuer(name, f"https://{name}.example", owner="identity", clients=(Client("portal", "portal"),))
        for name in issuers
    )
    checks = (
        Check(issuer, kind.name, issuer.clients[0] if kind.of == "client" else None)
        for issuer in subjects
        for kind in PROBES.values()
    )
    return Deployment(issuers=subjects, checks=tuple(checks), regions=REGIONS, alerting=ALERTING)


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    return deployment_with("acme")


@pytest.fixture(scope="session")
def two_issuers() -> Deployment:
    return deployment_with("acme", "rehearsal")


@pytest.fixture(scope="session")
def large_deployment() -> Deployment:
    return deployment_with(*(f"tenant{number}" for number in range(200)))


@pytest.fixture(scope="session")
def texts(deployment: Deployment) -> Mapping[str, str]:
    """The dashboards' JSON by file name."""
    return dashboards_of(deployment)


@pytest.fixture(scope="session")
def dashboards(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The same as values, by uid."""
    return {dashboard["uid"]: dashboard for dashboard in map(json.loads, texts.values())}
