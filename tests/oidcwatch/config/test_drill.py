"""What the section `drill` of an issuer becomes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from drills.target import AbortRule, Command, KeycloakAdmin, Manual, Provider, SandboxControl
from oidcwatch.config import load
from probes.subjects import SecretRef

Write = Callable[..., Path]

ISSUER = """
issuers:
  - name: acme
    url: https://login.acme.example/realms/main
    clients: [{name: machine, client_id: machine, audience: orders, auth: {secret: {env: MACHINE_SECRET}}}]
"""
DRILL = ISSUER + "    drill:\n      client: machine\n      provider: "


def test_without_the_section_nothing_may_be_drilled(write: Write) -> None:
    assert load(write(ISSUER), {}).drills == {}


def test_a_drill_is_on_the_issuer_that_it_stands_in_with_that_client(write: Write) -> None:
    settings = load(write(DRILL + "{type: manual}\n"), {})

    [target] = settings.drills.values()

    assert list(settings.drills) == ["acme"]
    assert (target.issuer, target.client) == (settings.issuers[0], settings.issuers[0].clients[0])
    assert (target.agents, target.aborts, target.least_budget) == ((), (), Decimal("0.25"))


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        (
            "{type: sandbox, control: 'http://127.0.0.1:8081', fault_control: 'http://127.0.0.1:8082'}",
            SandboxControl("http://127.0.0.1:8081", "http://127.0.0.1:8082"),
        ),
        ("{type: sandbox, control: 'http://127.0.0.1:8081'}", SandboxControl("http://127.0.0.1:8081")),
        (
            "{type: keycloak, url: 'https://login.acme.example/', realm: main, client_id: ops, secret: {env: OPS}}",
            KeycloakAdmin("https://login.acme.example", "main", "ops", SecretRef("env", "OPS")),
        ),
        (
            "{type: command, command: [rotate, --now], can: [rotate, heal]}",
            Command(("rotate", "--now"), ("rotate", "heal"), 60.0),
        ),
        (
            "{type: command, command: [rotate], can: [], environment: {ADMIN_TOKEN: {env: OPS}, KEY: {exec: 'pass key'}}}",
            Command(
                ("rotate",),
                (),
                60.0,
                (("ADMIN_TOKEN", SecretRef("env", "OPS")), ("KEY", SecretRef("exec", "pass key"))),
            ),
        ),
        ("{type: manual}", Manual(1800.0)),
        ("{type: manual, timeout: 2h}", Manual(7200.0)),
    ],
)
def test_each_type_becomes_the_way_to_drive_that_provider(write: Write, text: str, provider: Provider) -> None:
    settings = load(write(f"{DRILL}{text}\n"), {})

    assert settings.drills["acme"].provider == provider


def test_a_relative_path_of_a_program_starts_at_the_folder_of_the_file(write: Write) -> None:
    path = write(DRILL + "{type: command, command: [./rotate.sh, ./key], can: [rotate]}\n")

    provider = load(path, {}).drills["acme"].provider

    assert isinstance(provider, Command)
    assert provider.command == (str(path.parent / "rotate.sh"), "./key")


def test_prometheus_and_alertmanager_are_those_of_alerting_unless_the_drill_has_its_own(write: Write) -> None:
    alerting = "alerting: {prometheus_url: 'https://p.example', alertmanager_url: 'https://a.example'}\n"
    path = write(f"{alerting}{DRILL}{{type: manual}}\n      alertmanager_url: https://other.example\n")

    target = load(path, {}).drills["acme"]

    assert (target.prometheus, target.alertmanager) == ("https://p.example", "https://other.example")


@pytest.mark.parametrize(("text", "share"), [("40%", "0.4"), ("0 %", "0"), ("99.5%", "0.995"), ("100%", "1")])
def test_the_least_budget_is_a_share(write: Write, text: str, share: str) -> None:
    path = write(f"{DRILL}{{type: manual}}\n      least_budget: {text}\n")

    assert load(path, {}).drills["acme"].least_budget == Decimal(share)


def test_what_ends_a_drill_is_a_query_with_a_threshold_and_its_meaning(write: Write) -> None:
    more = "      prometheus_url: https://p.example\n      agents: ['http://127.0.0.1:9464/']\n"
    more += "      abort_when: [{query: 'rate(refused[1m])', above: 5, text: real requests are refused}]\n"

    target = load(write(f"{DRILL}{{type: manual}}\n{more}"), {}).drills["acme"]

    assert target.aborts == (AbortRule("rate(refused[1m])", 5.0, "real requests are refused"),)
    assert target.agents == ("http://127.0.0.1:9464",)
