"""Every alert has a whole page, every reason a remedy, every step a hint: what lacks one is named."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from alerts.catalogue import groups_of
from alerts.deployment import Deployment
from alerts.model import Area
from probes.model import Reason, Stage
from runbooks.bodies import BY_AREA, BY_NAME, BY_ROLE, body_of
from runbooks.bodies.model import Body
from runbooks.bodies.reasons import REMEDIES, ROWS
from runbooks.checks import Promql, by_hand
from runbooks.content import Command
from runbooks.facts import Subject, reasons_of, subjects_of
from runbooks.sections import SECTIONS, checks_of, sections_of
from runbooks.triage import STEPS
from sandbox.faults import FAULTS

BODIES = (*BY_AREA.values(), *BY_ROLE.values(), *BY_NAME.values())


@pytest.fixture(scope="module")
def subjects(deploy: Callable[..., Deployment]) -> tuple[Subject, ...]:
    """Every alert of a small deployment."""
    deployment = deploy()
    return tuple(subjects_of(deployment, groups_of(deployment)))


def test_every_alert_has_every_section_with_something_in_it(subjects: tuple[Subject, ...]) -> None:
    empty = [
        f"{subject.alert.name}: {section.title}"
        for subject in subjects
        for section in sections_of(subject)
        if not section.blocks
    ]

    assert subjects
    assert empty == []
    assert {len(sections_of(subject)) for subject in subjects} == {len(SECTIONS)}


def test_every_area_has_a_body() -> None:
    assert set(BY_AREA) == set(Area)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.first[:40])
def test_a_body_has_all_its_parts(body: Body) -> None:
    parts = (body.first, body.background, body.checks, body.ours, body.mitigations, body.changes, body.false_positives)

    assert all(parts)
    assert body.references
    assert all((step.do, step.command, step.expect, step.verify, step.rollback, step.risk) for step in body.mitigations)


def test_every_reason_has_a_remedy() -> None:
    assert [row.reason for row in ROWS] == list(Reason)
    assert all(row.do and row.verify for row in ROWS)


def test_faults_to_practise_with_exist_in_the_sandbox() -> None:
    assert {row.fault for row in ROWS if row.fault} <= {fault.name for fault in FAULTS}


def test_every_step_has_a_hint() -> None:
    assert set(STEPS) == set(Stage)


@pytest.mark.process
def test_every_query_of_every_page_is_sound_promql(subjects: tuple[Subject, ...], tmp_path: Path) -> None:
    checks = (check.what for subject in subjects for check in checks_of(subject))
    queries = dict.fromkeys(what.query for what in checks if isinstance(what, Promql))
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert shutil.which("promtool"), "on Debian: apt-get install prometheus"

    done = subprocess.run(["promtool", "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr


def test_an_alert_that_names_its_reasons_shows_those_alone(cause: Subject, burn: Subject) -> None:
    assert reasons_of(cause.alert) == (Reason.KID_UNKNOWN, Reason.SIGNATURE_INVALID)
    assert Reason.REFRESH_REJECTED not in reasons_of(burn.alert)
    assert set(reasons_of(burn.alert)) < set(REMEDIES)


def test_names_of_checks_are_unique_on_a_page(subjects: tuple[Subject, ...]) -> None:
    for subject in subjects:
        names = [check.name for check in checks_of(subject)]

        assert len(names) == len(set(names)), subject.alert.name


def test_probes_on_a_page_are_those_that_feed_the_alert_and_the_issuers_own(burn: Subject) -> None:
    command = next(by_hand(check) for check in checks_of(burn) if check.kind == "probe")

    assert command == 'oidcwatch probe "$NAME/*/discovery" "$NAME/*/jwks" "$NAME/*/login"'


def _commands(subjects: tuple[Subject, ...]) -> Iterator[str]:
    for subject in subjects:
        for section in sections_of(subject):
            yield from (block.text for block in section.blocks if isinstance(block, Command) and block.language == "sh")


@pytest.mark.process
def test_every_command_of_every_page_is_sound_shell(subjects: tuple[Subject, ...]) -> None:
    script = "\n".join(dict.fromkeys(_commands(subjects)))

    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)

    assert script.count("\n") > 20
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.process
@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://login-0.acme.example/realms/main", "login-0.acme.example 443"),
        ("https://login.acme.example:8443", "login.acme.example 8443"),
    ],
)
def test_host_and_port_are_cut_out_of_the_issuer(burn: Subject, url: str, place: str) -> None:
    confirm = next(section for section in sections_of(burn) if section.id == "confirm")
    line = next(block.text for block in confirm.blocks if isinstance(block, Command) and "NAME=" in block.text)
    script = line.replace(burn.deployment.issuers[0].url, url) + '\necho "$HOST $PORT"'

    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == place, done.stderr


def test_the_most_special_body_is_taken(burn: Subject, cause: Subject) -> None:
    assert body_of(burn.alert) is BY_AREA[Area.LOGIN]
    assert body_of(cause.alert) is BY_AREA[Area.KEYS]
