"""The table of causes is complete and free of contradictions, and its alerts say what alerts must say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from alerts.causes import cause_alerts
from alerts.causes_table import CAUSES, cause_of
from alerts.deployment import Alerting, Deployment
from alerts.model import LABELS, Alert, Area, Level, Role, Team
from alerts.rules_file import expression, labels_of
from alerts.watching import watching_alerts
from alerts.windows import Severity
from probes.model import Reason, Stage
from probes.reasons import ROWS, Owner, ReasonRow, SliClass

Make = Callable[..., Deployment]

_OF_SERIES = {
    Level.ISSUER: {"issuer", "drill"},
    Level.TARGET: {"issuer", "target", "drill"},
    Level.REGION: {"issuer", "target", "region", "drill"},
    Level.FINDING: {"issuer", "finding", "drill"},
    Level.AGENT: set[str](),
}


@pytest.fixture
def alerts(make: Make) -> dict[str, Alert]:
    deployment = make()
    return {alert.name: alert for alert in (*cause_alerts(deployment), *watching_alerts(deployment))}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason)
def test_every_reason_at_every_stage_belongs_to_exactly_one_cause(row: ReasonRow) -> None:
    for stage in sorted(row.stages):
        named = [cause.name for cause in CAUSES if row.reason in cause.reasons and stage in cause.stages]

        assert len(named) == 1, f"{row.reason} at {stage} belongs to {named or 'no cause'}"


def test_a_reason_leads_to_the_alert_of_its_stage() -> None:
    assert cause_of(Reason.SERVER_ERROR, Stage.DISCOVERY) == "OidcProviderDown"
    assert cause_of(Reason.SERVER_ERROR, Stage.TOKEN) == "OidcTokenEndpointErrors"
    assert cause_of(Reason.SERVER_ERROR, Stage.LOGIN_FORM) == "OidcSignInFailing"
    assert cause_of(Reason.SERVER_ERROR) == "OidcProviderDown"
    assert cause_of(Reason.KID_UNKNOWN) == "OidcSignatureVerification"


def test_names_are_unique(alerts: dict[str, Alert], make: Make) -> None:
    deployment = make()
    counted = Counter(alert.name for alert in (*cause_alerts(deployment), *watching_alerts(deployment)))

    assert [name for name, times in counted.items() if times > 1] == []


def test_every_alert_ends_up_with_exactly_the_common_labels(alerts: dict[str, Alert]) -> None:
    for alert in alerts.values():
        joined = {"owner"} if isinstance(alert.owner, Team) else set()

        labels = _OF_SERIES[alert.level] | joined | labels_of(alert).keys()

        assert labels == set(LABELS), alert.name


def test_every_alert_says_what_is_wrong_what_users_see_and_why_it_is_compared_so(alerts: dict[str, Alert]) -> None:
    for alert in alerts.values():
        assert all((alert.summary, alert.impact, alert.about)), alert.name
        assert "{{ $labels.reason" not in alert.summary, alert.name


def test_security_is_called_for_controls_that_do_not_hold(make: Make) -> None:
    security = {row.reason for row in ROWS if row.sli is SliClass.SECURITY}

    told = [cause for cause in CAUSES if security & set(cause.reasons)]

    assert {(cause.area, cause.owner) for cause in told} == {(Area.SECURITY, Owner.SECURITY)}


def test_reasons_that_spend_no_budget_are_told_from_one_region_alone() -> None:
    excluded = {row.reason for row in ROWS if row.sli is SliClass.EXCLUDED} - {Reason.CLOCK_SKEW}

    told = [cause for cause in CAUSES if excluded & set(cause.reasons)]

    assert [cause.name for cause in told if cause.evidence.majority] == []


def test_nobody_is_woken_on_the_word_of_one_region(make: Make) -> None:
    deployment = make(regions=1)

    pages = {a.name for a in cause_alerts(deployment) if a.severity is Severity.PAGE and a.role is Role.CAUSE}

    # A control that does not hold, and the date in a certificate, are facts wherever they are seen from.
    assert pages == {"OidcControlNotEnforced", "OidcCertificateExpiresSoon"}


def test_a_page_needs_the_regions_that_the_configuration_wants(make: Make) -> None:
    deployment = replace(make(), alerting=Alerting(min_regions=3))

    (down,) = (alert for alert in cause_alerts(deployment) if alert.name == "OidcProviderDown")

    assert down.severity is Severity.PAGE
    assert str(down.conditions[-1]).endswith(">= 3")


def test_causes_that_no_check_can_see_are_left_out(make: Make) -> None:
    names = {alert.name for alert in cause_alerts(make("discovery"))}

    assert "OidcProviderDown" in names
    assert names.isdisjoint({"OidcClientAuthentication", "OidcJwksStale", "OidcRefreshLoop", "OidcSignInFailing"})


def test_the_key_set_stands_in_for_discovery_where_that_is_not_checked(make: Make) -> None:
    (down,) = (alert for alert in cause_alerts(make("jwks", "login")) if alert.name == "OidcProviderDown")

    assert down.runs_on == ("jwks",)


def test_the_owner_of_the_client_is_called_for_its_credentials(alerts: dict[str, Alert]) -> None:
    alert = alerts["OidcClientAuthentication"]

    assert alert.severity is Severity.PAGE
    assert "* on (issuer, target) group_left (owner) issuer_target:oidc_owner:info" in expression(alert)


def test_teams_have_the_names_that_the_deployment_gives_them(make: Make) -> None:
    deployment = replace(make(), alerting=Alerting(owners={"probe owner": "observability", "security": "soc"}))

    owners = {a.name: a.owner for a in (*cause_alerts(deployment), *watching_alerts(deployment))}

    assert owners["OidcProbeBroken"] == owners["OidcRegionStalled"] == "observability"
    assert owners["OidcControlNotEnforced"] == "soc"


def test_each_limit_of_clock_offsets_has_its_issuers(make: Make) -> None:
    deployment = make("discovery", issuers=("acme", "globex"))
    strict = replace(deployment.issuers[1], policy=replace(deployment.issuers[1].policy, max_clock_offset=0.5))
    deployment = replace(deployment, issuers=(deployment.issuers[0], strict))

    (clock,) = (alert for alert in cause_alerts(deployment) if alert.name == "OidcClockOffset")

    assert [str(condition) for clause in clock.any_of for condition in clause if "clock" in condition.series] == [
        '(abs(quantile by (issuer, drill) (0.5, oidc_clock_offset_seconds{issuer=~"globex"}))) > 0.5',
        '(abs(quantile by (issuer, drill) (0.5, oidc_clock_offset_seconds{issuer=~"acme"}))) > 2',
    ]
