"""What is said of deployments that can, barely can and cannot measure what they promise."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from alerts.deployment import Deployment
from alerts.measurability import Measured, Subject, TierVerdict, measure
from alerts.model import ANY

if TYPE_CHECKING:
    from tests.alerts.slo.conftest import Make


def measured(deployment: Deployment, noise: float = 0.0005) -> Measured:
    """The only objective, probed in one way."""
    (found,) = measure(deployment, lambda slo, subject: noise)
    return found


def tiers(found: Measured) -> dict[str, TierVerdict]:
    return {verdict.tier.name: verdict for verdict in found.tiers}


def advice(found: Measured) -> str:
    return "\n".join(each.text for each in found.advice)


def test_three_regions_a_minute_measure_three_nines_without_a_remark(make: Make) -> None:
    found = measured(make.deployment())

    assert found.advice == ()
    assert all(verdict.can_fire for verdict in found.tiers)
    assert (tiers(found)["fast"].k, tiers(found)["fast"].n, tiers(found)["fast"].outage) == (6, 180, 2)
    assert found.budget_runs == pytest.approx(129.6)
    assert found.budget_minutes == pytest.approx(43.2)


def test_a_tier_that_needs_more_than_everything_to_be_bad_is_named(make: Make) -> None:
    escalation = tiers(measured(make.deployment(objective="99")))["escalation"]

    assert not escalation.can_fire
    assert escalation.obstacle == "it would need 360% of everything to be bad"
    assert (escalation.outage, escalation.false_alarms) == (None, 0)


def test_a_tier_that_looks_back_further_than_the_objective_is_named(make: Make) -> None:
    found = tiers(measured(make.deployment(window=timedelta(days=1), objective="99")))

    assert found["long"].obstacle == "its window is longer than the objective's"


def test_one_region_where_two_must_agree_never_pages_and_is_told_so(make: Make) -> None:
    found = measured(make.deployment(regions=("eu",), objective="99.9"))

    assert tiers(found)["fast"].obstacle == "2 regions must agree, and it is probed from 1"
    assert tiers(found)["slow"].can_fire
    assert "Nobody is ever paged. 2 regions must agree, and it is probed from 1." in advice(found)
    assert "set alerting.min_regions: 1" in advice(found)
    assert not any(each.refuses for each in found.advice)


def test_an_objective_so_low_that_no_page_can_fire_is_told_so(make: Make) -> None:
    found = measured(make.deployment(objective="80"))

    assert "Nobody is ever paged. It would need" in advice(found)
    assert advice(found).endswith("Raise the objective, or probe more often.")


def test_one_region_pages_where_that_is_accepted(make: Make) -> None:
    found = measured(make.deployment(regions=("eu",), objective="99", min_regions=1))

    assert tiers(found)["fast"].can_fire
    assert "Nobody is ever paged" not in advice(found)


def test_a_budget_of_a_few_runs_is_refused_with_what_would_help(make: Make) -> None:
    found = measured(make.deployment(make.check(interval=300), objective="99.99"))

    (refusal,) = (each.text for each in found.advice if each.refuses)
    assert refusal == (
        "99.99 % of the 25920 runs in 30 d leave 2.6 that may fail: too few to measure. "
        "Lower the objective to 99.92 % or less, probe 7.7 times as often, or add regions."
    )


def test_the_objective_that_is_recommended_is_not_refused(make: Make) -> None:
    found = measured(make.deployment(make.check(interval=300), objective="99.92"))

    assert not any(each.refuses for each in found.advice)


def test_evidence_that_chance_can_bring_about_is_named(make: Make) -> None:
    found = measured(make.deployment(make.check(interval=300), objective="99.9"))

    assert tiers(found)["fast"].k == 2
    assert "Chance alone can raise fast (2 of 36)" in advice(found)


def test_noise_beyond_the_budget_is_named(make: Make) -> None:
    assert "0.20% of the runs fail at random: that alone spends the budget 2.0 times over" in advice(
        measured(make.deployment(), noise=0.002)
    )


def test_a_slow_check_that_stretches_the_slices_of_quick_ones_is_named(make: Make) -> None:
    checks = (make.check("discovery", interval=30), make.check("client_credentials", interval=240))
    found = measured(make.deployment(*checks, sli="idp-availability", objective="99.5"))

    assert "acme/portal/client_credentials runs every 240 s only, so slices are 240 s long" in advice(found)


def test_an_objective_of_the_whole_issuer_is_one_for_all_its_checks(make: Make) -> None:
    checks = (make.check("discovery", interval=30), make.check("client_credentials", interval=60))

    found = measured(make.deployment(*checks, sli="idp-availability", objective="99.5"))

    assert found.subjects == (Subject("acme", ANY),)
    assert found.shape.regions == ((30, 60),) * 3


def test_an_objective_that_counts_time_is_told_in_slices(make: Make) -> None:
    found = measured(make.deployment(make.check("jwks"), sli="jwks-freshness", objective="99.9"))

    fast = tiers(found)["fast"]
    assert (fast.k, fast.n, fast.unit) == (3, 60, "slices")
    assert fast.outage == pytest.approx(7, abs=1)  # five minutes until the set is stale, then three slices
    assert found.budget_runs == 0


def test_clients_that_are_probed_alike_are_told_of_together(make: Make) -> None:
    one = make.check()
    assert one.client is not None
    other = type(one)(one.issuer, "login", type(one.client)("kiosk", "kiosk"), interval=60)

    found = measured(make.deployment(one, other))

    assert found.subjects == (Subject("acme", "portal"), Subject("acme", "kiosk"))
