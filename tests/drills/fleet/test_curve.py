"""From the answers of a verifier follow its time, its recovery, its curve and its words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.curve import MOST_POINTS, observed, points, recovered, refusals
from drills.scenario import Generation, Measure
from drills.subject import Sample

ZERO = 1000.0


def samples(answers: str, generation: Generation = Generation.NEW, start: float = 0.0) -> list[Sample]:
    """One answer a second from `start` after zero on: `+` accepted, `-` refused."""
    return [
        Sample("jose", generation, ZERO + start + second, answer == "+", "" if answer == "+" else "no key")
        for second, answer in enumerate(answers)
    ]


@pytest.mark.parametrize(
    ("answers", "seconds"), [("--++", 2.0), ("+++", 0.0), ("-+-++", 3.0), ("---", None), ("++-", None), ("", None)]
)
def test_acceptance_is_the_first_yes_after_the_last_no(answers: str, seconds: float | None) -> None:
    assert observed(samples(answers), Measure.ACCEPT, ZERO) == seconds


@pytest.mark.parametrize(("answers", "seconds"), [("++--", 2.0), ("+-+--", 3.0), ("+++", None), ("--+", None)])
def test_rejection_is_the_first_no_after_the_last_yes(answers: str, seconds: float | None) -> None:
    assert observed(samples(answers, Generation.OLD), Measure.REJECT, ZERO) == seconds


@pytest.mark.parametrize(("answers", "seconds"), [("++-+", 2.0), ("+++", None)])
def test_an_outage_is_felt_at_the_first_no(answers: str, seconds: float | None) -> None:
    assert observed(samples(answers, Generation.OLD), Measure.OUTAGE, ZERO) == seconds


def test_answers_before_the_clock_started_and_of_the_other_token_do_not_count() -> None:
    told = [*samples("--", start=-2.0), *samples("++"), *samples("----", Generation.OLD)]

    assert observed(told, Measure.ACCEPT, ZERO) == 0.0


def test_answers_may_come_in_any_order() -> None:
    assert observed(reversed(samples("--++")), Measure.ACCEPT, ZERO) == 2.0


@pytest.mark.parametrize(
    ("answers", "seconds"), [("+--|--+", 2.0), ("+--|+++", 0.0), ("+++|+++", None), ("+--|---", None), ("+++|+-+", 2.0)]
)
def test_recovery_is_from_the_end_of_the_fault_until_every_token_is_accepted(
    answers: str, seconds: float | None
) -> None:
    before, after = answers.split("|")

    told = [*samples(before, start=-len(before)), *samples(after)]

    assert recovered(told, ZERO) == seconds


def test_the_curve_counts_from_the_clock() -> None:
    curve = points([*samples("-", start=-1.0), *samples("+", start=1.0)], ZERO)

    assert [(point.seconds, point.ok) for point in curve] == [(-1.0, False), (1.0, True)]


@given(st.text("+-", min_size=1, max_size=60), st.integers(1, 60))
def test_a_long_curve_is_thinned_and_keeps_every_change(pattern: str, stretch: int) -> None:
    told = samples("".join(answer * stretch for answer in pattern))
    long = [*told, *samples("+" * 1000, start=len(told))]

    curve = points(long, ZERO)

    changes = [b.at - ZERO for a, b in pairwise(long) if a.ok is not b.ok]
    drawn = [b.seconds for a, b in pairwise(curve) if a.ok is not b.ok]
    assert drawn == changes
    assert len(curve) <= MOST_POINTS
    assert (curve[0].seconds, curve[-1].seconds) == (0.0, long[-1].at - ZERO)


def test_refusals_are_told_once_whatever_their_numbers_are() -> None:
    told = [
        Sample("jose", Generation.NEW, ZERO + second, False, error)
        for second, error in enumerate(["no key, 9 s more", "no key, 8.5 s more", "timed out"])
    ]

    assert refusals(told) == ("no key, 9 s more", "timed out")
