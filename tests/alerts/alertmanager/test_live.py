"""A live Alertmanager groups, hides, mutes and tells alerts as it should."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from alerts.model import LABELS, NONE

pytestmark = pytest.mark.process


def _labels(name: str, issuer: str, **more: str) -> dict[str, str]:
    base = dict.fromkeys(LABELS, NONE) | {"target": "portal", "region": "*", "drill": "false", "owner": "identity"}
    return base | {"alertname": name, "issuer": issuer} | more


BURN = {"role": "symptom", "area": "login", "slo": "login-success"}
FAST = {**BURN, "severity": "page", "tier": "fast"}
SLOW = {**BURN, "severity": "ticket", "tier": "slow"}
REGION = {**BURN, "severity": "ticket", "tier": "fast", "role": "region", "region": "eu-west"}
CAUSE = {"severity": "page", "role": "cause"}
DOWN = {**CAUSE, "area": "provider", "target": "*"}


def test_a_page_hides_the_tickets_of_the_same_objective_and_no_others(live: Any, wait_for: Callable[..., Any]) -> None:
    live.fire(
        _labels("Fast", "one", **FAST),
        _labels("Slow", "one", **SLOW),
        _labels("Region", "one", **REGION),
        _labels("OtherObjective", "one", **{**SLOW, "slo": "token-errors"}),
        _labels("OtherTarget", "one", **{**SLOW, "target": "orders"}),
        _labels("NoObjective", "one", **{**CAUSE, "severity": "ticket", "area": "login"}),
        _labels("Slow", "two", **SLOW),
    )

    wait_for(lambda: live.hidden().get(("Slow", "one")))

    hidden = live.hidden()
    assert {name for name, silent in hidden.items() if silent} == {("Slow", "one"), ("Region", "one")}
    assert hidden["Slow", "two"] is False


def test_a_provider_that_is_down_hides_its_clients_symptoms_but_not_security(
    live: Any, wait_for: Callable[..., Any]
) -> None:
    live.fire(
        _labels("ProviderDown", "three", **DOWN),
        _labels("ClientBurns", "three", **FAST),
        _labels("ClientAuth", "three", **CAUSE, area="client"),
        _labels("ControlNotEnforced", "three", **CAUSE, area="security"),
        _labels("Coverage", "three", severity="ticket", role="watcher", area="probe"),
        _labels("ClientBurns", "four", **FAST),
    )

    wait_for(lambda: live.hidden().get(("ClientBurns", "three")))

    hidden = live.hidden()
    assert {name for name, silent in hidden.items() if silent and name[1] in ("three", "four")} == {
        ("ClientBurns", "three"),
        ("ClientAuth", "three"),
    }


def test_what_follows_from_a_provider_that_is_down_is_hidden_at_the_issuer_too(
    live: Any, wait_for: Callable[..., Any]
) -> None:
    live.fire(
        _labels("OidcProviderDown", "nine", **DOWN),
        _labels("Available", "nine", **{**FAST, "area": "provider", "target": "*", "slo": "idp-availability"}),
        _labels("TokenEndpoint", "nine", **CAUSE, area="token", target="*"),
        _labels("Certificate", "nine", **CAUSE, area="certificate", target="*"),
        _labels("TokenEndpoint", "ten", **CAUSE, area="token", target="*"),
    )

    wait_for(lambda: live.hidden().get(("TokenEndpoint", "nine")))

    hidden = live.hidden()
    assert {name for name, silent in hidden.items() if silent and name[1] in ("nine", "ten")} == {
        ("TokenEndpoint", "nine")
    }


def test_a_drill_hides_nothing_real(live: Any, wait_for: Callable[..., Any]) -> None:
    drill = {"drill": "true"}
    live.fire(
        _labels("ProviderDown", "five", **{**DOWN, **drill}),
        _labels("DrillBurn", "five", **{**FAST, **drill}),
        _labels("RealBurn", "five", **FAST),
        _labels("DrillFast", "six", **{**FAST, **drill}),
        _labels("RealSlow", "six", **SLOW),
    )

    wait_for(lambda: live.hidden().get(("DrillBurn", "five")))

    hidden = live.hidden()
    assert hidden["RealBurn", "five"] is False
    assert hidden["RealSlow", "six"] is False


def test_an_incident_is_one_message_with_what_is_needed(live: Any, sink: Any, wait_for: Callable[..., Any]) -> None:
    annotations = {
        "summary": "portal at seven: 5 of 6 bad in 1h <!channel>",
        "impact": "Users cannot sign in.",
        "runbook_url": "https://runbooks.example/OidcLogin.html",
        "dashboard_url": "https://grafana.example/d/oidc-oncall?viewPanel=7&var-issuer=seven",
        "step": "token",
    }
    live.fire(
        _labels("OidcLogin", "seven", **FAST),
        _labels("OidcCallback", "seven", **{**FAST, "slo": "other"}),
        annotations=annotations,
    )

    def told() -> list[dict[str, Any]]:
        return [post for post in sink.sent_to("/slack") if "seven" in post["attachments"][0]["title"]]

    wait_for(told)

    (attachment,) = told()[0]["attachments"]
    assert attachment["title"] == "PAGE seven/portal, login: 2 alerts"
    assert attachment["color"] == "danger"
    for part in (
        "*OidcLogin* (page): seven/portal\nportal at seven: 5 of 6 bad in 1h &lt;!channel&gt;",
        "Impact: Users cannot sign in.",
        "Area: login",
        "Failing step: token",
        "Owner: identity",
        "<https://runbooks.example/OidcLogin.html|Runbook>",
        "<https://grafana.example/d/oidc-oncall?viewPanel=7&amp;var-issuer=seven|Panel>",
        "<https://alertmanager.acme.example/#/silences/new?filter=%7Balertname%3D%22OidcLogin%22",
        "*OidcCallback* (page)",
    ):
        assert part in attachment["text"]


def test_maintenance_mutes_its_issuer_except_for_security(live: Any, sink: Any, wait_for: Callable[..., Any]) -> None:
    live.fire(
        _labels("Muted", "partner", **FAST),
        _labels("MutedToo", "partner", **{**FAST, "owner": "orders-team"}),
        _labels("ControlNotEnforced", "partner", **CAUSE, area="security"),
    )
    wait_for(lambda: _issuers(sink, "/security") & {"partner"})
    live.fire(_labels("Later", "eight", **FAST), _labels("LaterToo", "eight", **{**FAST, "owner": "orders-team"}))

    wait_for(lambda: _issuers(sink, "/page") & _issuers(sink, "/orders") & {"eight"})

    assert "partner" not in _issuers(sink, "/page") | _issuers(sink, "/orders")


def test_a_team_gets_what_it_owns_and_nobody_else_does(live: Any, sink: Any, wait_for: Callable[..., Any]) -> None:
    live.fire(
        _labels("ClientAuth", "eleven", **CAUSE, area="client", owner="orders-team", target="orders"),
        _labels("ClientAuth", "eleven", **CAUSE, area="client", target="portal"),
    )

    wait_for(lambda: _issuers(sink, "/page") & _issuers(sink, "/orders") & {"eleven"})

    assert _targets(sink, "/orders", "eleven") == {"orders"}
    assert _targets(sink, "/page", "eleven") == {"portal"}


def test_the_sign_of_life_is_repeated(live: Any, sink: Any, wait_for: Callable[..., Any]) -> None:
    live.fire(_labels("Watchdog", "*", severity="info", role="watcher", area="probe"))

    wait_for(lambda: len(sink.sent_to("/deadman")) >= 3)

    assert {post["receiver"] for post in sink.sent_to("/deadman")} == {"deadman"}


def _issuers(sink: Any, path: str) -> set[str]:
    return {alert["labels"]["issuer"] for post in sink.sent_to(path) for alert in post["alerts"]}


def _targets(sink: Any, path: str, issuer: str) -> set[str]:
    labels = (alert["labels"] for post in sink.sent_to(path) for alert in post["alerts"])
    return {each["target"] for each in labels if each["issuer"] == issuer}
