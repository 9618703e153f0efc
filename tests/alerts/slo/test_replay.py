"""Which alerts a history raises: the policy's evidence, its ends, and what it makes of gaps."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from alerts.replay import Episode, Rule, episodes, rules_of
from alerts.timeline import Run, Slicing, aligned, timeline_of
from probes.model import Outcome

if TYPE_CHECKING:
    from tests.alerts.slo.conftest import Make, Verdict

GOOD, BAD, OUT = Outcome.SUCCESS, Outcome.FAILURE, Outcome.EXCLUDED
WARM = 6 * 60
PAGES = ("escalation", "fast", "medium")


def after(minute: int, *regions: str, until: int = 10**6) -> Verdict:
    """All is well but in these regions from that minute on."""
    return lambda region, at: BAD if minute <= at < until and region in regions else GOOD


def begun(make: Make, verdict: Verdict, minutes: int = WARM + 120, min_regions: int = 2) -> dict[str, int]:
    """The minute, counted from the end of the warm-up, in which each tier fires first."""
    deployment = make.deployment(min_regions=min_regions)
    found = episodes(rules_of(deployment, deployment.slos[0]), make.timeline(verdict, minutes, min_regions=min_regions))
    firsts: dict[str, int] = {}
    for episode in found:
        firsts.setdefault(episode.tier.name, (episode.start - make.start) // timedelta(minutes=1) - WARM)
    return firsts


def test_a_total_outage_pages_at_its_second_run(make: Make) -> None:
    found = begun(make, after(WARM + 1, "ap", "eu", "us"))

    assert found["fast"] == 2
    assert found["escalation"] > 20


def test_two_of_three_regions_down_page(make: Make) -> None:
    assert begun(make, after(WARM + 1, "eu", "us"))["fast"] == 3


def test_one_region_down_makes_a_ticket_and_no_page(make: Make) -> None:
    found = begun(make, after(WARM + 1, "us"))

    assert "slow" in found
    assert [tier for tier in PAGES if tier in found] == []


def test_a_stray_failure_elsewhere_is_judged_by_all_runs_of_that_region(make: Make) -> None:
    def verdict(region: str, minute: int) -> Outcome:  # one region has but a few runs that count, and they fail
        if region == "us":
            return BAD if minute > WARM else OUT
        return BAD if minute == WARM + 5 else GOOD

    regions, minutes = ("eu", "us"), WARM + 10
    deployment = make.deployment(regions=regions)
    timeline = timeline_of(make.runs(verdict, minutes, regions=regions), make.start, minutes, Slicing(1, 2))

    fired = {episode.tier.name for episode in episodes(rules_of(deployment, deployment.slos[0]), timeline)}

    assert fired.isdisjoint(PAGES)


def test_one_region_alone_pages_where_one_is_said_to_be_enough(make: Make) -> None:
    assert "fast" in begun(make, after(WARM + 1, "us"), min_regions=1)


def test_one_failure_raises_nothing(make: Make) -> None:
    assert begun(make, after(WARM + 1, "us", until=WARM + 2)) == {}


def test_runs_that_are_no_evidence_raise_nothing(make: Make) -> None:
    assert begun(make, lambda region, minute: OUT if minute > WARM else GOOD) == {}


def test_an_alert_ends_when_the_short_window_is_clean_and_goes_on_for_its_hold(make: Make) -> None:
    deployment = make.deployment()
    verdict = after(WARM + 1, "ap", "eu", "us", until=WARM + 11)

    found = episodes(rules_of(deployment, deployment.slos[0]), make.timeline(verdict, WARM + 120))

    fast = [episode for episode in found if episode.tier.name == "fast"]
    assert [(each.end - make.start) // timedelta(minutes=1) - WARM for each in fast] == [10 + 5 + 5]


def test_two_outages_close_together_are_one_alert_and_far_apart_two(make: Make) -> None:
    def count(gap: int) -> int:
        outages = {*range(WARM, WARM + 10), *range(WARM + 10 + gap, WARM + 20 + gap)}
        deployment = make.deployment()
        timeline = make.timeline(lambda region, minute: BAD if minute in outages else GOOD, WARM + 180)
        found = episodes(rules_of(deployment, deployment.slos[0]), timeline)
        return sum(episode.tier.name == "fast" for episode in found)

    assert (count(8), count(40)) == (1, 2)


def test_an_alert_says_how_many_of_how_many_were_bad(make: Make) -> None:
    deployment = make.deployment()
    timeline = make.timeline(after(WARM + 1, "ap", "eu", "us"), WARM + 30)

    first = next(each for each in episodes(_fast(make), timeline))

    assert (first.bad, first.total) == (6, 180)
    assert deployment.expected_runs(deployment.slos[0], timedelta(hours=1)) == 180


def test_an_objective_without_events_counts_slices(make: Make) -> None:
    deployment = make.deployment(make.check("jwks"), sli="jwks-freshness")
    slo = deployment.slos[0]
    runs = make.runs(after(WARM + 1, "ap", "eu", "us"), WARM + 60, name="acme//jwks")

    found = episodes(rules_of(deployment, slo), timeline_of(runs, make.start, WARM + 60, Slicing(1, 2, max_age=300.0)))

    fast = _first(found, "fast")
    assert (fast.start - make.start) // timedelta(minutes=1) - WARM == 5 + 3  # five minutes old, three bad slices
    assert (fast.bad, fast.total) == (3, 60)


def test_a_region_that_is_silent_takes_part_in_no_slice(make: Make) -> None:
    silent = [run for run in make.runs(after(1, "us"), 60) if run.region != "eu" or run.at < _at(make, 20)]

    slices = timeline_of(silent, make.start, 60, Slicing(1, 2)).slices

    assert set(slices) == {0}  # one failing of three, later one of two: no majority
    assert set(timeline_of(silent, make.start, 60, Slicing(1, 3)).slices[23:]) == {None}  # but only two are left


def test_a_slice_that_too_few_regions_tell_of_is_unknown(make: Make) -> None:
    runs = [run for run in make.runs(after(1, "us"), 60) if run.region == "us" or run.at < _at(make, 20)]

    slices = timeline_of(runs, make.start, 60, Slicing(1, 2)).slices

    assert slices[18] == 0
    assert set(slices[23:]) == {None}


@pytest.mark.parametrize(("quorum", "bad"), [("any", 1), ("majority", 0), ("all", 0)])
def test_the_quorum_decides_what_one_failing_region_means(make: Make, quorum: str, bad: int) -> None:
    slices = timeline_of(make.runs(after(1, "us"), 10), make.start, 10, Slicing(1, 2, quorum)).slices

    assert slices[5] == bad


def test_the_order_in_which_runs_come_makes_no_difference(make: Make) -> None:
    runs = make.runs(after(20, "us", "eu", until=30), 60)

    assert timeline_of(reversed(runs), make.start, 60, Slicing(1, 2)) == timeline_of(
        runs, make.start, 60, Slicing(1, 2)
    )


def test_runs_of_another_time_are_left_out(make: Make) -> None:
    other = [Run(_at(make, minute), "acme/portal/login", "eu", 60, BAD) for minute in (-5, 0, 61)]

    assert timeline_of(other, make.start, 60, Slicing(1, 2)).bad == {}


def test_a_history_without_runs_raises_nothing(make: Make) -> None:
    deployment = make.deployment()

    assert episodes(rules_of(deployment, deployment.slos[0]), timeline_of([], make.start, 600, Slicing(1, 2))) == ()


def test_a_timeline_begins_at_a_full_five_minutes(make: Make) -> None:
    assert aligned(make.start + timedelta(minutes=4, seconds=59)) == make.start
    assert aligned(make.start + timedelta(minutes=5)) == make.start + timedelta(minutes=5)


def test_episodes_come_in_order(make: Make) -> None:
    deployment = make.deployment()
    timeline = make.timeline(after(WARM + 1, "ap", "eu", "us"), WARM + 120)

    starts = [each.start for each in episodes(rules_of(deployment, deployment.slos[0]), timeline)]

    assert all(earlier <= later for earlier, later in itertools.pairwise(starts))
    assert len(starts) == 5


def _fast(make: Make) -> tuple[Rule, ...]:
    deployment = make.deployment()
    return tuple(rule for rule in rules_of(deployment, deployment.slos[0]) if rule.tier.name == "fast")


def _first(found: tuple[Episode, ...], tier: str) -> Episode:
    return next(episode for episode in found if episode.tier.name == tier)


def _at(make: Make, minute: int) -> float:
    return make.start.timestamp() + 60 * minute
