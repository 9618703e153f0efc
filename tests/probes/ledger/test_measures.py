"""Lead, overlap and age are told where they are known, and not made up where nobody looked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probes.ledger_measures import Lead, active_age, last_lead, last_overlap, lead_of, longest_lifetime

if TYPE_CHECKING:
    from tests.probes.ledger.conftest import Diary

NEW = "thumbprint-of-new"


def test_the_lead_runs_from_publication_to_the_first_token(diary: Diary) -> None:
    diary.published(0, "old").polled(range(1, 31), "old", "new")

    diary.token(30, "new")

    assert last_lead(diary.ledger) == 29 * 60
    assert lead_of(diary.ledger, diary.ledger.keys[NEW]) == Lead(29 * 60, 30 * 60)


def test_the_lead_counts_from_the_last_region_that_got_the_key(diary: Diary) -> None:
    for region in ("eu", "us"):
        diary.published(0, "old", region=region)
    diary.published(1, "old", "new", region="eu").published(1, "old", region="us").published(
        2, "old", "new", region="us"
    )

    diary.token(3, "new")

    assert last_lead(diary.ledger) == 60


def test_a_key_that_a_region_has_still_not_got_has_no_lead(diary: Diary) -> None:
    diary.published(0, "old", region="eu").published(0, "old", region="us").published(1, "old", "new", region="eu")
    diary.token(2, "new")

    diary.published(3, "old", region="us")

    assert last_lead(diary.ledger) == 0


def test_the_lead_of_a_key_that_signed_before_it_was_published_is_nothing(diary: Diary) -> None:
    diary.published(0, "old").token(0.5, "new")

    diary.published(1, "old", "new")

    assert last_lead(diary.ledger) == 0


def test_the_lead_of_a_key_that_was_there_from_the_start_is_not_known(diary: Diary) -> None:
    diary.published(0, "new")

    diary.token(1, "new")

    assert last_lead(diary.ledger) is None


def test_the_lead_of_a_key_that_appeared_while_nobody_looked_is_not_known(diary: Diary) -> None:
    diary.published(0, "old").published(120, "old", "new")

    diary.token(121, "new")

    assert last_lead(diary.ledger) is None


def test_the_overlap_runs_from_the_last_token_to_the_last_sight(diary: Diary) -> None:
    diary.published(0, "old").token(0, "old").polled(range(1, 21), "old", "new")

    diary.published(21, "new")

    assert last_overlap(diary.ledger) == 20 * 60


def test_a_compromised_key_has_no_overlap_to_keep(diary: Diary) -> None:
    diary.published(0, "old").token(0, "old").exposed(1, "old")

    diary.published(2, "new")

    assert last_overlap(diary.ledger) is None


def test_the_age_is_that_of_the_oldest_key_that_signs(diary: Diary) -> None:
    diary.published(0, "old").token(0, "old").published(10, "old", "new").token(11, "new")

    assert active_age(diary.ledger, diary.at(20)) == 600


def test_nothing_is_measured_before_there_is_something_to_measure(diary: Diary) -> None:
    diary.published(0, "old")

    assert (last_lead(diary.ledger), last_overlap(diary.ledger), active_age(diary.ledger, diary.at(1))) == (None,) * 3
    assert longest_lifetime(diary.ledger, diary.at(1)) == 0


def test_the_longest_lifetime_is_that_of_all_keys(diary: Diary) -> None:
    diary.token(0, "old", lives=60).token(1, "new", lives=10)

    assert longest_lifetime(diary.ledger, diary.at(2)) == 3600


def test_a_key_that_has_not_signed_for_long_says_nothing_of_the_tokens_of_today(diary: Diary) -> None:
    diary.token(0, "old", lives=60).token(200, "new", lives=10)

    assert longest_lifetime(diary.ledger, diary.at(180)) == 3600
    assert longest_lifetime(diary.ledger, diary.at(181)) == 600


def test_a_token_that_outlives_the_others_is_the_longest_until_it_has_expired(diary: Diary) -> None:
    diary.token(0, "old", lives=60)
    for minute in range(1, 50):
        diary.token(minute, "old", lives=10)

    assert longest_lifetime(diary.ledger, diary.at(49)) == 3600


def test_a_lifetime_that_the_provider_has_shortened_is_forgotten(diary: Diary) -> None:
    diary.token(0, "old", lives=60)
    for minute in range(1, 60 + 3 * 60):
        diary.token(minute, "old", lives=10)

    assert longest_lifetime(diary.ledger, diary.at(240)) == 600
