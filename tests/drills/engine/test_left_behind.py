"""What the timeline says of a rollback is so: a key of the drill that is still published is not left out."""

from __future__ import annotations

from typing import Any

import pytest

from drills.record import EventKind, Verdict
from drills.recovery import clean_due
from drills.scenarios import SCENARIOS

pytestmark = pytest.mark.process

Range = Any  # of the conftest, which tests cannot import


def test_a_rollback_that_leaves_a_key_says_until_when_it_is_published(range_: Range) -> None:
    signing, published = range_.keys()

    drilled = range_.run(range_.plan(SCENARIOS["zero-lead"], ("go-oidc",), forgets_at_once=False))

    now, left = range_.keys()
    range_.driver().clean(drilled.log.before, keep_new=False)
    said, due = [event.text for event in drilled.record.events], clean_due(drilled.log)
    assert drilled.record.verdict is Verdict.PASS, drilled.record.because
    assert due is not None
    assert (now, len(left)) == (signing, len(published) + 1)
    assert "rolled back: the key from before signs again; the drill's own is still published" in said
    assert any(text.startswith(f"the drill's key stays published until {due:%Y-%m-%d %H:%M} UTC") for text in said)


def test_a_key_that_leaves_with_the_drill_is_said_to_have_left(range_: Range) -> None:
    before = range_.keys()

    drilled = range_.run(range_.plan(SCENARIOS["zero-lead"], ("go-oidc",)))

    assert range_.keys() == before
    assert drilled.record.events[-2].kind is EventKind.MOVE
    assert drilled.record.events[-2].text == "the drill's key has left the key set"


def test_a_rollback_that_has_no_key_to_remove_says_that_all_is_as_before(range_: Range) -> None:
    drilled = range_.run(range_.plan(SCENARIOS["jwks-outage-html"], ("go-oidc",), longest=5.0))

    said = [event.text for event in drilled.record.events]
    assert "rolled back: the provider is as it was before" in said
