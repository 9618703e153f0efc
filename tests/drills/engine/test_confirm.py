"""What a driver says that it did is believed when it is seen from outside, as far as the drill lets it be seen."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drills.claim import claimed
from drills.journal import read_log
from drills.lab import TOKEN_LIFETIME
from drills.plan import NotReady
from drills.record import Verdict
from drills.recovery import NotRestored
from drills.scenario import Action, Scenario
from drills.scenarios import SCENARIOS

pytestmark = pytest.mark.process

Range = Any  # of the conftest, which tests cannot import


@pytest.mark.parametrize(
    ("scenario", "idle", "said"),
    [
        ("routine", Action.ANNOUNCE, "announce is said to be done, but no key was added to the key set"),
        ("routine", Action.ACTIVATE, "activate is said to be done, but new tokens are still signed with"),
        ("zero-lead", Action.ROTATE, "rotate is said to be done, but new tokens are still signed with"),
        ("early-removal", Action.REPLACE, "replace is said to be done, but new tokens are still signed with"),
        ("incident-azure-2021", Action.REMOVE, "remove is said to be done, but .* is still published"),
        ("algorithm-change", Action.ALGORITHM, "algorithm is said to be done, but new tokens are still signed with"),
        ("incident-microsoft-rollover", Action.ROTATE, "rotate is said to be done, but new tokens are still signed"),
    ],
)
def test_a_move_that_nobody_sees_ends_the_drill(
    range_: Range, quick: Callable[[Scenario], Scenario], scenario: str, idle: Action, said: str
) -> None:
    range_.control.settings(access_token_lifetime=40, jwks_cache_control="no-store")
    before = range_.keys()
    plan = range_.plan(quick(SCENARIOS[scenario]), ("pyjwt",), driver=range_.idle(idle), patience=0.6, longest=60.0)

    record = range_.run(plan).record

    range_.control.settings(access_token_lifetime=TOKEN_LIFETIME, jwks_cache_control="")
    assert record.verdict is Verdict.ABORTED
    assert re.search(said, "\n".join(record.because)), record.because
    assert range_.keys() == before


def test_a_key_that_comes_a_moment_later_is_waited_for(range_: Range, quick: Callable[[Scenario], Scenario]) -> None:
    plan = range_.plan(quick(SCENARIOS["zero-lead"]), ("pyjwt",), driver=range_.late(2.0))

    record = range_.run(plan).record

    assert record.verdict is Verdict.PASS, record.because


def test_a_key_set_that_caches_may_hold_is_looked_at_for_as_long(range_: Range) -> None:
    range_.control.settings(jwks_cache_control="max-age=20")
    plan = range_.plan(
        SCENARIOS["incident-azure-2021"], ("pyjwt",), driver=range_.late(2.0), patience=0.5, longest=25.0
    )

    drilled = range_.run(plan)

    range_.control.settings(jwks_cache_control="")
    assert drilled.record.verdict is not Verdict.ABORTED, drilled.record.because
    assert any("as a cache may have the key set" in event.text for event in drilled.record.events)


def test_a_drill_is_not_begun_while_another_one_is_kept_elsewhere(range_: Range, tmp_path: Path) -> None:
    lab = range_.lab
    plan = range_.plan(SCENARIOS["zero-lead"], ("pyjwt",))

    with (
        claimed(lab.target.issuer.url, tmp_path / "elsewhere" / "other", lab.environ),
        pytest.raises(NotReady, match=r"other drills: a drill is running on this issuer.*elsewhere/other"),
    ):
        range_.run(plan)


def test_who_gives_a_rollback_up_is_not_asked_again(range_: Range, quick: Callable[[Scenario], Scenario]) -> None:
    driver = range_.refusing()
    plan = range_.plan(quick(SCENARIOS["zero-lead"]), ("pyjwt",), driver=driver)

    with pytest.raises(NotRestored, match="nobody rolled back"):
        range_.run(plan)

    assert driver.asked == 1
    left = read_log(plan.journal.folder)
    range_.driver().restore(left.before)
    range_.driver().clean(left.before, keep_new=False)


def test_a_provider_that_is_rotated_after_the_rollback_is_not_restored(
    range_: Range, quick: Callable[[Scenario], Scenario]
) -> None:
    plan = range_.plan(quick(SCENARIOS["zero-lead"]), ("pyjwt",), forgets_at_once=False, patience=1.0)

    with pytest.raises(NotRestored, match=r"was brought back, but is not as it was before: .* not with"):
        range_.run(dataclasses.replace(plan, journal=range_.meddled(plan.journal)))

    left = read_log(plan.journal.folder)
    assert left.touched  # so that `drill abort` brings it back
    range_.driver().restore(left.before)
    range_.driver().clean(left.before, keep_new=False)
