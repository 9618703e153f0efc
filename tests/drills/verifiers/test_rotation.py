"""What a rotation needs, and what the next one would break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.prediction import Observed
from drills.prediction_rotation import Impact, next_rotation, safe_rotation, verdict
from drills.verifiers import Verifier, verifiers

LIFETIME = 3600.0
EKS = Observed(max_age=604_800)


def named(*names: str) -> list[Verifier]:
    return [verifiers()[name] for name in names]


def told(names: tuple[str, ...], lead: float, observed: Observed = EKS) -> tuple[str, ...]:
    rows = named(*names)
    return verdict(next_rotation(rows, observed, lead), observed)


def test_the_lead_waits_for_the_slowest_verifier() -> None:
    safe = safe_rotation(named("envoy-jwt-authn", "spring-nimbus", "kube-apiserver"), EKS, token_lifetime=LIFETIME)

    assert (safe.lead, safe.slowest) == (604_770, "kube-apiserver")


def test_the_overlap_is_lifetime_and_largest_leeway_and_the_time_of_the_edge() -> None:
    safe = safe_rotation(named("jose", "lua-resty-openidc", "envoy-jwt-authn"), EKS, token_lifetime=300, edge_ttl=45)

    assert safe.overlap == 300 + 120 + 45


def test_a_leeway_that_nobody_knows_counts_as_the_largest_known() -> None:
    safe = safe_rotation(named("jose", "oathkeeper"), EKS, token_lifetime=300)

    assert safe.overlap == 300 + 300


def test_no_lead_is_long_enough_for_static_keys() -> None:
    safe = safe_rotation(named("jose", "static-keys"), EKS, token_lifetime=LIFETIME)

    assert (safe.lead, safe.lead_of_others, safe.without_bound) == (None, 30, ("static-keys",))


def test_a_verifier_that_refetches_in_the_background_needs_a_lead_of_its_period() -> None:
    safe = safe_rotation(named("microsoft-identitymodel"), EKS, token_lifetime=LIFETIME)

    assert safe.lead == pytest.approx(12.6 * 3600)


def test_what_the_lead_does_not_cover_is_refused() -> None:
    impacts = next_rotation(named("grafana", "envoy-jwt-authn", "go-oidc"), EKS, lead=900)

    assert [(each.breaks, each.window.seconds) for each in impacts] == [(True, 2700), (False, 0), (False, 0)]


def test_the_first_requests_fail_where_the_fetch_is_in_the_background() -> None:
    impacts = next_rotation(named("microsoft-identitymodel"), EKS, lead=3600)

    assert [(each.breaks, each.window.seconds) for each in impacts] == [(True, 0)]


def test_a_rotation_that_breaks_nothing_is_said_to() -> None:
    assert told(("spring-nimbus",), lead=0) == ("The next rotation breaks nothing.",)


def test_verifiers_that_break_are_named() -> None:
    assert told(("jose", "grafana", "go-oidc"), lead=60)[0] == "The next rotation would break grafana."


def test_verifiers_without_a_bound_are_to_be_restarted() -> None:
    sentences = told(("static-keys", "aws-sts"), lead=3600)

    assert sentences[:2] == ("The next rotation would break static-keys.", "The next rotation may break aws-sts.")
    assert sentences[2] == (
        "No lead is long enough for static-keys: restart or reconfigure before the new key is used."
    )
    assert sentences[3] == "Nobody says how long aws-sts needs: measure it before you rely on a lead."


def test_a_key_set_slower_than_a_deadline_is_said() -> None:
    sentences = told(("nimbus-jwk-source", "jose"), lead=3600, observed=Observed(fetch_seconds=1.2))

    assert "nimbus-jwk-source gives a fetch 0.5 s and the key set took 1.2 s: it may get no key at all." in sentences
    assert not [sentence for sentence in sentences if sentence.startswith("jose")]


def test_what_ends_a_compromised_key_is_said_for_each_verifier_that_would_keep_it() -> None:
    sentences = told(("go-oidc", "kube-apiserver", "jose"), lead=604_800)

    assert "After a compromise send one token with an unknown kid to each process of go-oidc." in sentences
    assert "After a compromise restart kube-apiserver: nothing else is known to end a removed key there." in sentences


@given(
    names=st.lists(st.sampled_from(list(verifiers())), min_size=1, unique=True),
    max_age=st.none() | st.floats(0, 1e7),
)
def test_the_lead_that_is_called_safe_breaks_no_verifier_that_has_a_bound(
    names: list[str], max_age: float | None
) -> None:
    observed = Observed(max_age=max_age)
    safe = safe_rotation(named(*names), observed, token_lifetime=LIFETIME)

    broken: list[Impact] = [each for each in next_rotation(named(*names), observed, safe.lead_of_others) if each.breaks]

    assert {each.prediction.verifier.name for each in broken} == set(safe.without_bound)
