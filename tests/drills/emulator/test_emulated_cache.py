"""A played row fetches, keeps and refuses as its class, its cooldown's anchor and its errors say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from drills.emulated_cache import EmulatedCache, Served, assumptions
from drills.prediction import Outage
from drills.verifiers import (
    Anchor,
    ErrorBody,
    Headers,
    OnFetchError,
    UnknownKid,
    Verifier,
    VerifierClass,
    Word,
    contradictions,
    verifiers,
)


@dataclass
class Endpoint:
    """A key set that the test changes, and how often it was asked for."""

    kids: set[str] = field(default_factory=lambda: {"old"})
    max_age: float | None = None
    outage: Outage | None = None
    fetches: int = 0

    def __call__(self, now: float) -> Served[str] | Outage:
        self.fetches += 1
        return self.outage or Served({kid: kid for kid in self.kids}, self.max_age)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


def row(**fields: object) -> Verifier:
    """Class A with a cache for 100 s, but for what is given."""
    made = replace(verifiers()["spring-nimbus"], **{"ttl": 100.0, **fields})  # type: ignore[arg-type]  # any field
    assert not list(contradictions(made))
    return made


def accepted(cache: EmulatedCache[str], endpoint: Endpoint, kid: str, *moments: float) -> list[bool]:
    return [cache.find(kid, moment, endpoint).key == kid for moment in moments]


def warm(made: Verifier, endpoint: Endpoint) -> EmulatedCache[str]:
    """A cache that fetched at 0."""
    cache: EmulatedCache[str] = EmulatedCache(made)
    assert accepted(cache, endpoint, "old", 0.0) == [True]
    return cache


def test_class_a_fetches_at_every_unknown_kid(endpoint: Endpoint) -> None:
    cache = warm(row(), endpoint)

    endpoint.kids = {"new"}
    found = accepted(cache, endpoint, "new", 1.0)
    accepted(cache, endpoint, "nobody's", 1.1, 1.2)

    assert found == [True]
    assert endpoint.fetches == 4


def test_one_unknown_kid_makes_a_cache_of_sets_drop_a_removed_key(endpoint: Endpoint) -> None:
    cache = warm(row(ttl=Word.NEVER), endpoint)

    endpoint.kids = {"new"}
    before = accepted(cache, endpoint, "old", 500.0)
    accepted(cache, endpoint, "new", 501.0)
    after = accepted(cache, endpoint, "old", 502.0)

    assert before + after == [True, False]


def test_a_cache_of_single_keys_keeps_a_removed_one_for_its_own_time(endpoint: Endpoint) -> None:
    cache = warm(row(caches="kid"), endpoint)

    endpoint.kids = {"new"}
    new = accepted(cache, endpoint, "new", 50.0)
    old = accepted(cache, endpoint, "old", 51.0, 99.0, 100.0)

    assert new == [True]
    assert old == [True, True, False]


@pytest.mark.parametrize(
    ("anchor", "moments", "expected"),
    [
        (Anchor.LAST_SUCCESS, (5.0, 29.0, 30.0), [False, False, True]),
        (Anchor.LAST_ATTEMPT, (5.0, 29.0, 30.0), [False, False, True]),
        (Anchor.LAST_FORCED, (0.0,), [True]),
        (Anchor.LAST_FAILED_LOOKUP, (0.0,), [True]),
    ],
)
def test_a_cooldown_counts_from_its_anchor(
    anchor: Anchor, moments: tuple[float, ...], expected: list[bool], endpoint: Endpoint
) -> None:
    cache = warm(row(class_=VerifierClass.B, cooldown=30.0, anchor=anchor), endpoint)

    endpoint.kids = {"old", "new"}

    assert accepted(cache, endpoint, "new", *moments) == expected


@pytest.mark.parametrize("anchor", [Anchor.LAST_FORCED, Anchor.LAST_FAILED_LOOKUP, Anchor.LAST_ATTEMPT])
def test_a_kid_that_nobody_publishes_starts_the_cooldown(anchor: Anchor, endpoint: Endpoint) -> None:
    cache = warm(row(class_=VerifierClass.B, cooldown=30.0, anchor=anchor), endpoint)

    accepted(cache, endpoint, "nobody's", 40.0)
    endpoint.kids = {"old", "new"}

    assert accepted(cache, endpoint, "new", 41.0, 69.0, 70.0) == [False, False, True]


@pytest.mark.parametrize(("anchor", "expected"), [(Anchor.LAST_SUCCESS, [True]), (Anchor.LAST_ATTEMPT, [False])])
def test_a_failed_fetch_starts_the_cooldown_of_attempts_alone(
    anchor: Anchor, expected: list[bool], endpoint: Endpoint
) -> None:
    cache = warm(row(class_=VerifierClass.B, cooldown=30.0, anchor=anchor), endpoint)

    endpoint.outage = Outage.DEAD
    accepted(cache, endpoint, "new", 40.0)
    endpoint.outage, endpoint.kids = None, {"old", "new"}

    assert accepted(cache, endpoint, "new", 41.0) == expected


def test_a_verifier_that_refetches_in_the_background_refuses_the_token_that_made_it(endpoint: Endpoint) -> None:
    cache = warm(row(unknown_kid=UnknownKid.BACKGROUND), endpoint)

    endpoint.kids = {"old", "new"}

    assert accepted(cache, endpoint, "new", 1.0, 2.0) == [False, True]


def test_class_c_fetches_when_its_time_is_over_and_not_before(endpoint: Endpoint) -> None:
    cache = warm(row(class_=VerifierClass.C, unknown_kid=UnknownKid.DENY), endpoint)

    endpoint.kids = {"old", "new"}

    assert accepted(cache, endpoint, "new", 1.0, 99.0, 100.0) == [False, False, True]


def test_a_timer_fetches_what_was_served_when_it_went_off() -> None:
    asked: list[float] = []

    def fetch(now: float) -> Served[str]:
        asked.append(now)
        return Served({"old": "old"})

    periodic = row(class_=VerifierClass.C, unknown_kid=UnknownKid.DENY, on_fetch_error=OnFetchError.KEEP)
    cache: EmulatedCache[str] = EmulatedCache(periodic)
    for moment in (0.0, 130.0, 190.0, 450.0):
        cache.find("old", moment, fetch)

    assert asked == [0.0, 100.0, 400.0]


def test_class_d_looks_an_unknown_kid_up_when_max_age_has_all_but_passed(endpoint: Endpoint) -> None:
    endpoint.max_age = 60.0
    cache = warm(
        row(class_=VerifierClass.D, ttl=Word.NEVER, headers=Headers(early=10.0)),
        endpoint,
    )

    endpoint.kids = {"old", "new"}

    assert accepted(cache, endpoint, "new", 1.0, 49.0, 50.0) == [False, False, True]


def test_max_age_counts_within_the_limits_of_the_verifier(endpoint: Endpoint) -> None:
    endpoint.max_age = 5.0
    limited = row(class_=VerifierClass.C, unknown_kid=UnknownKid.DENY, ttl="max-age", headers=Headers(min=60.0))
    cache = warm(limited, endpoint)

    endpoint.kids = {"old", "new"}

    assert accepted(cache, endpoint, "new", 59.0, 60.0) == [False, True]


def test_class_e_never_fetches_again(endpoint: Endpoint) -> None:
    cache = warm(row(class_=VerifierClass.E, ttl=Word.NEVER, unknown_kid=UnknownKid.DENY), endpoint)

    endpoint.kids = {"new"}

    assert accepted(cache, endpoint, "old", 1e9) == [True]
    assert accepted(cache, endpoint, "new", 1e9) == [False]
    assert endpoint.fetches == 1


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (OnFetchError.DENY, [True, False]),
        (OnFetchError.CLEAR, [True, False]),
        (OnFetchError.KEEP, [True, True]),
        (OnFetchError.UNKNOWN, [True, False]),
    ],
)
def test_an_outage_ends_keys_that_are_too_old_unless_they_are_kept(
    policy: OnFetchError, expected: list[bool], endpoint: Endpoint
) -> None:
    cache = warm(row(on_fetch_error=policy), endpoint)

    endpoint.outage = Outage.DEAD

    assert accepted(cache, endpoint, "old", 99.0, 100.0) == expected


def test_a_failed_lookup_empties_only_the_cache_that_is_cleared_by_failures(endpoint: Endpoint) -> None:
    cleared, kept = warm(row(on_fetch_error=OnFetchError.CLEAR), endpoint), warm(row(), endpoint)

    endpoint.outage = Outage.DEAD
    for cache in (cleared, kept):
        accepted(cache, endpoint, "new", 1.0)

    assert accepted(cleared, endpoint, "old", 2.0) == [False]
    assert accepted(kept, endpoint, "old", 2.0) == [True]


def test_kept_keys_end_when_there_was_no_key_set_for_too_long(endpoint: Endpoint) -> None:
    cache = warm(row(on_fetch_error=OnFetchError.KEEP, keeps_for=250.0), endpoint)

    endpoint.outage = Outage.DEAD

    assert accepted(cache, endpoint, "old", 249.0, 250.0) == [True, False]


@pytest.mark.parametrize(
    ("reads", "outage", "expected"),
    [
        (ErrorBody.FAILURE, Outage.ERROR_BODY, [True]),
        (ErrorBody.EMPTY, Outage.ERROR_BODY, [False]),
        (ErrorBody.EMPTY, Outage.ERROR_STATUS, [True]),
        (ErrorBody.EMPTY_AT_ANY_STATUS, Outage.ERROR_BODY, [False]),
        (ErrorBody.EMPTY_AT_ANY_STATUS, Outage.ERROR_STATUS, [False]),
        (ErrorBody.EMPTY_AT_ANY_STATUS, Outage.DEAD, [True]),
    ],
)
def test_an_error_in_json_is_an_empty_set_to_those_who_take_it_for_one(
    reads: ErrorBody, outage: Outage, expected: list[bool], endpoint: Endpoint
) -> None:
    cache = warm(row(on_fetch_error=OnFetchError.KEEP, error_body=reads), endpoint)

    endpoint.outage = outage

    assert accepted(cache, endpoint, "old", 100.0) == expected


def test_a_retained_key_serves_for_its_time_after_the_fetch_that_missed_it(endpoint: Endpoint) -> None:
    cache = warm(row(retains=1000.0), endpoint)

    endpoint.kids = {"new"}
    accepted(cache, endpoint, "new", 100.0)

    assert accepted(cache, endpoint, "old", 101.0, 1099.0, 1100.0) == [True, True, False]


def test_a_verifier_that_holds_nothing_yet_fetches_until_a_set_comes(endpoint: Endpoint) -> None:
    cache: EmulatedCache[str] = EmulatedCache(row(class_=VerifierClass.C, unknown_kid=UnknownKid.DENY))
    endpoint.outage = Outage.DEAD

    before = accepted(cache, endpoint, "old", 0.0)
    endpoint.outage = None

    assert before + accepted(cache, endpoint, "old", 1.0) == [False, True]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("spring-nimbus", "the kid is not in the key set, fetched now"),
        ("jose", "the kid is not in the key set that it holds, fetched 1 s ago; its cooldown lasts 29 s more"),
        ("istio", "the kid is not in the key set that it holds, fetched 1 s ago; it fetches again in 1199 s"),
        ("static-keys", "the kid is not in the key set that it holds, fetched 1 s ago; it fetches no other"),
    ],
)
def test_a_refusal_says_what_the_verifier_waits_for(name: str, said: str, endpoint: Endpoint) -> None:
    cache = warm(verifiers()[name], endpoint)

    assert cache.find("new", 1.0, endpoint).why == said


def test_what_nobody_knows_of_a_row_is_said_to_be_assumed() -> None:
    said = " ".join(assumptions(verifiers()["ruby-jwt"]))

    assert "how long it uses a key" in said
    assert "what a failed fetch does" in said
    assert not list(assumptions(verifiers()["pyjwt"]))
