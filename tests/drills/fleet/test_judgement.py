"""A difference between prediction and observation is judged, and explained in words."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from drills.expectation import Expected
from drills.judgement import SOONER, Judgement, judge
from drills.prediction import Bound
from drills.scenario import Measure
from drills.subject import Kind
from drills.verifiers import verifiers

A, R, O = Measure.ACCEPT, Measure.REJECT, Measure.OUTAGE


@dataclass(frozen=True)
class Case:
    name: str
    measure: Measure
    expected: float | None
    bound: float | None
    observed: float | None


def judged(
    case: Case, *, known: bool = True, window: float = 60.0, life: float = 3600.0, kind: Kind = Kind.CANARY
) -> Judgement:
    return judge(
        Expected(case.expected, "why", known),
        Bound(case.bound, "why", known),
        case.observed,
        measure=case.measure,
        poll=1.0,
        window=window,
        life=life,
        latency=0.5,
        row=verifiers()[case.name],
        kind=kind,
    )


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (Case("jose", A, 25.0, 30.0, 25.9), "accepted tokens of the new key after 25.9 s, as predicted (25.0 s)"),
        (Case("jose", A, 25.0, 30.0, 26.4), "predicted (25.0 s), within a poll and the 0.5 s that an answer may take"),
        (Case("jose", R, 40.0, 45.0, 38.6), "refused the removed key after 38.6 s, as predicted (40.0 s)"),
        (Case("go-oidc", O, None, None, None), "had not refused tokens without the key set within 60 s, as predicted"),
        (Case("nimbus-jwk-source", A, 25.0, 30.0, 0.4), "predicted were 25.0 s: sooner, because its rate limit"),
        (Case("istio", R, 20.0, 30.0, 27.0), "predicted were 20.0 s: later, but within the 30.0 s of its row"),
        (Case("istio", R, 20.0, 30.0, 27.0), "and each cluster has a cache of its own"),
        (Case("jose", R, 20.0, 30.0, 5.0), "predicted were 20.0 s: sooner, within the 30.0 s of its row"),
    ],
)
def test_what_is_within_the_bounds_is_well(case: Case, said: str) -> None:
    judgement = judged(case)

    assert judgement.ok
    assert judgement.said.startswith(f"{case.name} ")
    assert said in judgement.said


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            Case("pyjwt", A, 25.0, 30.0, None),
            "had not accepted tokens of the new key within 60 s, predicted were 25.0 s",
        ),
        (Case("pyjwt", R, 25.0, 30.0, None), "had not refused the removed key within 60 s, predicted were 25.0 s"),
        (Case("jose", A, 25.0, 30.0, 31.6), "after 31.6 s, predicted were 25.0 s and 30.0 s at most"),
        (Case("keyfunc", O, None, None, 9.0), "after 9.0 s, predicted was never: its keys did not last as long"),
        (Case("jose", O, 25.0, 30.0, 9.0), "after 9.0 s, predicted were 25.0 s: its keys did not last as long"),
    ],
)
def test_what_is_beyond_them_is_not_and_the_verifier_is_named(case: Case, said: str) -> None:
    judgement = judged(case)

    assert (judgement.ok, judgement.watched) == (False, True)
    assert judgement.said.startswith(f"{case.name} ")
    assert said in judgement.said


@pytest.mark.parametrize(
    ("case", "life", "way"),
    [
        (Case("jose", R, 59.0, 600.0, None), 3600.0, "a longer --longest shows it"),
        (Case("istio", A, 1195.0, 1200.0, None), 300.0, "a longer --longest shows it"),
        (Case("istio", R, 1195.0, 1200.0, None), 3600.0, "a longer --longest shows it"),
        (Case("istio", R, 1195.0, 1200.0, None), 300.0, "a longer --longest and tokens that live longer show it"),
    ],
)
def test_what_is_predicted_for_later_than_was_watched_is_not_as_predicted(case: Case, life: float, way: str) -> None:
    judgement = judged(case, life=life)

    assert (judgement.ok, judgement.watched) == (False, False)
    assert judgement.said.endswith(f"within 60 s: not watched for long enough (predicted {case.expected:.1f} s): {way}")


@pytest.mark.parametrize(
    ("measure", "way"),
    [
        (R, "its token ended after 43 s, and tokens that live longer show it"),
        (A, "a longer --longest shows it"),  # new tokens are renewed
    ],
)
def test_where_the_token_had_ended_no_longer_drill_is_advised(measure: Measure, way: str) -> None:
    row = verifiers()["istio"]

    judgement = judge(
        Expected(200.0, "why"), Bound(1200.0, "why"), None, measure=measure, poll=1.0, window=42.0, life=45.0,
        latency=0.5, row=row, kind=Kind.EMULATED, token_ended=43.0,
    )  # fmt: skip

    assert judgement.said.endswith(way)


def test_a_refusal_that_a_verifier_waits_for_may_come_after_the_window() -> None:
    slow = Expected(40.0, "why", waits=30.0)

    judgement = judge(
        slow, Bound(45.0, "why"), None, measure=O, poll=1.0, window=60.0, life=3600.0, latency=0.5,
        row=verifiers()["pyjwt"], kind=Kind.CANARY,
    )  # fmt: skip

    assert not judgement.watched


@pytest.mark.parametrize("observed", [None, 3.0])
def test_nothing_is_wrong_about_what_nobody_knew(observed: float | None) -> None:
    judgement = judged(Case("clerk-backend", R, None, None, observed), known=False)

    assert judgement.ok
    assert judgement.said.endswith("nobody knew how long it takes")


def test_what_is_peculiar_to_a_library_does_not_excuse_its_emulation() -> None:
    judgement = judged(Case("nimbus-jwk-source", R, 25.0, 30.0, 0.4), kind=Kind.EMULATED)

    assert "refreshes a tenth" not in judgement.said


def test_peculiarities_are_those_of_rows() -> None:
    assert {name for name, _ in SOONER} <= set(verifiers())
