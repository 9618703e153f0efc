"""A deployment with every kind of objective, in UTC, whose secrets are files of one cluster secret."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.deployment import Alerting, Deployment, Maintenance
from probes.model import Check
from probes.subjects import Client, Issuer, Region

SECRETS = "/etc/alertmanager/secrets/oidcwatch"
KINDS = ("login", "refresh", "client_credentials")


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    portal = Client("portal", "portal")
    acme = Issuer("acme", "https://login.acme.example", owner="identity", clients=(portal,))
    partner = Issuer("partner", "https://id.partner.example")
    receivers: dict[str, Any] = {
        "page": ({"pagerduty": {"routing_key_file": f"{SECRETS}/pagerduty"}},),
        "ticket": ({"webhook": {"url": "https://tickets.example/hook"}},),
        "security": (
            {"email": {"to": "a@acme.example", "from": "b@acme.example", "smarthost": "smtp.example:25",
                       "auth_password_file": f"{SECRETS}/smtp", "require_tls": True}},
        ),
        "drill": ({"slack": {"api_url_file": f"{SECRETS}/slack url", "channel": "#game-days"}},),
    }  # fmt: skip
    regions = ("eu-west", "us-east", "ap-south")
    return Deployment(
        issuers=(acme, partner),
        checks=(
            *(Check(acme, kind, portal, 60.0, 30.0, regions) for kind in KINDS),
            *(
                Check(issuer, kind, None, 30.0, 10.0, regions)
                for issuer in (acme, partner)
                for kind in ("discovery", "jwks")
            ),
        ),
        regions=tuple(Region(name) for name in regions),
        alerting=Alerting(
            runbooks_url="https://runbooks.example",
            prometheus_url="https://prometheus.example",
            receivers=receivers,
            maintenance=(Maintenance("patching", ("partner",), days="sunday", start="23:00", end="01:00"),),
        ),
    )
