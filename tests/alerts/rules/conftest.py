"""Deployments to generate rules for, and Prometheus's own tool to judge them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from alerts.deployment import DEFAULT_SLOS, Deployment, Slo
from alerts.prometheus_version import PrometheusVersion
from alerts.rules_file import rules_yaml
from alerts.unit_tests import unit_tests_yaml
from exporters.slis import BY_NAME
from probes.model import Check
from probes.registry import PROBES
from probes.subjects import Client, Issuer, Region

REGIONS = ("eu-west", "us-east", "ap-south")
RULES, TESTS = "oidcwatch.rules.yml", "oidcwatch.tests.yml"

Promtool = Callable[..., str]


def make_deployment(
    *kinds: str,
    regions: int = 3,
    interval: float = 60,
    issuers: tuple[str, ...] = ("acme",),
    slos: tuple[Slo, ...] = DEFAULT_SLOS,
    prometheus: PrometheusVersion = PrometheusVersion.DEBIAN,
    speed: int = 1,
) -> Deployment:
    """These kinds of check, for a portal at each issuer, from the first so many regions."""
    names = REGIONS[:regions]
    subjects, checks = [], []
    for name in issuers:
        portal = Client("portal", "portal", owner="shop")
        issuer = Issuer(name, f"https://login.{name}.example", owner="identity", clients=(portal,))
        subjects.append(issuer)
        for kind in kinds or tuple(PROBES):
            client = portal if PROBES[kind].of == "client" else None
            checks.append(Check(issuer, kind, client, interval=interval, regions=names))
    places = tuple(Region(name) for name in names)
    return Deployment(tuple(subjects), tuple(checks), places, slos, prometheus=prometheus, speed=speed)


def slo(name: str, objective: str, days: int = 30, issuers: tuple[str, ...] = ()) -> Slo:
    return Slo(name, BY_NAME[name], Decimal(objective), timedelta(days=days), issuers)


_CUSTOM = (slo("login-success", "99"), slo("jwks-fetch", "99.5", 7), slo("jwks-freshness", "99.99", 7))
_PER_ISSUER = (
    slo("login-success", "99.9"),
    Slo("login-success-globex", BY_NAME["login-success"], Decimal("99.5"), timedelta(days=7), ("globex",)),
)

# All objectives at once take promtool half a minute; what differs in the others shows with few.
DEPLOYMENTS: dict[str, Callable[[], Deployment]] = {
    "every kind of check from three regions": make_deployment,
    "one region": lambda: make_deployment("login", regions=1, slos=(slo("login-success", "99.95"),)),
    "two regions": lambda: make_deployment("discovery", regions=2),
    "five minutes between runs": lambda: make_deployment("discovery", interval=300),
    "custom objectives over a week": lambda: make_deployment("login", "jwks", slos=_CUSTOM),
    "an objective of its own for one issuer": lambda: make_deployment(
        "login", issuers=("acme", "globex"), slos=_PER_ISSUER
    ),
    "thirty times as fast": lambda: make_deployment(
        "login", "jwks", interval=4, speed=30, slos=(slo("login-success", "99.95"),)
    ),
    "Prometheus 3": lambda: make_deployment(
        "client_credentials", slos=(slo("token-errors", "99.9"),), prometheus=PrometheusVersion.THREE
    ),
}


@pytest.fixture(scope="session")
def make() -> Callable[..., Deployment]:
    """Builds a deployment; see make_deployment."""
    return make_deployment


@pytest.fixture(params=DEPLOYMENTS, ids=lambda name: name.replace(" ", "-"))
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Each kind of deployment in turn."""
    return DEPLOYMENTS[request.param]()


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Calls promtool and gives all that it says; fails when it does."""
    path = shutil.which("promtool")
    assert path, "promtool is missing: apt-get install prometheus"

    def call(*arguments: str | Path) -> str:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False, timeout=300)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[:20_000]
        return said

    return call


@pytest.fixture
def written(deployment: Deployment, tmp_path: Path) -> Path:
    """A folder with the rules and their tests."""
    (tmp_path / RULES).write_text(rules_yaml(deployment), encoding="utf-8")
    (tmp_path / TESTS).write_text(unit_tests_yaml(deployment, RULES), encoding="utf-8")
    return tmp_path
