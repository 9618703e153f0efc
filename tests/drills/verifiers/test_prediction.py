"""Every row is predicted as the measured and documented behaviour of its product says; the figures are by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.prediction import Observed, Outage, predict
from drills.verifiers import Verifier, VerifierClass, verifiers

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
MAX_AGE = 7200.0
"""What the issuer of the table below says of its key set."""
NO_BOUND, UNKNOWN = "no bound", "unknown"

# verifier: (T_accept, T_reject, T_outage)
EXPECTED: dict[str, tuple[float | str, float | str, float | str]] = {
    "go-oidc": (0, NO_BOUND, NO_BOUND),
    "kube-apiserver": (MAX_AGE - 30, NO_BOUND, NO_BOUND),
    "envoy-jwt-authn": (10 * MINUTE, 10 * MINUTE, 10 * MINUTE),
    "envoy-jwt-authn-async": (10 * MINUTE, 10 * MINUTE, NO_BOUND),
    "istio": (20 * MINUTE, 20 * MINUTE, 7 * DAY),
    "istio-envoy": (5 * MINUTE, 5 * MINUTE, 5 * MINUTE),
    "spring-nimbus": (0, 5 * MINUTE, 5 * MINUTE),
    "spring-nimbus-cache": (0, UNKNOWN, UNKNOWN),
    "spring-reactive": (0, NO_BOUND, NO_BOUND),
    "nimbus-jwk-source": (30, 5 * MINUTE, 5 * MINUTE),
    "jose": (30, 10 * MINUTE, 10 * MINUTE),
    "openid-client": (60, 5 * MINUTE, 5 * MINUTE),
    "node-jwks-rsa": (0, 10 * MINUTE, 10 * MINUTE),
    "jwks-rsa-java": (0, 10 * HOUR, 10 * HOUR),
    "pyjwt-2026-03": (0, 5 * MINUTE, 5 * MINUTE),
    "authlib": (0, NO_BOUND, NO_BOUND),
    "mozilla-django-oidc": (0, 0, 0),
    "microsoft-identitymodel": (5 * MINUTE, 12.6 * HOUR, NO_BOUND),
    "mod-auth-openidc": (60, HOUR, HOUR),
    "lua-resty-openidc": (0, DAY, DAY),
    "kong-openid-connect": (30, HOUR, NO_BOUND),
    "keycloak-broker": (10, DAY, NO_BOUND),
    "keycloak-adapter": (10, DAY, UNKNOWN),
    "quarkus-oidc": (10 * MINUTE, UNKNOWN, UNKNOWN),
    "aws-api-gateway-rest": (0, HOUR, HOUR),
    "aws-api-gateway-http": (2 * HOUR, 2 * HOUR, 2 * HOUR),
    "aws-sts": (UNKNOWN, UNKNOWN, UNKNOWN),
    "cloud-workload-federation": (10 * MINUTE, UNKNOWN, UNKNOWN),
    "uploaded-jwks": (NO_BOUND, NO_BOUND, NO_BOUND),
    "apigee": (5 * MINUTE, 5 * MINUTE, 5 * MINUTE),
    "azure-api-management": (5 * MINUTE, HOUR, UNKNOWN),
    "grafana": (HOUR, HOUR, HOUR),
    "temporal": (60, 60, NO_BOUND),
    "krakend": (15 * MINUTE, 15 * MINUTE, 15 * MINUTE),
    "cloudfoundry-uaa": (10 * MINUTE, 10 * MINUTE, NO_BOUND),
    "oathkeeper": (0, 30, 30),
    "keyfunc": (5 * MINUTE, HOUR, NO_BOUND),
    "keyfunc-v2": (48 * HOUR, 48 * HOUR, NO_BOUND),
    "jwx-cache": (MAX_AGE, MAX_AGE, NO_BOUND),
    "php-jwt": (0, NO_BOUND, NO_BOUND),
    "aws-jwt-verify": (0, NO_BOUND, NO_BOUND),
    "zitadel-oidc": (0, NO_BOUND, NO_BOUND),
    "ruby-jwt": (5 * MINUTE, UNKNOWN, UNKNOWN),
    "sap-cloud-security": (15 * MINUTE, 15 * MINUTE, 15 * MINUTE),
    "hcl-domino": (MAX_AGE, MAX_AGE + DAY, UNKNOWN),
    "tibco-ems": (UNKNOWN, MAX_AGE, UNKNOWN),
    "airlock-iam": (0, 20 * MINUTE, UNKNOWN),
    "hasura": (MAX_AGE, UNKNOWN, UNKNOWN),
    "clerk-backend": (5 * MINUTE, UNKNOWN, UNKNOWN),
    # Measured, beside those of the literature.
    "pyjwt": (30, 5 * MINUTE, 5 * MINUTE),
    "pyjwt-cache-keys": (30, NO_BOUND, NO_BOUND),
    "mod-auth-openidc-2.4.12": (0, HOUR, HOUR),
    "mod-oauth2": (0, DAY, DAY),
    "temporal-without-refresh": (NO_BOUND, NO_BOUND, NO_BOUND),
    "static-keys": (NO_BOUND, NO_BOUND, NO_BOUND),
}

max_ages = st.none() | st.floats(0, 10 * DAY)
rows = st.sampled_from(list(verifiers().values()))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_verifier_is_predicted_as_its_product_behaves(name: str) -> None:
    prediction = predict(verifiers()[name], Observed(max_age=MAX_AGE))

    bounds = (prediction.accept, prediction.reject, prediction.outage)
    said = tuple(
        bound.seconds if bound.seconds is not None else NO_BOUND if bound.known else UNKNOWN for bound in bounds
    )
    assert said == EXPECTED[name]
    assert all(bound.why for bound in bounds)


def test_every_row_has_its_expectation() -> None:
    assert set(verifiers()) == set(EXPECTED)


@pytest.mark.parametrize(
    ("name", "max_age", "accept", "reject"),
    [
        ("kube-apiserver", 604_800.0, 604_770.0, None),
        ("kube-apiserver", 20.0, 0.0, None),
        ("kube-apiserver", None, 0.0, None),
        ("jwx-cache", 60.0, 900.0, 900.0),
        ("jwx-cache", None, 900.0, 900.0),
        ("hcl-domino", None, 1800.0, 1800.0 + DAY),
        ("hasura", 0.0, 1.0, None),
        ("hasura", None, None, None),
        ("tibco-ems", None, None, DAY),
        ("aws-sts", 0.0, 0.0, 0.0),
    ],
)
def test_headers_count_within_the_limits_of_the_verifier(
    name: str, max_age: float | None, accept: float | None, reject: float | None
) -> None:
    prediction = predict(verifiers()[name], Observed(max_age=max_age))

    assert (prediction.accept.seconds, prediction.reject.seconds) == (accept, reject)


def test_aws_sts_is_down_at_once_when_the_key_set_must_not_be_cached() -> None:
    assert predict(verifiers()["aws-sts"], Observed(max_age=0)).outage.seconds == 0


def test_headers_that_nobody_looked_at_are_no_bound() -> None:
    prediction = predict(verifiers()["kube-apiserver"], Observed(headers_seen=False))

    assert (prediction.accept.seconds, prediction.accept.known) == (None, False)


def test_an_unknown_kid_during_an_outage_empties_the_cache_of_an_older_pyjwt() -> None:
    prediction = predict(verifiers()["pyjwt-2026-03"], Observed(unknown_kids=True))

    assert prediction.outage.seconds == 0


def test_an_error_in_json_empties_the_key_set_of_those_who_were_seen_to_take_it_for_one() -> None:
    observed = Observed(max_age=MAX_AGE, outage=Outage.ERROR_BODY)

    emptied = [name for name, row in verifiers().items() if predict(row, observed).outage.why.startswith("it takes")]

    assert emptied == ["go-oidc", "authlib", "mod-oauth2", "keyfunc", "temporal"]


def test_an_error_in_json_with_the_status_of_one_empties_only_those_who_do_not_look_at_it() -> None:
    observed = Observed(max_age=MAX_AGE, outage=Outage.ERROR_STATUS)

    emptied = [name for name, row in verifiers().items() if predict(row, observed).outage.why.startswith("it takes")]

    assert emptied == ["temporal"]


@pytest.mark.parametrize(
    ("name", "seconds", "why"),
    [
        ("jose", 600.0, "the key set takes 6s, and it waits 5s for it: its keys serve for 10m"),
        ("spring-nimbus", None, "the key set takes 6s, and it waits 30s for it"),
        ("go-oidc", None, "the key set takes 6s, and it waits 30s for it, as is assumed"),
    ],
)
def test_a_slow_key_set_is_an_outage_to_those_alone_who_wait_no_longer(
    name: str, seconds: float | None, why: str
) -> None:
    outage = predict(verifiers()[name], Observed(outage=Outage.SLOW, fetch_seconds=6.0)).outage

    assert outage.seconds == seconds
    assert outage.why.startswith(why)


def test_a_kid_that_was_not_found_delays_the_next_key_of_aws_jwt_verify() -> None:
    prediction = predict(verifiers()["aws-jwt-verify"], Observed(unknown_kids=True))

    assert prediction.accept.seconds == 10


@given(row=rows, max_age=max_ages, unknown_kids=st.booleans(), outage=st.sampled_from(Outage))
def test_no_time_is_ever_negative(row: Verifier, max_age: float | None, unknown_kids: bool, outage: Outage) -> None:
    prediction = predict(row, Observed(max_age=max_age, unknown_kids=unknown_kids, outage=outage))

    bounds = (prediction.accept, prediction.reject, prediction.outage)
    assert all(bound.seconds is None or bound.seconds >= 0 for bound in bounds)
    assert all(bound.known for bound in bounds if bound.seconds is not None)


@given(row=rows.filter(lambda row: row.class_ is VerifierClass.D), ages=st.tuples(st.floats(0, 1e7), st.floats(0, 1e7)))
def test_a_longer_max_age_never_brings_a_key_sooner(row: Verifier, ages: tuple[float, float]) -> None:
    sooner, later = (predict(row, Observed(max_age=age)).accept.seconds for age in sorted(ages))

    assert later is None or (sooner is not None and sooner <= later)


@given(row=rows.filter(lambda row: row.headers is None), max_age=max_ages)
def test_a_verifier_that_reads_no_headers_is_not_moved_by_them(row: Verifier, max_age: float | None) -> None:
    assert predict(row, Observed(max_age=max_age)) == predict(row, Observed(headers_seen=False))
