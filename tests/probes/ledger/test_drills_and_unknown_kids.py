"""What the ledger notes of drills, and of kids that no key set holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probes.ledger import UNPUBLISHED_KEPT, Unpublished

if TYPE_CHECKING:
    from tests.probes.ledger.conftest import Diary


def test_a_kid_in_no_key_set_is_kept_with_the_life_of_its_tokens(diary: Diary) -> None:
    diary.unknown(0, "lost", lives=5).unknown(1, "lost", lives=10)

    assert diary.ledger.unpublished == {"lost": Unpublished("lost", diary.at(0), diary.at(11))}


def test_a_kid_whose_tokens_have_expired_is_forgotten(diary: Diary) -> None:
    diary.unknown(0, "lost", lives=5)

    diary.unknown(6, "another")

    assert list(diary.ledger.unpublished) == ["another"]


def test_of_many_unknown_kids_the_newest_are_kept(diary: Diary) -> None:
    for minute in range(30):
        diary.unknown(minute, f"lost-{minute}", lives=60)

    assert list(diary.ledger.unpublished) == [f"lost-{minute}" for minute in range(30 - UNPUBLISHED_KEPT, 30)]


def test_a_kid_of_a_drill_that_is_seen_again_after_it_is_a_new_one(diary: Diary) -> None:
    diary.unknown(0, "lost", drill=True)

    diary.unknown(2, "lost")

    assert diary.ledger.unpublished == {"lost": Unpublished("lost", diary.at(2), diary.at(12))}


def test_a_key_that_leaves_between_a_drill_and_the_next_look_left_in_the_drill(diary: Diary) -> None:
    diary.published(0, "old", drill=True)

    diary.published(1, "new")

    assert diary.ledger.keys["thumbprint-of-old"].sights["eu"].drill


def test_a_key_that_returns_and_leaves_again_after_the_drill_left_for_real(diary: Diary) -> None:
    diary.published(0, "old").published(1, "new", drill=True).published(2, "old", "new").published(3, "new")

    assert not diary.ledger.keys["thumbprint-of-old"].sights["eu"].drill


def test_a_key_first_used_in_a_drill_stays_marked(diary: Diary) -> None:
    diary.token(0, "new", drill=True).token(1, "new")

    use = diary.ledger.keys["thumbprint-of-new"].use
    assert use is not None
    assert use.drill
