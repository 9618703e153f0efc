"""What the probes tell of a drill: each fault by its reason, owner and checks, and that all is well again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from drills.driver import Driver
from drills.scenario import Action, Move, Scenario
from drills.scenarios import SCENARIOS
from probes.model import Reason
from probes.reasons import Owner

pytestmark = pytest.mark.process

_SEEN_BY_PROBES = [
    scenario
    for scenario in SCENARIOS.values()
    if scenario.detects is not None and Reason.RESOURCE_REJECTED not in scenario.detects.reasons
]
_QUICKLY = {20.0: 10.0, 6.0: 0.75}
"""Seconds of slow answers, shorter as the deadlines here are."""
_HANGS = {"jwks-outage-timeout", "token-endpoint-slow"}
"""What only a deadline ends."""


def quick(scenario: Scenario) -> Scenario:
    def with_quick(move: Move) -> Move:
        seconds = move.params.get("seconds")
        return replace(move, params={**move.params, "seconds": _QUICKLY[seconds]}) if seconds in _QUICKLY else move

    return replace(scenario, moves=tuple(with_quick(move) for move in scenario.moves))


@pytest.mark.parametrize("scenario", _SEEN_BY_PROBES, ids=lambda scenario: scenario.name)
def test_the_probes_give_the_reason_and_the_owner_that_the_scenario_expects(
    scenario: Scenario, watch_of: Any, moved: Callable[[Scenario], None]
) -> None:
    wanted = scenario.detects
    assert wanted is not None

    with watch_of(3.0 if scenario.name in _HANGS else 10.0) as watch:
        moved(quick(scenario))

        watch.until(
            lambda sighting: (
                sighting.reason in wanted.reasons
                and sighting.owner is wanted.owner
                and (not wanted.findings or wanted.findings & set(sighting.findings))
            )
        )


def test_a_provider_that_is_well_is_well_for_every_probe(watch: Any) -> None:
    assert [(sighting.by, sighting.well) for sighting in watch.first] == [
        ("discovery", True),
        ("jwks", True),
        ("client_credentials", True),
    ]


def test_what_was_wrong_and_is_not_any_more_is_told_as_well(watch: Any, driver: Driver) -> None:
    before = driver.snapshot()
    driver.do(Move(Action.TOKEN_ENDPOINT, {"kind": "5xx"}), before)
    watch.until(lambda sighting: sighting.reason == Reason.SERVER_ERROR)

    driver.restore(before)

    seen = watch.until(lambda sighting: sighting.well)
    assert (seen.by, seen.reason, seen.findings) == ("client_credentials", "", ())


def test_a_fault_is_told_once_while_it_lasts(watch: Any, moved: Callable[[Scenario], None]) -> None:
    moved(SCENARIOS["incident-gitlab-uncacheable"])
    watch.until(lambda sighting: "ROT-08" in sighting.findings)

    moved(SCENARIOS["client-secret-expiry"])
    watch.until(lambda sighting: sighting.reason == Reason.CLIENT_AUTH_FAILED)

    assert sum("ROT-08" in sighting.findings for sighting in watch.told) == 1


def test_a_provider_that_fails_before_the_drill_is_not_well(watch_of: Any, moved: Callable[[Scenario], None]) -> None:
    moved(SCENARIOS["jwks-outage-5xx"])

    with watch_of() as watch:
        first = {sighting.by: sighting for sighting in watch.first}

    assert not first["jwks"].well
    assert (first["jwks"].reason, first["jwks"].stage, first["jwks"].owner) == (
        Reason.SERVER_ERROR,
        "jwks",
        Owner.IDENTITY_PROVIDER,
    )


def test_what_the_probes_warned_of_before_the_drill_is_not_the_drills(
    watch_of: Any, moved: Callable[[Scenario], None]
) -> None:
    moved(SCENARIOS["incident-gitlab-uncacheable"])

    with watch_of() as watch:
        moved(SCENARIOS["jwks-outage-5xx"])
        watch.until(lambda sighting: sighting.by == "jwks")

    assert not any("ROT-08" in sighting.findings for sighting in watch.told)
