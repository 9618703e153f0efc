"""The reader's choice reaches every selector of an alert's series, as far as the alert tells one from another."""

from __future__ import annotations

import pytest

from alerts.catalogue import alerts_of
from alerts.deployment import Deployment
from alerts.metric_names import metric_names
from alerts.model import Level
from dashboards.scope import CHOSEN, REAL, filtered
from exporters import metrics as m

ISSUER = 'issuer=~"$issuer|"'
TARGET = 'target=~"$target|[*]|"'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('a:b{slo="x"}', f'a:b{{{ISSUER},slo="x"}}'),
        ("a:b", f"a:b{{{ISSUER}}}"),
        ("a:b{}", f"a:b{{{ISSUER}}}"),
        ("a:b / (c:d > 0)", f"a:b{{{ISSUER}}} / (c:d{{{ISSUER}}} > 0)"),
        ("max_over_time(a:b[1h:5m])", f"max_over_time(a:b{{{ISSUER}}}[1h:5m])"),
        ("oidc_probe_success", f"oidc_probe_success{{{ISSUER}}}"),
        ('sum by (issuer) (a:b{x="{a:b}"})', f'sum by (issuer) (a:b{{{ISSUER},x="{{a:b}}"}})'),
        ('a:b{x="say \\"c:d\\""}', f'a:b{{{ISSUER},x="say \\"c:d\\""}}'),
        ("vector(1)", "vector(1)"),
    ],
)
def test_matchers_are_put_into_every_selector_and_nowhere_else(before: str, after: str) -> None:
    assert filtered(before, Level.ISSUER) == after


def test_an_alert_about_a_client_is_narrowed_by_issuer_and_client() -> None:
    assert filtered("a:b", Level.TARGET) == f"a:b{{{ISSUER},{TARGET}}}"


def test_an_alert_about_the_watcher_is_not_narrowed() -> None:
    assert filtered("absent(oidc_probe_success)", Level.AGENT) == "absent(oidc_probe_success)"


def test_every_series_of_an_alert_is_narrowed(deployment: Deployment) -> None:
    for alert in alerts_of(deployment):
        if alert.level is not Level.AGENT:
            for condition in alert.conditions:
                selectors = len(metric_names(condition.series))
                assert filtered(condition.series, alert.level).count(ISSUER) >= selectors, alert.name


def test_a_choice_of_clients_leaves_what_is_about_the_whole_issuer() -> None:
    assert 'target=~"$target|[*]|"' in REAL.of(m.SUCCESS)


def test_alerts_about_the_watcher_are_shown_for_every_issuer() -> None:
    assert 'issuer=~"$issuer|[*]|"' in CHOSEN.alerts()
