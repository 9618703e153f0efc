"""The JSON of each dashboard for one small deployment, to be read in a review.

`OIDCWATCH_WRITE_GOLDEN=1 pytest tests/dashboards/test_golden.py` writes the files anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from alerts.deployment import Alerting, Deployment, Slo
from alerts.model import Alert, Area, Condition, Level, Role
from alerts.windows import Severity
from dashboards.board import Board, render
from dashboards.debug import debug
from dashboards.drill import drill
from dashboards.executive import executive
from dashboards.oncall import oncall
from exporters.slis import BY_NAME
from probes.model import Check
from probes.subjects import Client, Issuer, Region

GOLDEN = Path(__file__).parent / "golden"

PORTAL = Client("portal", "portal")
ACME = Issuer("acme", "https://login.acme.example", owner="identity", clients=(PORTAL,))
DEPLOYMENT = Deployment(
    issuers=(ACME,),
    checks=(Check(ACME, "login", PORTAL), Check(ACME, "jwks", interval=30)),
    regions=(Region("eu-west", "gcpv", "IE"), Region("us-east")),
    slos=tuple(
        Slo(name, BY_NAME[name], Decimal(objective), timedelta(days=30))
        for name, objective in (("login-success", "99.9"), ("idp-availability", "99.99"))
    ),
    alerting=Alerting(runbooks_url="https://runbooks.example", alertmanager_url="https://alertmanager.example"),
)
# An alert of our own: the catalogue's are compared with their panels elsewhere, and change more often.
ALERT = Alert(
    name="OidcLoginSuccessBurnFast",
    severity=Severity.PAGE,
    area=Area.LOGIN,
    role=Role.SYMPTOM,
    level=Level.TARGET,
    any_of=(
        (
            Condition("Share of bad events in 1h, at least", 'a:wilson1h{slo="login"}', ">", Decimal("0.0144")),
            Condition("Bad events in 1h", 'a:bad1h{slo="login"}', ">=", Decimal("2.5")),
        ),
    ),
    summary="Logins fail",
    impact="Users cannot sign in.",
    about="Why it is so.",
)


@pytest.mark.parametrize(
    "make",
    [
        lambda: executive(DEPLOYMENT),
        lambda: oncall(DEPLOYMENT, (ALERT,)),
        lambda: debug(),
        lambda: drill(DEPLOYMENT),
    ],
    ids=["executive", "oncall", "debug", "drill"],
)
def test_a_dashboard_is_what_was_reviewed(make: Callable[[], Board]) -> None:
    board = make()
    golden = GOLDEN / f"{board.uid}.json"

    text = render(board)

    if os.environ.get("OIDCWATCH_WRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
