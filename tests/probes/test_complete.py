"""Tables that must fit each other do: reasons, stages, kinds, quantities, checks and their citations."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import checks
from probes.checks.base import ProtocolCheck
from probes.model import Outcome, Quantity, Reason, Severity, Stage
from probes.reasons import REASONS, ROWS, SliClass, outcome, reasons_of
from probes.registry import PROBES, ProbeKind

KINDS = pytest.mark.parametrize("kind", PROBES.values(), ids=lambda kind: kind.name)


def tables() -> Iterator[tuple[str, ProtocolCheck[object]]]:
    """Every row of every table of checks, with the module that it is in."""
    for module in pkgutil.iter_modules(checks.__path__):
        for value in vars(importlib.import_module(f"probes.checks.{module.name}")).values():
            if isinstance(value, tuple) and value and all(isinstance(row, ProtocolCheck) for row in value):
                yield from ((module.name, row) for row in value)


def test_every_reason_has_exactly_one_row() -> None:
    assert [row.reason for row in ROWS] == list(Reason)
    assert set(REASONS) == set(Reason)


def test_there_are_forty_reasons() -> None:
    assert len(Reason) == 40


def test_every_row_says_what_it_means_and_what_to_do_on_a_page_of_its_own() -> None:
    assert len({row.runbook for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert re.fullmatch(r"[a-z]+-\d\d", row.runbook), row.reason
        assert row.meaning.endswith("."), row.reason
        assert row.cause, row.reason
        assert row.confirm, row.reason
        assert row.stages, row.reason


def test_every_stage_can_fail_for_more_than_our_own_fault() -> None:
    for stage in set(Stage) - {Stage.PROBE}:
        assert set(reasons_of(frozenset({stage}))) > {Reason.PROBE_ERROR}, stage


def test_a_reason_counts_as_its_row_says() -> None:
    assert outcome(None) is Outcome.SUCCESS
    for row in ROWS:
        assert (outcome(row.reason) is Outcome.FAILURE) == (row.sli is SliClass.BAD), row.reason


@KINDS
def test_a_kind_declares_only_reasons_that_one_of_its_stages_can_have(kind: ProbeKind) -> None:
    assert Reason.PROBE_ERROR in kind.reasons
    for reason in kind.reasons:
        assert REASONS[reason].stages & (kind.stages | {Stage.PROBE}), reason


@KINDS
def test_every_stage_of_a_kind_has_reasons_among_those_it_declares(kind: ProbeKind) -> None:
    for stage in kind.stages:
        assert set(reasons_of(frozenset({stage}))) <= set(kind.reasons), stage


@KINDS
def test_a_kind_with_tokens_names_grants_and_one_with_quantities_names_endpoints(kind: ProbeKind) -> None:
    assert (Quantity.TOKEN_RESPONSE in kind.quantities) == bool(kind.grants)
    assert (Quantity.TOKEN_LIFETIME in kind.quantities) == bool(kind.tokens)
    assert (Quantity.TLS_EXPIRY in kind.quantities) == bool(kind.endpoints)
    assert 0 < kind.timeout <= kind.interval


def test_every_quantity_is_measured_by_some_kind() -> None:
    assert set().union(*(kind.quantities for kind in PROBES.values())) == set(Quantity)


def test_ids_of_checks_are_unique() -> None:
    rows = {(row.id, id(row)) for _, row in tables()}

    assert sorted(row for row, _ in rows) == sorted({row for row, _ in rows})


def test_every_check_has_title_citation_and_the_form_of_an_id() -> None:
    for _, row in tables():
        assert re.fullmatch(r"[A-Z]{3,4}-\d\d", row.id)
        assert row.title, row.id
        assert re.search(r"RFC \d{4}|OIDC Core|OpenID Connect Discovery", row.citation), row.id
        assert row.reason is not Reason.PROBE_ERROR, row.id


def test_the_reason_of_a_failing_check_is_possible_at_a_stage_that_is_the_providers() -> None:
    for _, row in tables():
        assert row.severity is not Severity.FAILURE or REASONS[row.reason].stages - {Stage.PROBE}, row.id


def test_every_module_of_checks_has_a_test_of_its_own() -> None:
    tested = {path.stem.removeprefix("test_checks_") for path in (Path(__file__).parent / "checks").glob("test_*.py")}

    assert {module for module, _ in tables()} <= tested
