"""A person is told what to do, and waited for until it is seen; here a thread plays the person on the sandbox."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from drills.driver import DriverFailed, GaveUp
from drills.drivers import driver_for
from drills.drivers.manual import ManualDriver
from drills.lab import Lab
from drills.outside import Outside
from drills.scenario import Action, Move
from drills.stop import Stop
from drills.target import Manual
from sandbox.control_client import Control

pytestmark = pytest.mark.process

Look = Callable[[Outside], Any]


@dataclass
class Person:
    """Does what the text asks for, after a while."""

    control: Control
    first: dict[str, Any]
    others: str = ""
    """The thumbprint of a key that somebody else has made."""
    told: list[str] = field(default_factory=list)
    hands: list[threading.Timer] = field(default_factory=list)

    def __call__(self, text: str) -> None:
        self.told.append(text)
        done = next(do for words, do in self.WAYS.items() if text.startswith(words))
        self.hands.append(threading.Timer(0.3, done, (self,)))
        self.hands[-1].start()

    def rotate(self, mode: str) -> None:
        self.control.rotate(mode, alg="RS256")

    def place(self, active: str | None, published: Callable[[list[str]], list[str]]) -> None:
        now = self.control.keys()["RS256"]["thumbprints"]
        self.control.place("RS256", active or now["active"], published(now["published"]))

    @property
    def old(self) -> str:
        return str(self.first["active"])

    WAYS = {  # noqa: RUF012 - a table, never changed
        "Add a new signing key": lambda person: person.rotate("announce"),
        "Sign with the new key": lambda person: person.rotate("activate"),
        "Rotate now: make a new key that signs at once; leave": lambda person: person.rotate("overlap"),
        "Rotate now": lambda person: person.rotate("abrupt"),
        "Roll back": lambda person: person.place(person.old, lambda now: [person.old, *now]),
        "Take out of the key set": lambda person: person.place(
            None, lambda now: [key for key in now if key in (person.old, person.others)]
        ),
        "Take every key": lambda person: person.place(None, lambda now: [person.old]),
        "Take": lambda person: person.place(None, lambda now: [key for key in now if key != person.old]),
        "The rotation is done": lambda person: person.place(
            None, lambda now: [key for key in now if key != person.old]
        ),
    }


@pytest.fixture
def person(control: Control) -> Iterator[Person]:
    person = Person(control, control.keys()["RS256"]["thumbprints"])
    yield person
    for hand in person.hands:
        hand.join()


@pytest.fixture
def manual(outside: Outside, person: Person) -> ManualDriver:
    return ManualDriver(outside, person, timeout=30.0, poll=0.05)


@pytest.mark.parametrize(
    "moves",
    [(Action.ANNOUNCE, Action.ACTIVATE, Action.REMOVE), (Action.ROTATE,), (Action.REPLACE,)],
)
def test_a_person_makes_each_move_and_rolls_back(
    manual: ManualDriver, person: Person, outside: Outside, look: Look, moves: tuple[Action, ...]
) -> None:
    before, old = manual.snapshot(), look(outside)

    for action in (*moves, moves[-1]):
        manual.do(Move(action), before)
    new = look(outside)
    for _ in range(2):
        manual.restore(before)
    restored = look(outside)
    for _ in range(2):
        manual.clean(before, keep_new=False)

    assert new.signs != old.signs
    assert restored.signs == old.signs
    assert look(outside).thumbprints == old.thumbprints
    assert len(person.told) == len(moves) + 2, "what is seen already is not asked for"
    assert all(repr(old.signs) in text for text in person.told if not text.startswith("Take every key"))


def test_what_others_have_made_since_a_drill_is_not_asked_to_be_removed(
    manual: ManualDriver, person: Person, outside: Outside, look: Look
) -> None:
    before = manual.snapshot()
    manual.do(Move(Action.ROTATE), before)
    drills = look(outside).signs
    manual.restore(before)
    person.rotate("announce")
    person.others = person.control.keys()["RS256"]["thumbprints"]["announced"]

    manual.clean(before, keep_new=False, added=[drills])

    left = look(outside)
    assert drills not in left.published
    assert {person.old, person.others} <= left.thumbprints
    assert f"{drills!r}" in person.told[-1]


def test_a_rotation_that_is_kept_ends_without_the_old_key(manual: ManualDriver, outside: Outside, look: Look) -> None:
    before = manual.snapshot()
    manual.do(Move(Action.ROTATE), before)

    manual.clean(before, keep_new=True)

    new = look(outside)
    assert new.published == (new.signs,)


def test_who_does_nothing_is_waited_for_until_the_time_is_over(outside: Outside) -> None:
    told: list[str] = []
    driver = ManualDriver(outside, told.append, timeout=0.3, poll=0.05)

    with pytest.raises(
        DriverFailed, match=r"a new key in the key set, .* was not seen within 0\.3 s: no key was added to the key set"
    ):
        driver.do(Move(Action.ANNOUNCE), driver.snapshot())

    assert len(told) == 1


def test_a_person_is_not_waited_for_once_the_drill_is_stopped(outside: Outside) -> None:
    told: list[str] = []
    driver = ManualDriver(outside, told.append, timeout=600.0, poll=0.05, stopped=lambda: bool(told))

    with pytest.raises(DriverFailed, match=r"it was stopped while a new key in the key set, .* was waited for"):
        driver.do(Move(Action.ANNOUNCE), driver.snapshot())


def test_a_person_is_waited_for_in_a_rollback_of_a_drill_that_was_stopped(
    manual: ManualDriver, person: Person, outside: Outside, look: Look
) -> None:
    before, old = manual.snapshot(), look(outside)
    manual.do(Move(Action.ROTATE), before)

    replace(manual, stopped=lambda: True).restore(before)

    assert look(outside).signs == old.signs


@dataclass
class Clumsy:
    """Does something else first, and what was asked for when told that it is not as it should be."""

    first: Callable[[], object]
    then: Callable[[], object]
    told: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> None:
        self.told.append(text)
        (self.first, self.then)[min(len(self.told), 2) - 1]()


@pytest.mark.parametrize(
    ("action", "does", "told"),
    [
        (Action.ANNOUNCE, "overlap", "new tokens are signed with .*, not with"),
        (Action.ACTIVATE, "abrupt", "is not published any more"),
        (Action.ROTATE, "abrupt", "is not published any more"),
        (Action.ROTATE, "unpublished", "which signs new tokens, is not published"),
        (Action.REPLACE, "overlap", "is still published"),
    ],
)
def test_what_is_not_as_it_should_be_is_said_and_the_right_thing_waited_for(
    outside: Outside, control: Control, action: Action, does: str, told: str
) -> None:
    first = control.keys()["RS256"]["thumbprints"]
    right = {Action.ANNOUNCE: "announce", Action.REPLACE: "abrupt"}.get(action, "overlap")

    def mend() -> None:
        control.place("RS256", first["active"], first["published"])
        control.rotate(right, alg="RS256")

    person = Clumsy(lambda: control.rotate(does, alg="RS256"), mend)
    driver = ManualDriver(outside, person, timeout=30.0, poll=0.05)

    driver.do(Move(action), driver.snapshot())

    assert len(person.told) == 2
    assert re.search(f"^Not as it should be yet: .*{told}.* Awaited is ", person.told[1]), person.told


def test_a_removal_leaves_a_key_that_signs_and_is_published(outside: Outside, control: Control) -> None:
    first = control.keys()["RS256"]["thumbprints"]
    before = ManualDriver(outside, lambda _text: None, timeout=30.0).snapshot()
    control.rotate("overlap", alg="RS256")
    new = control.keys()["RS256"]["thumbprints"]["active"]
    person = Clumsy(lambda: control.place("RS256", first["active"], [new]), lambda: control.place("RS256", new, [new]))

    ManualDriver(outside, person, timeout=30.0, poll=0.05).do(Move(Action.REMOVE), before)

    assert "new tokens are still signed with" in person.told[1]


def test_a_key_that_signs_is_removed_where_that_is_what_is_rehearsed(outside: Outside, control: Control) -> None:
    new = control.rotate("announce", alg="RS256")["RS256"]["thumbprints"]
    person = Clumsy(lambda: control.place("RS256", new["active"], [new["announced"]]), lambda: None)
    driver = ManualDriver(outside, person, timeout=30.0, poll=0.05)

    driver.do(Move(Action.REMOVE), driver.snapshot())

    assert len(person.told) == 1


def test_a_rollback_that_a_person_does_not_make_is_given_up_with_what_is_to_be_done(
    outside: Outside, control: Control
) -> None:
    driver = ManualDriver(outside, lambda _text: None, timeout=0.3, poll=0.05)
    before = driver.snapshot()
    control.rotate("overlap", alg="RS256")

    with pytest.raises(GaveUp, match=r"not seen within 0\.3 s: .* To be done by hand: Roll back: publish"):
        driver.restore(before)


def test_who_insists_ends_the_wait_for_a_rollback(outside: Outside, control: Control) -> None:
    stop, told = Stop(), list[str]()
    driver = ManualDriver(outside, told.append, timeout=600.0, poll=0.05, stopped=stop.is_set, insisted=stop.insisted)
    before = driver.snapshot()
    control.rotate("overlap", alg="RS256")
    stop.set()  # by another part of the drill
    stop.ask()
    hand = threading.Timer(0.5, stop.ask)
    hand.start()

    with pytest.raises(GaveUp, match="it was stopped while a token that is signed with"):
        driver.restore(before)

    hand.join()
    assert len(told) == 1


def test_a_provider_that_is_down_for_a_moment_does_not_end_the_wait(
    manual: ManualDriver, person: Person, control: Control
) -> None:
    before = manual.snapshot()
    control.fault("token-server-error", times=2)

    manual.do(Move(Action.ROTATE), before)

    assert len(person.told) == 1


def test_only_what_can_be_seen_is_left_to_a_person(lab: Lab, outside: Outside) -> None:
    driver = driver_for(replace(lab.target, provider=Manual(60.0)), outside, lab.environ, lambda _text: None)

    assert driver.can == {Action.ANNOUNCE, Action.ACTIVATE, Action.ROTATE, Action.REPLACE, Action.REMOVE}
    assert [ready.ok for ready in driver.ready()] == [True]
    with pytest.raises(DriverFailed, match="cannot be left to a person"):
        driver.do(Move(Action.CLOCK, {"seconds": 5.0}), driver.snapshot())


def test_a_provider_whose_tokens_name_no_key_is_not_ready(manual: ManualDriver, control: Control) -> None:
    control.fault("access-token-kid-missing")

    [ready] = manual.ready()

    assert not ready.ok
    assert "name no key" in ready.text
