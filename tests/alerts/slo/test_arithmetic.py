"""How much evidence a few runs are: properties of the bound, and the figures that were worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.arithmetic import k_needed, wilson_lower

TOTALS = st.integers(1, 100_000)
SHARES = st.floats(0.0001, 0.9)


@st.composite
def counted(draw: st.DrawFn) -> tuple[int, int]:
    """Bad events and all of them."""
    total = draw(TOTALS)
    return draw(st.integers(0, total)), total


@given(counted())
def test_the_bound_is_a_share_no_larger_than_the_plain_one(counts: tuple[int, int]) -> None:
    bad, total = counts

    assert 0 <= wilson_lower(bad, total) <= bad / total + 1e-12


@given(counted())
def test_one_more_bad_event_raises_the_bound(counts: tuple[int, int]) -> None:
    bad, total = counts

    assert bad == total or wilson_lower(bad + 1, total) > wilson_lower(bad, total)


@given(counted())
def test_the_same_share_of_more_events_is_surer(counts: tuple[int, int]) -> None:
    bad, total = counts

    assert wilson_lower(2 * bad, 2 * total) >= wilson_lower(bad, total) - 1e-12


@given(TOTALS)
def test_nothing_bad_proves_nothing(total: int) -> None:
    assert wilson_lower(0, total) == pytest.approx(0, abs=1e-12)


@given(st.floats(-10, 0), st.floats(-10, 10))
def test_no_events_prove_nothing(total: float, bad: float) -> None:
    assert wilson_lower(bad, total) == 0


@given(TOTALS, SHARES)
def test_k_is_the_first_number_that_crosses(total: int, threshold: float) -> None:
    k = k_needed(total, threshold)

    if k is None:
        assert wilson_lower(total, total) <= threshold
    else:
        assert wilson_lower(k, total) > threshold >= wilson_lower(k - 1, total)


# 14.4 times the budget over an hour, for one to ten runs a minute.
@pytest.mark.parametrize(
    ("budget", "runs", "k"),
    [
        *((0.001, 60, 3), (0.001, 180, 6), (0.001, 360, 9), (0.001, 600, 14)),
        *((0.005, 60, 8), (0.005, 180, 19), (0.005, 360, 34)),
        *((0.01, 60, 14), (0.01, 180, 34), (0.01, 360, 63)),
    ],
)
def test_k_of_n_for_the_fast_tier(budget: float, runs: int, k: int) -> None:
    assert k_needed(runs, 14.4 * budget) == k


def test_the_bound_is_the_one_that_prometheus_computes() -> None:
    assert wilson_lower(3, 63) == pytest.approx(1.918760164041825e-02, rel=1e-12)  # from `promtool test rules`


def test_there_is_no_k_when_even_all_runs_are_too_few() -> None:
    assert k_needed(3, 0.72) is None
    assert k_needed(0, 0.1) is None
