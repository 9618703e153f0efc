"""Messages say what happened in few lines, and nothing in a label or text can change what they are."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

pytestmark = pytest.mark.process

HOSTILE = "<b>&\"'|{{ .Status }}<!channel>"
LABELS = {"alertname": "OidcLogin", "issuer": "acme", "target": "portal", "region": "eu-west"}
MORE = {"severity": "page", "area": "login", "owner": "identity", "drill": "false"}
TEXTS = {"summary": "5 of 6 bad", "impact": "Nobody signs in.", "reason": "server_error", "step": "token"}
LINKS = {"runbook_url": "https://runbooks.example/OidcLogin.html", "dashboard_url": "https://grafana.example/d/x"}

Render = Callable[..., str]


@pytest.fixture
def render(amtool: str, tmp_path: Path) -> Render:
    """Renders one of our templates for a notification through Alertmanager's own engine."""

    def run(name: str, alerts: list[dict[str, Any]], *, kind: str = "text", **common: str) -> str:
        firing = any(alert["status"] == "firing" for alert in alerts)
        document = {
            "status": "firing" if firing else "resolved",
            "externalURL": "https://alertmanager.example",
            "alerts": alerts,
            "commonLabels": common,
        }
        data = tmp_path / "data.json"
        data.write_text(json.dumps(document))
        done = subprocess.run(
            [
                *(amtool, "template", "render", f"--template.glob={files('alerts') / 'templates'}/*.tmpl"),
                *(f'--template.text={{{{ template "{name}" . }}}}', f"--template.type={kind}"),
                f"--template.data={data}",
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    return run


def _alert(status: str = "firing", annotations: dict[str, str] | None = None, **labels: str) -> dict[str, Any]:
    return {"status": status, "labels": {**LABELS, **MORE, **labels}, "annotations": annotations or {**TEXTS, **LINKS}}


def test_the_text_of_an_alert_is_short_and_complete(render: Render) -> None:
    text = render("oidcwatch.body", [_alert()])

    *lines, silence = text.splitlines()
    assert lines == [
        "[page] OidcLogin: acme/portal from eu-west",
        "5 of 6 bad",
        "Impact: Nobody signs in.",
        "Area: login",
        "Reason: server_error",
        "Failing step: token",
        "Owner: identity",
        "Runbook: https://runbooks.example/OidcLogin.html",
        "Panel: https://grafana.example/d/x",
    ]
    address, _, matchers = silence.partition("?filter=")
    assert address == "Silence: https://alertmanager.example/#/silences/new"
    assert unquote(matchers) == '{alertname="OidcLogin",issuer="acme",target="portal",drill="false"}'


def test_what_is_not_known_is_not_mentioned(render: Render) -> None:
    text = render("oidcwatch.body", [_alert(annotations={"summary": "s"}, target="*", region="*", owner="", area="")])

    assert [line.partition(":")[0] for line in text.splitlines()] == ["[page] OidcLogin", "s", "Runbook", "Silence"]
    assert "Runbook: oidcwatch runbook show OidcLogin" in text


@pytest.mark.parametrize(
    ("alerts", "common", "title"),
    [
        ([_alert()], {**LABELS, **MORE}, "PAGE acme, login: OidcLogin"),
        ([_alert(), _alert()], {"issuer": "acme", "area": "login", "severity": "ticket"}, "TICKET acme, login: 2 alerts"),
        ([_alert(), _alert("resolved")], {"issuer": "acme", "area": "login"}, "FIRING acme, login: OidcLogin"),
        ([_alert("resolved")], {**LABELS, **MORE}, "RESOLVED acme, login: OidcLogin"),
        ([_alert()], {**LABELS, **MORE, "drill": "true"}, "PAGE (drill) acme, login: OidcLogin"),
        ([_alert()], {**LABELS, **MORE, "issuer": "*"}, "PAGE all issuers, login: OidcLogin"),
    ],
)  # fmt: skip
def test_the_title_says_how_bad_and_where(
    render: Render, alerts: list[dict[str, Any]], common: dict[str, str], title: str
) -> None:
    assert render("oidcwatch.title", alerts, **common) == title


def test_a_message_shows_ten_alerts_and_says_how_many_there_are(render: Render) -> None:
    text = render("oidcwatch.body", [_alert(alertname=f"Oidc{number}") for number in range(12)])

    assert text.count("Silence:") == 10
    assert "12 alerts fire, of which 10 are shown: https://alertmanager.example/#/alerts" in text


def test_what_is_over_is_one_line(render: Render) -> None:
    assert render("oidcwatch.body", [_alert("resolved")]).strip() == "Resolved: OidcLogin: acme/portal from eu-west"


def test_slack_sees_neither_mentions_nor_links_of_others(render: Render) -> None:
    alert = _alert(annotations={**dict.fromkeys(TEXTS, HOSTILE), **dict.fromkeys(LINKS, f"https://x/{HOSTILE}")})
    alert["labels"] |= dict.fromkeys(("alertname", "issuer", "target", "region", "owner", "area"), HOSTILE)

    text = render("oidcwatch.slack.body", [alert, {**alert, "status": "resolved"}])

    title = render("oidcwatch.slack.title", [alert], **alert["labels"])
    assert not {"<", ">"} & set(title)
    assert text.count("<") == text.count("|Runbook>") + text.count("|Panel>") + text.count("|Silence>") == 3
    assert text.count("|") == 3 + text.count("&gt;&amp;\"'|")


def test_a_mail_holds_values_as_text_and_only_links_that_are_web_addresses(render: Render) -> None:
    alert = _alert(annotations={**dict.fromkeys(TEXTS, HOSTILE), **dict.fromkeys(LINKS, "javascript:alert(1)")})
    alert["labels"] |= dict.fromkeys(("alertname", "issuer", "target", "region", "owner", "area"), HOSTILE)

    html = render("oidcwatch.email.html", [alert], kind="html", **alert["labels"])

    assert "<b>" not in html
    assert "<!channel>" not in html
    assert 'href="javascript' not in html
    assert html.count("href=") == 1  # the silence


@pytest.mark.parametrize(
    ("severity", "pagerduty", "opsgenie", "color"),
    [("page", "critical", "P1", "danger"), ("ticket", "warning", "P3", "warning"), ("info", "info", "P5", "warning")],
)
def test_severities_in_the_words_of_each_service(
    render: Render, severity: str, pagerduty: str, opsgenie: str, color: str
) -> None:
    names = ("oidcwatch.pagerduty.severity", "oidcwatch.opsgenie.priority", "oidcwatch.color")

    assert [render(name, [_alert()], severity=severity) for name in names] == [pagerduty, opsgenie, color]
