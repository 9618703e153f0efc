"""Simulated months: the same at every run, true to the runs that they stand for, and without a false page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from alerts.replay import firing, rules_of
from alerts.simulation import MONTH, START, Shape, Trouble, detection, false_alarms, simulate
from alerts.timeline import Slicing, slicing_of
from alerts.windows import Severity

if TYPE_CHECKING:
    from tests.alerts.slo.conftest import Make

THREE = Shape(((60.0,), (60.0,), (60.0,)))
EACH_MINUTE = Slicing(1, 2)
NOISE = 0.002
WARM = 3 * 24 * 60


def test_a_seed_gives_the_same_history_every_time() -> None:
    first, again, other = (simulate(THREE, EACH_MINUTE, 2000, noise=0.01, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


@pytest.mark.parametrize("interval", [15.0, 60.0, 90.0, 300.0])
def test_regular_probing_makes_as_many_runs_as_fit(interval: float) -> None:
    timeline = simulate(Shape(((interval,),)), EACH_MINUTE, 3000, noise=0, seed=3)

    (runs,) = timeline.total.values()
    assert abs(sum(runs) - 3000 * 60 / interval) <= 1
    assert max(runs) - min(runs) <= 1


def test_about_as_many_runs_fail_as_the_noise_says() -> None:
    timeline = simulate(THREE, EACH_MINUTE, MONTH, noise=NOISE, seed=4)

    bad, total = (sum(map(sum, each.values())) for each in (timeline.bad, timeline.total))
    assert bad / total == pytest.approx(NOISE, rel=0.25)


def test_trouble_hits_its_regions_from_its_minute_on() -> None:
    timeline = simulate(THREE, EACH_MINUTE, 200, noise=0, seed=5, trouble=Trouble(100, 1.0, regions=2))

    bad = list(timeline.bad.values())
    assert [sum(region[:100]) for region in bad] == [0, 0, 0]
    assert [sum(region[100:]) for region in bad] == [100, 100, 0]
    assert set(timeline.slices[:100]) == {0}
    assert set(timeline.slices[101:]) == {1}


def test_a_set_grows_old_before_it_counts_as_stale() -> None:
    timeline = simulate(THREE, replace(EACH_MINUTE, max_age=300.0), 200, noise=0, seed=6, trouble=Trouble(100, 1.0))

    first = timeline.slices.index(1)
    assert 103 <= first <= 106
    assert set(timeline.slices[first:]) == {1}


def test_slices_are_as_long_as_the_slowest_probe_needs() -> None:
    timeline = simulate(Shape(((300.0,), (300.0,))), Slicing(5, 2), 60, noise=0, seed=7)

    assert [minute for minute, judged in enumerate(timeline.slices, start=1) if judged is not None] == [
        *range(5, 61, 5)
    ]


def test_one_region_alone_gives_no_slice() -> None:
    assert set(simulate(Shape(((60.0,),)), EACH_MINUTE, 60, noise=0, seed=8).slices) == {None}


def test_a_simulation_begins_at_a_full_step() -> None:
    assert START.timestamp() % timedelta(minutes=5).total_seconds() == 0


def test_no_page_is_false_at_a_noise_of_two_per_mille(make: Make) -> None:
    deployment = make.deployment()
    slo = deployment.slos[0]

    alarms = false_alarms(THREE, slicing_of(deployment, slo), rules_of(deployment, slo), noise=NOISE, seeds=range(10))

    assert {tier.name: count for tier, count in alarms.items() if tier.severity is Severity.PAGE} == {
        "escalation": 0,
        "fast": 0,
        "medium": 0,
    }


@pytest.mark.parametrize(
    ("trouble", "page", "minutes"),
    [
        (Trouble(WARM, 1.0), "fast", 2),
        (Trouble(WARM, 1.0, regions=2), "fast", 3),
        (Trouble(WARM, 0.5), "fast", 5),
        (Trouble(WARM, 0.2), "fast", 15),
        (Trouble(WARM, 0.05), "medium", 120),
    ],
)
def test_trouble_pages_within_minutes(make: Make, trouble: Trouble, page: str, minutes: int) -> None:
    deployment = make.deployment()
    slo = deployment.slos[0]

    found = detection(
        THREE, slicing_of(deployment, slo), rules_of(deployment, slo), trouble, horizon=360, seeds=range(11)
    )

    delay = next(delay for tier, delay in found.items() if tier.name == page)
    assert delay is not None
    assert delay <= minutes


def test_an_hour_of_trouble_in_one_region_pages_nobody_and_makes_a_ticket(make: Make) -> None:
    deployment = make.deployment()
    slo, trouble = deployment.slos[0], Trouble(WARM, 1.0, regions=1)
    slicing, rules = slicing_of(deployment, slo), rules_of(deployment, slo)

    # Noise in the others is no second region.
    histories = [simulate(THREE, slicing, WARM + 60, noise=NOISE, seed=seed, trouble=trouble) for seed in range(20)]

    fired = {rule.tier.severity for history in histories for rule, minutes in firing(rules, history) if minutes}
    assert fired == {Severity.TICKET}
