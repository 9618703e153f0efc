"""Alertmanager takes the generated configuration, whatever the deployment is like."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import certifi
import pytest

from alerts.alertmanager import alertmanager_yaml
from alerts.alertmanager_check import config_problems, route_problems
from alerts.catalogue import alerts_of
from alerts.deployment import Alerting, Deployment, Maintenance
from alerts.model import Alert
from alerts.routes import route_tests, unattended
from oidcwatch.config import load_both
from oidcwatch.generation import deployment_of
from probes.subjects import Client, Issuer

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
GOLDEN = Path(__file__).parent / "golden" / "alertmanager.yml"
HOSTILE = 'a"b\\c|d(e) {{ .x }} é\n\t\u2028'

Written = Callable[[Deployment, tuple[Alert, ...]], Path]


@pytest.mark.process
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_alertmanager_takes_the_configuration_of_every_example(
    path: Path, amtool: str, written: Written, tmp_path: Path
) -> None:
    authorities = tmp_path / "ca.pem"
    shutil.copy(certifi.where(), authorities)
    variables = re.findall(r"ca_file: *\{ *env: *(\w+)", path.read_text(encoding="utf-8"))
    example = deployment_of(load_both(path, dict.fromkeys(variables, str(authorities)), connects=False))

    config = written(example, alerts_of(example))

    assert config_problems(config, amtool=amtool) == ()


@pytest.mark.process
@pytest.mark.parametrize("speed", [1, 60, 100_000])
def test_alertmanager_takes_every_pace_of_a_rehearsal(
    deployment: Deployment, hand_made: tuple[Alert, ...], amtool: str, written: Written, speed: int
) -> None:
    config = written(replace(deployment, speed=speed), hand_made)

    assert config_problems(config, amtool=amtool) == ()


@pytest.mark.process
def test_names_full_of_special_characters_break_nothing(
    deployment: Deployment, hand_made: tuple[Alert, ...], amtool: str, written: Written
) -> None:
    windows = (Maintenance(HOSTILE, (HOSTILE, "other")), Maintenance("all", days="saturday:sunday", start="22:00"))
    teams = {HOSTILE: {"page": deployment.alerting.receivers["page"]}}
    hostile = replace(
        deployment,
        issuers=(Issuer(HOSTILE, "https://x.example", owner=HOSTILE, clients=(Client(HOSTILE, HOSTILE),)),),
        alerting=replace(deployment.alerting, maintenance=windows, teams=teams),
    )

    config = written(hostile, hand_made)

    assert config_problems(config, amtool=amtool) == ()
    assert route_problems(config, route_tests(hostile, hand_made[:1]), amtool=amtool) == ()


@pytest.mark.process
def test_a_deployment_without_anything_is_valid_too(amtool: str, written: Written) -> None:
    config = written(Deployment((), (), ()), ())

    assert config_problems(config, amtool=amtool) == ()


@pytest.mark.process
def test_what_alertmanager_objects_to_is_told(amtool: str, tmp_path: Path) -> None:
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody-knows}\n")

    (problem,) = config_problems(config, amtool=amtool)

    assert "nobody-knows" in problem


def test_destinations_without_a_receiver_are_named(deployment: Deployment, hand_made: tuple[Alert, ...]) -> None:
    receivers = {"page": deployment.alerting.receivers["page"], "ticket": ()}
    few = replace(deployment, alerting=Alerting(receivers=receivers))

    assert unattended(few, hand_made) == ("deadman", "drill", "security", "ticket", "default")
    assert unattended(deployment, hand_made) == ()


@pytest.mark.parametrize(("teams", "lost"), [(("identity",), ("page",)), (("identity", "orders-team", "gateway"), ())])
def test_a_route_whose_alerts_all_have_their_teams_is_attended(
    deployment: Deployment, hand_made: tuple[Alert, ...], teams: tuple[str, ...], lost: tuple[str, ...]
) -> None:
    receivers = dict(deployment.alerting.receivers)
    own = {team: {"page": receivers["page"]} for team in teams}
    del receivers["page"]
    shared_out = replace(deployment, issuers=deployment.issuers[:1], alerting=Alerting(receivers=receivers, teams=own))

    assert unattended(shared_out, hand_made) == lost


def test_the_same_deployment_gives_the_same_bytes(deployment: Deployment, hand_made: tuple[Alert, ...]) -> None:
    assert alertmanager_yaml(deployment, hand_made) == alertmanager_yaml(deployment, hand_made)


def test_the_configuration_of_a_small_deployment_is_as_it_was_reviewed(
    deployment: Deployment, hand_made: tuple[Alert, ...]
) -> None:
    """After a wanted change: OIDCWATCH_WRITE_GOLDEN=1 pytest tests/alerts/alertmanager, and review the difference."""
    text = alertmanager_yaml(deployment, hand_made)
    if os.environ.get("OIDCWATCH_WRITE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")

    assert text == GOLDEN.read_text(encoding="utf-8")
