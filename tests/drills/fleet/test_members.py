"""A verifier of a fleet runs with its own times shortened, and is judged by the row that is about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drills.canaries.registry import CANARIES
from drills.fleet_members import canary_of, configured, of_release, played
from drills.verifiers import Headers, Word, contradictions, verifiers

SHORT = {"ttl": 6.0, "cooldown": 2.0}


def test_without_a_wish_a_library_keeps_its_defaults() -> None:
    for name, canary in CANARIES.items():
        row, options = configured(verifiers()[name], canary, {})

        assert (row, options) == (verifiers()[name], {})


@pytest.mark.parametrize(
    ("name", "ttl", "cooldown", "options"),
    [
        ("pyjwt", 6.0, 2.0, {"lifespan": 6.0, "cooldown_duration": 2.0}),
        ("jose", 6.0, 2.0, {"cacheMaxAge": 6000.0, "cooldownDuration": 2000.0}),
        ("node-jwks-rsa", 6.0, 0.0, {"cacheMaxAge": 6000.0}),
        ("openid-client", 300.0, 60.0, {}),
        ("mod-auth-openidc-2.4.12", 300.0, 0.0, {"OIDCJWKSRefreshInterval": 300.0}),
        ("mod-oauth2", 6.0, 0.0, {"jwks_uri.expiry": 6.0}),
    ],
)
def test_times_are_shortened_as_far_as_the_library_lets_them(
    name: str, ttl: float, cooldown: float, options: dict[str, float]
) -> None:
    given = verifiers()[name]
    canary = canary_of(given)
    assert canary

    row, set_to = configured(given, canary, SHORT)

    assert (row.ttl, row.cooldown, set_to) == (ttl, cooldown, options)


def test_a_wish_lengthens_nothing() -> None:
    row, options = configured(verifiers()["pyjwt"], CANARIES["pyjwt"], {"ttl": 1e6, "cooldown": 1e6})

    assert (row, options) == (verifiers()["pyjwt"], {})


def test_a_time_that_the_user_gave_the_row_is_set_in_the_library() -> None:
    _, options = configured(replace(verifiers()["pyjwt"], ttl=1200.0), CANARIES["pyjwt"], {})

    assert options == {"lifespan": 1200.0}


@pytest.mark.parametrize(
    ("name", "ttl", "cooldown"),
    [
        ("istio", 6.0, 0.0),
        ("microsoft-identitymodel", 6.0, 2.0),
        ("go-oidc", Word.NEVER, 0.0),
        ("quarkus-oidc", Word.UNKNOWN, 2.0),
        ("jwx-cache", "max-age", 0.0),
        ("oathkeeper", 6.0, 0.0),
        ("mozilla-django-oidc", 0.0, 0.0),
    ],
)
def test_played_rows_are_shortened_and_what_is_no_time_stays(name: str, ttl: float | str, cooldown: float) -> None:
    row = played(verifiers()[name], SHORT)

    assert (row.ttl, row.cooldown) == (ttl, cooldown)
    assert not list(contradictions(row))


def test_a_played_row_takes_a_shorter_max_age_than_the_key_set_says() -> None:
    kubernetes, jwx = (played(verifiers()[name], SHORT) for name in ("kube-apiserver", "jwx-cache"))

    assert kubernetes.headers == Headers(min=0.0, max=6.0, default=0.0, early=0.6)
    assert jwx.headers == Headers(min=6.0, max=6.0, default=6.0)


@pytest.mark.parametrize(
    ("version", "name"),
    [("2.4.12.3", "mod-auth-openidc-2.4.12"), ("2.4.16.11", "mod-auth-openidc"), ("unknown", "mod-auth-openidc")],
)
@pytest.mark.parametrize("asked", ["mod-auth-openidc", "mod-auth-openidc-2.4.12"])
def test_a_release_is_judged_by_its_own_row(asked: str, version: str, name: str) -> None:
    row = of_release(replace(verifiers()[asked], ttl=300.0), CANARIES["mod-auth-openidc"], version)

    assert row == replace(verifiers()[name], ttl=300.0)


def test_other_libraries_have_one_row_for_all_releases() -> None:
    assert of_release(verifiers()["jose"], CANARIES["jose"], "1.0") is verifiers()["jose"]
