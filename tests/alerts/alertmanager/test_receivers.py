"""Receivers get our messages; a secret that is written out is refused without being repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from alerts.alertmanager_receivers import Receiver, receivers_of
from alerts.deployment import Alerting, Deployment

SECRET = "s3cr3t-canary"
EMAIL = {"to": "a@acme.example", "from": "b@acme.example", "smarthost": "smtp.acme.example:587"}


def _with(deployment: Deployment, receivers: Mapping[str, Any]) -> Deployment:
    return replace(deployment, alerting=Alerting(receivers=receivers))


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"slack": {"api_url": SECRET}}, "slack.api_url: no secret may be in the configuration; use api_url_file"),
        ({"pagerduty": {"routing_key": SECRET}}, "routing_key: no secret may be in the configuration; use routing_key_file"),
        ({"opsgenie": {"api_key": SECRET}}, "api_key: no secret may be in the configuration; use api_key_file"),
        ({"email": {**EMAIL, "auth_password": SECRET}}, "auth_password: no secret may be in the configuration; use auth_"),
        (
            {"webhook": {"url": "https://x.example", "http_config": {"basic_auth": {"password": SECRET}}}},
            "webhook.http_config.basic_auth.password: no secret may be in the configuration; use password_file",
        ),
        (
            {"webhook": {"url": "https://x.example", "http_config": {"http_headers": {"X": {"secrets": [SECRET]}}}}},
            "http_headers.X.secrets: no secret may be in the configuration; use files",
        ),
        (
            {"webhook": {"url": "https://x.example", "http_config": {"proxy_connect_header": {"X": [SECRET]}}}},
            "proxy_connect_header: Alertmanager reads it from no file",
        ),
        ({"webhook": {"url": f"https://user:{SECRET}@x.example/"}}, "webhook.url: no password may be in an address"),
        ({"webhook": {}}, "webhook: needs url or url_file"),
        ({"email": {"to": "a@acme.example"}}, "email: needs from"),
        ({"slack": {"api_url_file": "/run/slack"}}, "slack: needs channel"),
        ({"carrier-pigeon": {}}, "carrier-pigeon: is no kind of receiver; there are webhook, slack"),
        ({"webhook": SECRET}, "webhook: must hold Alertmanager's fields of webhook_configs"),
        ({"webhook": {}, "slack": {}}, "must have exactly one key, the kind: webhook"),
        ({}, "must have exactly one key, the kind: webhook"),
    ],
)  # fmt: skip
def test_a_receiver_that_cannot_be_is_refused_and_says_what_is(
    deployment: Deployment, entry: Mapping[str, Any], told: str
) -> None:
    wrong = _with(deployment, {"page": ({"webhook": {"url": "https://x.example"}}, entry)})

    with pytest.raises(ValueError, match=re.escape(told)) as refused:
        receivers_of(wrong)

    assert str(refused.value).startswith("alerting.receivers.page[1]")
    assert SECRET not in str(refused.value)


def test_a_route_that_there_is_not_is_refused(deployment: Deployment) -> None:
    with pytest.raises(ValueError, match="there is no route 'pager'; there are deadman, drill, security, page, ticket"):
        receivers_of(_with(deployment, {"pager": ({"webhook": {"url": "https://x.example"}},)}))


def test_a_route_that_no_team_has_is_refused(deployment: Deployment) -> None:
    teams = {"orders": {"security": ({"webhook": {"url": "https://x.example"}},)}}

    with pytest.raises(
        ValueError, match=r"alerting\.teams\.orders: there is no route 'security'; there are page, ticket"
    ):
        receivers_of(replace(deployment, alerting=Alerting(teams=teams)))


def test_a_secret_in_a_teams_receiver_is_refused_too(deployment: Deployment) -> None:
    teams = {"orders": {"page": ({"opsgenie": {"api_key": SECRET}},)}}

    with pytest.raises(
        ValueError, match=r"alerting\.teams\.orders\.page\[0\]\.opsgenie\.api_key: no secret"
    ) as refused:
        receivers_of(replace(deployment, alerting=Alerting(teams=teams)))

    assert SECRET not in str(refused.value)


def test_what_the_user_says_stands_and_the_rest_is_ours(deployment: Deployment) -> None:
    email = {**EMAIL, "headers": {"X-Team": "identity"}, "html": "mine"}

    page, _ = receivers_of(_with(deployment, {"page": ({"email": email},)}))

    ((kind, fields),) = page.configs
    assert kind == "email"
    assert fields["html"] == "mine"
    assert fields["headers"] == {"Subject": '{{ template "oidcwatch.title" . }}', "X-Team": "identity"}
    assert fields["text"] == '{{ template "oidcwatch.body" . }}'


def test_the_end_of_the_sign_of_life_is_not_taken_for_another_one(deployment: Deployment) -> None:
    receivers = {"deadman": ({"webhook": {"url": "https://x.example"}},)}

    deadman, _ = receivers_of(_with(deployment, receivers))

    ((_, fields),) = deadman.configs
    assert fields["send_resolved"] is False


def test_a_team_has_a_receiver_for_each_route_that_it_wants_to_itself(deployment: Deployment) -> None:
    names = [receiver.name for receiver in receivers_of(deployment)]

    assert names[-3:] == ["page-orders-team", "page-gateway", "ticket-gateway"]


def test_nobody_is_there_only_when_needed(deployment: Deployment) -> None:
    assert Receiver("nobody") not in receivers_of(deployment)
    assert Receiver("nobody") in receivers_of(_with(deployment, {}))
