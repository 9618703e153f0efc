"""A key's life as the ledger sees it: announced, active, retiring, removed, compromised."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from probes.keys import parse_keys
from probes.ledger import ADDRESSES_KEPT, EARLIER_KEPT, KEPT, KeyState, signature_keys

if TYPE_CHECKING:
    from tests.probes.conftest import Signer
    from tests.probes.ledger.conftest import Diary

ANNOUNCED, ACTIVE, RETIRING = KeyState.ANNOUNCED, KeyState.ACTIVE, KeyState.RETIRING
REMOVED, COMPROMISED = KeyState.REMOVED, KeyState.COMPROMISED
OLD = "thumbprint-of-old"


def test_a_published_key_is_announced_until_a_token_of_it_is_seen(diary: Diary) -> None:
    diary.published(0, "old", "new")

    diary.token(1, "old")

    assert diary.states() == {"old": ACTIVE, "new": ANNOUNCED}


def test_the_key_that_signed_before_is_retiring_once_another_signs(diary: Diary) -> None:
    diary.published(0, "old", "new").token(1, "old")

    diary.token(2, "new")

    assert diary.states() == {"old": RETIRING, "new": ACTIVE}


def test_a_rollback_makes_the_former_key_active_again(diary: Diary) -> None:
    diary.published(0, "old", "new").token(1, "old").token(2, "new")

    diary.token(3, "old")

    assert diary.states() == {"old": ACTIVE, "new": RETIRING}


def test_keys_of_different_algorithms_are_active_side_by_side(diary: Diary) -> None:
    diary.published(0, "rsa", "ec").token(1, "rsa")

    diary.token(2, "ec")

    assert diary.states() == {"rsa": ACTIVE, "ec": ACTIVE}


def test_a_key_is_removed_when_no_region_has_it_any_more(diary: Diary) -> None:
    diary.published(0, "old", "new", region="eu").published(0, "old", "new", region="us")

    diary.published(1, "new", region="eu")
    in_one = diary.states()["old"]
    diary.published(1, "new", region="us")

    assert in_one is ANNOUNCED
    assert diary.states()["old"] is REMOVED


def test_a_region_that_no_longer_looks_keeps_no_key_alive(diary: Diary) -> None:
    diary.published(0, "old", region="eu").published(0, "old", region="us")

    diary.polled(range(1, 6), "new", region="eu")

    assert diary.states()["old"] is REMOVED


def test_a_key_that_returns_is_what_it_was(diary: Diary) -> None:
    diary.published(0, "old").token(0, "old").published(1, "new")

    diary.published(2, "old", "new")

    assert diary.states()["old"] is ACTIVE
    assert diary.told()[-1] == ("returned", "old", "eu")


def test_a_key_whose_private_half_was_published_stays_compromised(diary: Diary) -> None:
    diary.published(0, "old").token(0, "old").exposed(1, "old")

    diary.published(2, "old").token(3, "old")

    assert diary.states() == {"old": COMPROMISED}


def test_the_history_tells_each_thing_once(diary: Diary) -> None:
    diary.polled(range(3), "old").token(1, "old").token(2, "old")
    diary.polled(range(3, 5), "old", "new").token(4, "new")
    diary.polled(range(5, 7), "new").exposed(7, "new").exposed(8, "new")

    assert diary.told() == [
        ("found", "old", "eu"),
        ("signed", "old", ""),
        ("published", "new", "eu"),
        ("signed", "new", ""),
        ("removed", "old", "eu"),
        ("exposed", "new", "eu"),
    ]


def test_a_key_that_appears_after_a_gap_is_found_and_not_published(diary: Diary) -> None:
    diary.published(0, "old")

    diary.published(60, "old", "new")

    assert diary.told()[-1] == ("found", "new", "eu")


def test_of_keys_that_sign_in_turn_it_is_told_once_that_one_had_not_ended(diary: Diary) -> None:
    diary.published(0, "one", "two", "ec")
    for minute in range(0, 20, 2):
        diary.token(minute, "one").token(minute + 1, "two").token(minute + 1.5, "ec")

    assert [(kind, kid) for kind, kid, _ in diary.told()[3:]] == [
        ("signed", "one"),
        ("signed", "two"),
        ("signed", "ec"),
        ("signed again", "one"),
    ]


def test_the_way_back_after_seconds_is_told(diary: Diary) -> None:
    second = 1 / 60
    diary.published(0, "old").token(0, "old")
    diary.published(second, "old", "new").token(2 * second, "new").token(4 * second, "new")

    for later in range(6, 12, 2):
        diary.token(later * second, "old")

    assert diary.told()[3:] == [("signed", "new", ""), ("signed again", "old", "")]
    assert diary.states() == {"old": ACTIVE, "new": RETIRING}


def test_a_second_drill_with_another_key_is_told_like_the_first(diary: Diary) -> None:
    diary.published(0, "old").token(0, "old").token(1, "first").token(2, "old").token(3, "old")

    diary.token(4, "second").token(5, "old")

    assert [(kind, kid) for kind, kid, _ in diary.told()[-2:]] == [("signed", "second"), ("signed again", "old")]


def test_a_key_that_signs_again_after_a_pause_is_told(diary: Diary) -> None:
    diary.published(0, "old", "new").token(0, "old").token(1, "new")

    diary.token(15, "old")

    assert diary.told()[-1] == ("signed again", "old", "")


def test_the_greatest_expiry_and_lifetime_are_kept(diary: Diary) -> None:
    diary.token(0, "old", lives=60).token(1, "old", lives=5)

    use = diary.ledger.keys["thumbprint-of-old"].use

    assert use is not None
    assert (use.first, use.last, use.expires) == (diary.at(0), diary.at(1), diary.at(60))
    assert use.lifetime == 3600


def test_an_address_tells_since_when_and_until_when_it_had_a_key(diary: Diary) -> None:
    diary.published(0, "old", at={"192.0.2.1": {"old"}, "192.0.2.2": {"old"}})
    diary.published(1, "old", "new", at={"192.0.2.1": {"old", "new"}, "192.0.2.2": {"old"}})
    diary.published(2, "old", "new")
    diary.published(3, "new", at={"192.0.2.1": {"new"}, "192.0.2.2": {"old"}})

    assert diary.addresses("old") == {"192.0.2.1": (0, 1, 3), "192.0.2.2": (0, 3, None)}
    assert diary.addresses("new") == {"192.0.2.1": (1, 3, None)}


def test_an_address_is_another_place_in_each_region(diary: Diary) -> None:
    diary.published(0, "old", at={"192.0.2.1": {"old"}})
    diary.published(1, "old", region="us", at={"192.0.2.1": {"old"}})

    (record,) = diary.ledger.keys.values()
    assert list(record.addresses) == [("eu", "192.0.2.1"), ("us", "192.0.2.1")]


def test_a_network_that_changes_its_addresses_does_not_fill_the_ledger(diary: Diary) -> None:
    for minute in range(ADDRESSES_KEPT + 10):
        diary.published(minute, "old", at={f"192.0.2.{minute}": {"old"}})

    assert list(diary.addresses("old")) == [f"192.0.2.{n}" for n in range(10, ADDRESSES_KEPT + 10)]


def test_the_addresses_of_a_key_are_forgotten_a_day_after_it_has_left_every_region(diary: Diary) -> None:
    for region in ("eu", "us"):
        diary.published(0, "old", region=region, at={"192.0.2.1": {"old"}})
    diary.published(1, "new", region="eu").published(1441, "old", region="us").published(1442, "new", region="us")

    diary.published(2882, "new")
    kept = diary.addresses("old")
    diary.published(2883, "new")

    assert list(kept) == ["192.0.2.1"]
    assert diary.addresses("old") == {}


def test_the_addresses_of_a_key_that_only_a_former_region_had_are_forgotten(diary: Diary) -> None:
    diary.published(0, "old", region="former", at={"192.0.2.1": {"old"}})

    diary.published(1441, "new")

    assert diary.addresses("old") == {}


def test_an_observation_leaves_the_records_that_it_does_not_concern_as_they_are(diary: Diary) -> None:
    diary.published(0, "old", at={"192.0.2.1": {"old"}}).token(0, "old").published(1, "new", at={"192.0.2.1": {"new"}})
    before = diary.ledger.keys[OLD]

    diary.published(2, "new", at={"192.0.2.1": {"new"}}).token(2, "new").unknown(2, "lost").exposed(2, "new")

    assert diary.ledger.keys[OLD] is before


def test_a_key_is_known_under_the_kid_of_the_newest_set_and_its_earlier_ones_are_kept(diary: Diary) -> None:
    diary.published_as(0, "first", key="old").published_as(1, "second", key="old").published_as(2, "third", key="old")

    record = diary.ledger.keys[OLD]

    assert (record.facts.kid, record.earlier) == ("third", ("first", "second"))


def test_a_kid_that_a_key_gets_back_is_no_earlier_one(diary: Diary) -> None:
    diary.published_as(0, "first", key="old").published_as(1, "second", key="old").published_as(2, "first", key="old")

    record = diary.ledger.keys[OLD]

    assert (record.facts.kid, record.earlier) == ("first", ("second",))


def test_a_provider_that_renames_a_key_all_the_time_does_not_fill_the_ledger(diary: Diary) -> None:
    for minute in range(EARLIER_KEPT + 5):
        diary.published_as(minute, f"kid-{minute}", key="old")

    assert diary.ledger.keys[OLD].earlier == tuple(f"kid-{minute}" for minute in range(4, EARLIER_KEPT + 4))


def test_an_algorithm_is_learned_from_a_later_set_and_not_forgotten(diary: Diary) -> None:
    diary.published_as(0, "old", key="old", alg="")
    unknown = diary.ledger.keys[OLD].facts.alg

    diary.published_as(1, "old", key="old", alg="PS256").published_as(2, "old", key="old", alg="")

    assert (unknown, diary.ledger.keys[OLD].facts.alg) == ("", "PS256")


def test_a_provider_that_invents_keys_does_not_fill_the_ledger(diary: Diary) -> None:
    for minute in range(KEPT + 20):
        diary.published(minute, f"key-{minute}")

    assert len(diary.ledger.keys) == KEPT
    assert f"thumbprint-of-key-{KEPT + 19}" in diary.ledger.keys


def test_only_signature_keys_with_an_identity_are_followed_under_names_that_can_be_shown(signer: Signer) -> None:
    jwks = [signer.jwk(kid="\x1b[2Jkid" + "x" * 500), signer.jwk(kid="enc", use="enc"), {"kty": "oct", "kid": "mac"}]

    (found,) = signature_keys(parse_keys(json.dumps({"keys": jwks}).encode()).keys)

    assert found.kid.startswith("\\x1b[2Jkidx")
    assert len(found.kid) == 120


def test_a_key_listed_for_two_algorithms_is_one_and_under_two_kids_has_both(signer: Signer) -> None:
    jwks = [signer.jwk(), signer.jwk(alg="PS256"), signer.jwk(kid="alias")]

    found = signature_keys(parse_keys(json.dumps({"keys": jwks}).encode()).keys)

    assert [(facts.kid, facts.alg) for facts in found] == [("key-1", "RS256"), ("alias", "RS256")]
