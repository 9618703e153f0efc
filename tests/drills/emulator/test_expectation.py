"""What a drill will see of a row is what the row's rules give, within the bounds that are predicted for it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.expectation import Expected, Scene, bound_of, expect
from drills.fleet_members import played
from drills.prediction import Outage
from drills.scenario import Generation, Measure
from drills.verifiers import Verifier, verifiers

OLD, BOTH = frozenset({Generation.OLD}), frozenset(Generation)
REMOVED = Scene(Measure.REJECT, warmed=5.0, polls=OLD, window=400.0)
DEAD = Scene(Measure.OUTAGE, warmed=5.0, polls=OLD, window=400.0, outage=Outage.DEAD)
ROTATED = Scene(Measure.ACCEPT, warmed=5.0, window=400.0)


def seconds(name: str, scene: Scene) -> float | None:
    return expect(verifiers()[name], scene).seconds


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("go-oidc", 0.0),
        ("jose", 25.0),
        ("keyfunc", 0.0),
        ("microsoft-identitymodel", 296.0),
        ("istio-envoy", 295.0),
        ("static-keys", None),
    ],
)
def test_a_new_key_is_accepted_as_the_class_and_the_last_fetch_say(name: str, expected: float | None) -> None:
    assert seconds(name, ROTATED) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("spring-nimbus", 295.0), ("go-oidc", None), ("mozilla-django-oidc", 0.0)]
)
def test_a_removed_key_is_refused_when_its_time_is_over(name: str, expected: float | None) -> None:
    assert seconds(name, REMOVED) == expected


@pytest.mark.parametrize(("name", "expected"), [("go-oidc", 1.0), ("jose", 26.0), ("node-jwks-rsa", 595.0)])
def test_a_new_token_flushes_a_removed_key_where_whole_sets_are_cached(name: str, expected: float | None) -> None:
    assert seconds(name, replace(REMOVED, polls=BOTH)) == expected


@pytest.mark.parametrize(("name", "expected"), [("pyjwt", 295.0), ("keyfunc", None), ("static-keys", None)])
def test_an_outage_is_survived_for_as_long_as_keys_last(name: str, expected: float | None) -> None:
    assert seconds(name, DEAD) == expected


@pytest.mark.parametrize(
    ("name", "scene", "expected"),
    [
        ("istio", REMOVED, 1195.0),
        ("grafana", REMOVED, 3595.0),
        ("istio", DEAD, 604_795.0),
        ("keyfunc-v2", ROTATED, 172_795.0),
        ("pyjwt", replace(ROTATED, window=10.0), 25.0),
        ("keycloak-broker", replace(REMOVED, polls=BOTH, window=2.0), 5.0),
    ],
)
def test_what_comes_after_the_window_is_expected_all_the_same(name: str, scene: Scene, expected: float) -> None:
    assert seconds(name, scene) == pytest.approx(expected, abs=scene.poll)


def test_an_error_in_json_ends_temporal_with_its_next_fetch() -> None:
    assert seconds("temporal", replace(DEAD, outage=Outage.ERROR_BODY)) == 55.0
    assert seconds("temporal", DEAD) is None


@pytest.mark.parametrize(("name", "expected"), [("jose", 395.0), ("spring-nimbus", None)])
def test_a_slow_key_set_is_an_outage_to_those_who_wait_no_longer(name: str, expected: float | None) -> None:
    short = played(verifiers()[name], {"ttl": 400.0})

    slow = replace(DEAD, outage=Outage.SLOW, fetch_seconds=6.0)

    assert expect(short, slow).seconds == expected


@pytest.mark.parametrize(("name", "waits"), [("jose", 5.0), ("spring-nimbus", 30.0), ("openid-client", 30.0)])
def test_a_refusal_takes_as_long_as_the_verifier_waits_for_the_key_set(name: str, waits: float) -> None:
    hangs = replace(DEAD, fetch_seconds=math.inf, window=700.0)

    assert expect(verifiers()[name], hangs).waits == waits
    assert expect(verifiers()[name], replace(DEAD, window=700.0)).waits == 0.0


def test_max_age_moves_a_verifier_that_follows_it() -> None:
    assert seconds("kube-apiserver", replace(ROTATED, max_age=300.0)) == 265.0


def test_what_nobody_knows_is_not_expected() -> None:
    expected = expect(verifiers()["cloud-workload-federation"], REMOVED)

    assert (expected.seconds, expected.known) == (None, False)


def test_a_flush_is_known_even_where_the_time_of_a_key_is_not() -> None:
    expected = expect(verifiers()["cloud-workload-federation"], replace(REMOVED, polls=BOTH, window=700.0))

    assert expected == Expected(596.0, "a token of the new key makes it fetch a set that no longer holds the old one")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "spring-reactive",
            "a key that it holds has no time limit; one token with an unknown kid makes it drop the key",
        ),
        ("envoy-jwt-authn-async", "it uses a key for 10m without a fetch; its last fetch was 5 s before"),
        ("istio-envoy", "it uses a key for 5m without a fetch; its last fetch was 5 s before"),
    ],
)
def test_an_expectation_says_why(name: str, why: str) -> None:
    assert expect(verifiers()[name], REMOVED).why == why


rows = st.builds(
    played,
    st.sampled_from(list(verifiers().values())),
    st.fixed_dictionaries({"ttl": st.floats(1, 60), "cooldown": st.floats(1, 30)}),
)
scenes = st.builds(
    Scene,
    measure=st.sampled_from(Measure),
    warmed=st.floats(0, 150),
    poll=st.sampled_from([0.5, 1.0, 7.0]),
    window=st.just(100.0),
    max_age=st.none() | st.floats(0, 90),
    outage=st.sampled_from(Outage),
)


@given(row=rows, scene=scenes, both=st.booleans())
def test_nothing_is_expected_later_than_its_bound(row: Verifier, scene: Scene, both: bool) -> None:
    outage = scene.outage if scene.measure is Measure.OUTAGE else None
    polls = BOTH if scene.measure is Measure.ACCEPT or (both and outage is None) else OLD
    scene = replace(scene, outage=outage, polls=polls)

    expected, bound = expect(row, scene), bound_of(row, scene)

    assert expected.why
    if bound.seconds is not None:
        assert expected.seconds is not None
        assert expected.seconds <= bound.seconds + 2 * scene.poll
