"""A key that a drill has left behind is removed when nobody needs it any more, and no other one with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drills import recovery
from drills.driver import DriverFailed
from drills.drivers import driver_for
from drills.journal import Entry, Journal, read_log
from drills.lab import start_sandbox_lab
from drills.outside import kid_of, look_from_outside
from drills.recovery import Leftover, NotRestored, clean_due, settle
from drills.scenario import Action, Move
from drills.target import SandboxControl
from probes.http import make_http
from probes.secrets import secrets_from
from sandbox.control_client import Control

pytestmark = pytest.mark.process

LIFE = 300.0
OTHERS = 3600.0
"""Seconds that tokens of other clients live at most."""


@dataclass(frozen=True, slots=True)
class Left:
    """A drill that has rotated a provider and was cut short."""

    over: Leftover
    """Its key may go when its last token has expired."""
    control: Control
    before: str
    """The kid that signed before."""
    own: str
    """The kid of the drill's key."""

    def signs(self) -> str:
        return kid_of(self.over.outside.mint())

    def thumbprint(self, kid: str) -> str:
        keys = self.control.keys()["RS256"]
        return str(keys["thumbprints"]["published"][keys["published"].index(kid)])

    def expired(self) -> Leftover:
        """The same when no token of the drill's key is valid any more."""
        return replace(self.over, forgets_at_once=True)


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Left]:
    with ExitStack() as parts:
        lab = parts.enter_context(start_sandbox_lab(os.environ))
        outside = parts.enter_context(
            look_from_outside(lab.target.issuer, lab.target.client, make_http(lab.ca_file), secrets_from(lab.environ))
        )
        assert isinstance(lab.target.provider, SandboxControl)
        driver = driver_for(lab.target, outside, lab.environ, lambda _text: None)
        journal = Journal.create(tmp_path, "zero-lead", datetime.now(UTC))
        parts.callback(journal.close)
        snapshot, kid = driver.snapshot(), kid_of(outside.mint())
        journal.write(Entry.OPENED, keeps=False, longest_life=OTHERS)
        journal.write(Entry.SNAPSHOT, before=snapshot, kid=kid, published=outside.kids())
        journal.write(Entry.MOVING, number=1, action="rotate", life=LIFE)
        driver.do(Move(Action.ROTATE), snapshot)
        control = Control(lab.target.provider.control, lab.target.provider.fault_control)
        yield Left(Leftover(journal, driver, outside), control, kid, kid_of(outside.mint()))


def test_a_drills_key_stays_for_as_long_as_a_token_of_any_client_may_live(left: Left) -> None:
    log = settle(left.over)

    due, restored = clean_due(log), log.last(Entry.RESTORED)
    assert due is not None
    assert restored is not None
    assert due - restored.at == timedelta(seconds=OTHERS)
    assert left.own in left.over.outside.kids()


def test_a_drills_key_leaves_also_when_the_provider_has_rotated_since_and_takes_no_other_with_it(left: Left) -> None:
    settle(left.over)
    left.control.rotate("overlap", alg="RS256")
    signs, published = left.signs(), set(left.over.outside.kids())

    log = settle(left.expired())

    assert not log.uncleaned
    assert signs not in (left.before, left.own)
    assert left.signs() == signs
    assert set(left.over.outside.kids()) == published - {left.own}


def test_a_drills_key_does_not_leave_while_it_signs(left: Left) -> None:
    settle(left.over)
    published = left.control.keys()["RS256"]["thumbprints"]["published"]
    left.control.place("RS256", left.thumbprint(left.own), published)

    with pytest.raises(NotRestored, match=r"nothing was removed: .* that may be the drill's own key"):
        settle(left.expired())

    assert left.own in left.over.outside.kids()
    assert read_log(left.over.journal.folder).uncleaned


@dataclass(slots=True)
class Failing:
    """A driver that brings nothing back."""

    tries: int = 0

    def restore(self, before: object) -> None:
        self.tries += 1
        raise DriverFailed("no")


@pytest.mark.parametrize(("stopped", "tries"), [(True, 1), (False, 5)])
def test_a_rollback_that_fails_is_not_tried_again_once_it_is_stopped(
    left: Left, stopped: bool, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "_PAUSE", 0.0)
    driver = Failing()

    with pytest.raises(NotRestored):
        settle(replace(left.over, driver=driver, stopped=lambda: stopped))  # type: ignore[arg-type]  # only restores

    assert driver.tries == tries
