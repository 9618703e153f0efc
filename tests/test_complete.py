"""Whatever is added comes with its parts: an indicator, a reference entry, an example, help. What lacks one is named."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import probes.checks
from exporters.metrics import BY_QUANTITY
from exporters.slis import SLIS, slis_of
from oidcwatch.cli import COMMANDS
from oidcwatch.demo import demo_parts
from oidcwatch.documentation_commands import all_commands
from oidcwatch.documentation_pages import CHECKS, all_checks
from probes.checks.base import ProtocolCheck
from probes.model import Quantity, Reason
from probes.reasons import ROWS
from probes.registry import PROBES

# Reasons of probes that do not exist yet: token exchange, resource servers, controls, revocation, audit.
OF_LATER_PROBES = frozenset(
    {
        Reason.EXCHANGE_DENIED,
        Reason.ACCESS_NOT_REVOKED,
        Reason.AUDIT_MISSING,
    }
)
_NO_COMMANDS = frozenset({"__init__", "common"})


@pytest.mark.parametrize("kind", PROBES)
def test_every_kind_of_probe_feeds_an_indicator(kind: str) -> None:
    assert slis_of(PROBES[kind]), f"no row of exporters.slis.SLIS names the probe {kind}"


@pytest.mark.parametrize("kind", PROBES)
def test_every_kind_of_probe_is_one_file_of_its_name(root: Path, kind: str) -> None:
    assert (root / "probes" / f"{kind}.py").is_file()


@pytest.mark.parametrize("kind", PROBES)
def test_every_kind_of_probe_is_in_the_example(root: Path, kind: str) -> None:
    assert kind in _kinds(root / "examples" / "oidcwatch.yaml")


@pytest.mark.process
def test_the_demonstration_runs_every_kind_of_probe() -> None:
    with demo_parts(0) as parts:
        kinds = _kinds(parts.config)

    assert kinds == set(PROBES)


def test_every_indicator_is_fed_by_probes_that_exist() -> None:
    assert {sli.name: sli.probes - set(PROBES) for sli in SLIS if not sli.probes <= set(PROBES)} == {}


def test_every_measurement_has_a_metric_and_a_probe_that_makes_it() -> None:
    made = {quantity for kind in PROBES.values() for quantity in kind.quantities}

    assert [quantity for quantity in Quantity if quantity not in made or not BY_QUANTITY[quantity]] == []


def test_every_reason_has_one_row_and_a_runbook_of_its_own() -> None:
    assert [row.reason for row in ROWS] == list(Reason)
    assert len({row.runbook for row in ROWS}) == len(ROWS)


def test_every_reason_can_be_given_by_a_probe_or_is_kept_for_a_later_one() -> None:
    given = {reason for kind in PROBES.values() for reason in kind.reasons}

    assert set(Reason) - given == OF_LATER_PROBES


def test_every_reason_of_a_check_can_be_given_by_a_probe() -> None:
    given = {reason for kind in PROBES.values() for reason in kind.reasons}

    assert [f"{check.id}: {check.reason}" for check in all_checks() if check.reason not in given] == []


def test_every_table_of_checks_is_in_the_reference() -> None:
    documented = {check.id for _, checks in CHECKS for check in checks}

    assert {check.id for check in _tabled_checks()} == documented


def test_an_id_belongs_to_one_check() -> None:
    by_id: dict[str, set[str]] = {}
    for check in _tabled_checks():
        by_id.setdefault(check.id, set()).add(check.title)

    assert {id: titles for id, titles in by_id.items() if len(titles) > 1} == {}


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.id)
def test_every_check_cites_the_place_that_demands_it(check: ProtocolCheck[Any]) -> None:
    assert "§" in check.citation
    assert check.title


def test_every_file_of_commands_is_a_command(root: Path) -> None:
    files = {file.stem for file in (root / "oidcwatch" / "commands").glob("*.py")} - _NO_COMMANDS

    assert files == set(COMMANDS)


@pytest.mark.parametrize("name", all_commands())
def test_every_command_has_help_with_an_example(name: str) -> None:
    text = all_commands()[name]

    assert "\b\nExamples:\n" in text
    assert f"oidcwatch {name}" in text.partition("Examples:\n")[2]


def _kinds(config: Path) -> set[str]:
    """The kinds of probes that a configuration file uses, in their short form or their long one."""
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    subjects = [part for issuer in document["issuers"] for part in (issuer, *issuer.get("clients", []))]
    entries = [entry for subject in subjects for entry in subject.get("probes", [])]
    return {entry if isinstance(entry, str) else entry["type"] for entry in entries}


def _tabled_checks() -> list[ProtocolCheck[Any]]:
    modules = [
        importlib.import_module(f"probes.checks.{module.name}")
        for module in pkgutil.iter_modules(probes.checks.__path__)
    ]
    tables = [value for module in modules for value in vars(module).values() if isinstance(value, tuple)]
    return [check for table in tables for check in table if isinstance(check, ProtocolCheck)]
