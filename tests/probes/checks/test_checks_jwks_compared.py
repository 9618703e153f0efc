"""A key set beside the one before and the ledger: what was replaced, which kid names another key, what is one key twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from probes.checks.base import run_checks
from probes.checks.jwks import KEYS
from probes.checks.jwks_answer import JwksAnswer
from probes.keys import KeySet, parse_keys
from probes.ledger import Ledger, SetSeen, observe, signature_keys
from probes.subjects import Policy

if TYPE_CHECKING:
    from tests.probes.checks.conftest import Build
    from tests.probes.conftest import Signer

Jwk = dict[str, Any]


@dataclass(slots=True)
class Watched:
    """Sets of one region, in minutes from the start; `restarted` forgets all but the ledger."""

    build: Build
    ledger: Ledger = field(default_factory=Ledger)
    previous: KeySet | None = None
    policy: Policy = field(default_factory=Policy)

    def published(self, minute: float, *keys: Jwk, drill: bool = False) -> list[str]:
        """The ids of what ROT-01, ROT-02 and ROT-07 find."""
        now, found = self.build.now + timedelta(minutes=minute), parse_keys(json.dumps({"keys": keys}).encode())
        issuer = replace(self.build.issuer(), policy=self.policy)
        response = self.build.answer({}, headers={"cache-control": "max-age=300"})
        answer = JwksAnswer(issuer, response, found, 0.1, now, previous=self.previous, known=self.ledger, region="eu")
        findings = run_checks(KEYS, answer)
        self.ledger, _ = observe(self.ledger, SetSeen(now, "eu", signature_keys(found.keys), 60, drill=drill))
        self.previous = found
        return [each.check_id for each in findings if each.check_id in ("ROT-01", "ROT-02", "ROT-07")]

    def restarted(self) -> Watched:
        self.previous = None
        return self


@pytest.fixture
def watched(build: Build) -> Watched:
    return Watched(build)


@pytest.fixture(scope="session")
def a(signer: Signer) -> Jwk:
    return signer.jwk(kid="a")


@pytest.fixture(scope="session")
def b(other_signer: Signer) -> Jwk:
    return other_signer.jwk(kid="b")


@pytest.fixture(scope="session")
def enc(ec_signer: Signer) -> Jwk:
    return ec_signer.jwk(kid="enc", use="enc", alg="ECDH-ES")


def test_an_encryption_key_that_stays_hides_no_total_replacement(watched: Watched, a: Jwk, b: Jwk, enc: Jwk) -> None:
    watched.published(0, a, enc)

    assert watched.published(1, b, enc) == ["ROT-07"]


def test_an_encryption_key_may_be_replaced(watched: Watched, a: Jwk, b: Jwk, enc: Jwk) -> None:
    watched.published(0, a, enc)

    assert watched.published(1, a, {**b, "use": "enc", "alg": "RSA-OAEP"}) == []


def test_a_region_that_looks_again_after_the_longest_life_of_a_token_has_missed_a_rotation(
    watched: Watched, a: Jwk, b: Jwk
) -> None:
    watched.policy = Policy(max_token_lifetime=3600)
    watched.published(0, a)

    assert watched.published(61, b) == []
    assert watched.published(121, a) == ["ROT-07"]


def test_a_total_replacement_during_a_restart_is_found(watched: Watched, a: Jwk, b: Jwk) -> None:
    watched.published(0, a)

    assert watched.restarted().published(1, b) == ["ROT-07"]
    assert watched.restarted().published(2, b) == []


def test_what_a_drill_replaced_is_no_finding_after_a_restart(watched: Watched, a: Jwk, b: Jwk) -> None:
    watched.published(0, a, drill=True)

    assert watched.restarted().published(1, b) == []


def test_a_former_kid_of_a_renamed_key_that_names_another_key_is_found(watched: Watched, a: Jwk, b: Jwk) -> None:
    watched.published(0, a)
    watched.published(1, {**a, "kid": "renamed"})

    assert watched.published(2, {**a, "kid": "renamed"}, {**b, "kid": "a"}) == ["ROT-02"]
    assert watched.published(3, {**a, "kid": "renamed"}, {**b, "kid": "a"}) == []


def test_a_known_key_that_takes_the_kid_of_one_that_left_is_found_once(watched: Watched, a: Jwk, b: Jwk) -> None:
    watched.published(0, a, b)
    watched.published(1, b)

    assert watched.published(2, {**b, "kid": "a"}) == ["ROT-02"]
    assert watched.restarted().published(3, {**b, "kid": "a"}) == []


def test_another_kid_for_the_same_key_is_no_reuse(watched: Watched, a: Jwk) -> None:
    watched.published(0, a)

    assert watched.published(1, {**a, "kid": "renamed"}) == []


def test_one_kid_for_keys_of_two_types_is_no_reuse(watched: Watched, a: Jwk, ec_signer: Signer) -> None:
    both: Sequence[Jwk] = (a, ec_signer.jwk(kid="a"))

    assert [watched.published(minute, *both) for minute in range(2)] == [[], []]


def test_one_key_may_be_listed_for_each_of_its_algorithms(watched: Watched, a: Jwk) -> None:
    assert watched.published(0, a, {**a, "alg": "PS256"}) == []


def test_two_broken_keys_under_one_kid_are_two(watched: Watched, a: Jwk) -> None:
    broken = {"kty": "RSA", "kid": "x", "e": "AQAB"}

    assert watched.published(0, a, broken, broken) == ["ROT-01"]


def test_a_leading_zero_octet_makes_no_other_key(watched: Watched, a: Jwk) -> None:
    watched.published(0, {**a, "e": "AAEAAQ"})

    assert watched.published(1, a) == []
