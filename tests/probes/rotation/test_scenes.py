"""Each check of a key rotation finds what it is for on a real provider, and a safe rotation makes none of them speak."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from probes.checks import jwks, rotation
from probes.checks.base import ProtocolCheck
from probes.model import Severity

if TYPE_CHECKING:
    from tests.probes.rotation.conftest import Scene, Stage

ALL = {f"ROT-{number:02}" for number in range(1, 21)}
TOLERATED = {"ROT-03", "ROT-04", "ROT-08", "ROT-13", "ROT-20"}
"""A failure of these is a ticket, or pages security, and no run fails on it: the key set can be used as it is."""
TABLES: tuple[ProtocolCheck[Any], ...] = (*jwks.ANSWER, *jwks.KEYS, *rotation.ROTATION)


@pytest.mark.process
async def test_a_scene_is_found_with_its_id_severity_and_reason(
    stage: Callable[[Scene], Stage], provoking: Scene
) -> None:
    result = await stage(provoking).play()

    found = [(finding.check_id, finding.severity, finding.reason) for finding in result.findings]
    assert (provoking.check, provoking.severity, provoking.reason) in found
    if provoking.severity == Severity.FAILURE and provoking.check not in TOLERATED:
        assert result.failure is not None
        assert result.failure.reason == provoking.reason
    else:
        assert result.failure is None


@pytest.mark.process
async def test_a_safe_rotation_makes_none_of_them_speak(stage: Callable[[Scene], Stage], safe: Scene) -> None:
    played = stage(safe)
    await played.play()

    assert [result.failure for result in played.results] == [None] * len(played.results)
    assert [(each.check_id, each.message) for result in played.results for each in result.findings] == []


def test_runs_tolerate_what_leaves_the_key_set_usable() -> None:
    assert {check.id for check in TABLES if check.tolerated} == TOLERATED


def test_every_check_of_the_domain_is_in_a_table_with_severity_reason_and_citation() -> None:
    rows = [row for row in TABLES if row.id.startswith("ROT-")]

    assert {row.id for row in rows} == ALL
    assert [row.id for row in rows if not (row.severity and row.reason and row.citation and row.title)] == []


def test_every_check_has_a_scene(scenes: tuple[Scene, ...]) -> None:
    assert {scene.check for scene in scenes if scene.check} == ALL
