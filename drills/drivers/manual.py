"""Drives a provider by a person: says what to do, and waits until it is seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import httpx
import jwt

from drills.driver import DriverFailed, GaveUp, Ready, Snapshot
from drills.key_view import (
    KeyView,
    Unlike,
    are_gone,
    key_is_added,
    keys_of_before_are_published,
    look_at_keys,
    new_signs,
    nothing_is_added,
    old_is_gone,
    old_is_published,
    old_signs,
    shown,
    signer_is_published,
)
from drills.outside import Outside
from drills.scenario import Action, Move
from probes.model import ProbeFailure


@dataclass(frozen=True, slots=True)
class _Task:
    """What a person is told, and how it is known that it was done. `{old}` is the kid that signed before the drill."""

    text: str
    awaited: str
    unlike: tuple[Unlike, ...]
    """What may be wrong with what is seen."""
    of_signing: tuple[Unlike, ...] | None = None
    """The same, where the key of before still signs when the person is told: that one is to be removed on purpose."""


_TASKS: Mapping[Action, _Task] = MappingProxyType(
    {
        Action.ANNOUNCE: _Task(
            "Add a new signing key to the key set, and go on signing with {old}.",
            "a new key in the key set, beside {old}, which goes on signing",
            (key_is_added, old_signs, old_is_published),
        ),
        Action.ACTIVATE: _Task(
            "Sign with the new key from now on; leave {old} in the key set.",
            "a token that is signed with a published key other than {old}, which stays published",
            (new_signs, signer_is_published, old_is_published),
        ),
        Action.ROTATE: _Task(
            "Rotate now: make a new key that signs at once; leave {old} in the key set.",
            "a token that is signed with a published key other than {old}, which stays published",
            (new_signs, signer_is_published, old_is_published),
        ),
        Action.REPLACE: _Task(
            "Rotate now: make a new key that signs at once, and take {old} out of the key set. Keep it: it must be "
            "possible to publish it again.",
            "a token that is signed with a published key, and a key set without {old}",
            (new_signs, signer_is_published, old_is_gone),
        ),
        Action.REMOVE: _Task(
            "Take {old} out of the key set. Keep it: it must be possible to publish it again.",
            "a key set without {old}",
            (old_is_gone, new_signs, signer_is_published),
            of_signing=(old_is_gone,),
        ),
    }
)
_RESTORE = _Task(
    "Roll back: publish {old} again, and sign with it.",
    "a token that is signed with {old}, and {old} in the key set",
    (old_signs, old_is_published, keys_of_before_are_published),
)
_CLEAN = _Task(
    "Take every key out of the key set that the drill has added. What signs now goes on signing.",
    "the key set of before the drill",
    (keys_of_before_are_published, nothing_is_added),
)


def _clean_of(added: Collection[str]) -> _Task:
    """Where the drill's own keys are known, what others have made or removed since then is no part of it."""
    names = ", ".join(map(shown, sorted(added))).replace("{", "{{").replace("}", "}}")
    return _Task(
        f"Take out of the key set what the drill has added: {names}. What signs now goes on signing.",
        f"a key set without {names}",
        (partial(are_gone, frozenset(added)),),
    )


_KEEP_NEW = _Task(
    "The rotation is done: take {old} out of the key set.",
    "a key set without {old}",
    (old_is_gone, new_signs, signer_is_published),
)


@dataclass(frozen=True, slots=True)
class ManualDriver:
    """Implements `drills.driver.Driver`. What is seen already is not asked for."""

    outside: Outside
    ask: Callable[[str], None]
    """Tells the person what to do."""
    timeout: float
    """Seconds that one thing may take."""
    poll: float = 1.0
    """Seconds between two looks."""
    stopped: Callable[[], bool] = lambda: False
    """Whether the drill must end: nothing but its rollback is waited for any more."""
    insisted: Callable[[], bool] = lambda: False
    """Whether a rollback is not waited for any more either."""
    name: str = "manual"

    @property
    def can(self) -> frozenset[Action]:
        """What can be seen from outside when it is done."""
        return frozenset(_TASKS)

    def ready(self) -> tuple[Ready, ...]:
        """Whether what a person does can be seen."""
        try:
            seen = self._look()
        except DriverFailed as failure:
            return (Ready("person", False, str(failure)),)
        text = f"you will be told what to do, and have {self.timeout / 60:g} min for each thing"
        return (
            Ready("person", bool(seen.signs), text if seen.signs else "tokens name no key, so a new one is not seen"),
        )

    def snapshot(self) -> Snapshot:
        """The kid that signs and the thumbprints that are published."""
        seen = self._look()
        return {"signs": seen.signs, "published": sorted(seen.published)}

    def do(self, move: Move, before: Snapshot) -> None:
        """Waits until the move has been made."""
        if move.action not in _TASKS:
            raise DriverFailed(f"{move.action} cannot be left to a person; expected one of {', '.join(sorted(_TASKS))}")
        self._await(_TASKS[move.action], before, self.stopped)

    def restore(self, before: Snapshot) -> None:
        """Waits until the key of before signs and is published, also when the drill was stopped.

        Raises GaveUp when that does not come, or who waits for it insists on an end: to ask again would be no use.
        """
        try:
            self._await(_RESTORE, before, self.insisted)
        except DriverFailed as failure:
            todo = _RESTORE.text.format(old=shown(str(before["signs"]))).rstrip(".")
            raise GaveUp(f"{failure}. To be done by hand: {todo}") from failure

    def clean(self, before: Snapshot, *, keep_new: bool, added: Collection[str] = ()) -> None:
        """Waits until the drill's keys have left the set, or with `keep_new` the old one."""
        known = _clean_of(added) if added else _CLEAN
        self._await(_KEEP_NEW if keep_new else known, before, self.stopped)

    def _await(self, task: _Task, before: Snapshot, stopped: Callable[[], bool]) -> None:
        was = KeyView(str(before["signs"]), dict.fromkeys(before["published"], ""))
        awaited = task.awaited.format(old=shown(was.signs))
        wait, deadline, asked, seen = _Wait(task, was), time.monotonic() + self.timeout, False, ""
        while True:
            again = False
            try:
                again = wait.tells(self._look())
                if not wait.unlike:
                    return
                seen = "; ".join(wait.unlike)
            except DriverFailed as failure:
                seen = str(failure)  # it may be well again at the next look
            if not asked:
                self.ask(task.text.format(old=shown(was.signs)))
                asked = True
            elif again:
                self.ask(f"Not as it should be yet: {seen}. Awaited is {awaited}.")
            if stopped():
                raise DriverFailed(f"it was stopped while {awaited} was waited for: {seen}")
            if time.monotonic() >= deadline:
                raise DriverFailed(f"{awaited} was not seen within {self.timeout:g} s: {seen}")
            time.sleep(self.poll)

    def _look(self) -> KeyView:
        try:
            return look_at_keys(self.outside)
        except (ProbeFailure, httpx.HTTPError, jwt.DecodeError, OSError) as error:
            raise DriverFailed(f"the provider does not show its keys: {error}") from error


@dataclass(slots=True)
class _Wait:
    """What has been seen while a task is waited for."""

    task: _Task
    was: KeyView
    unlike: tuple[str, ...] = ()
    """What is not as it should be, at the latest look."""
    _checks: tuple[Unlike, ...] | None = None
    _known: tuple[str, ...] = ()
    """What the person knows of that."""

    def tells(self, now: KeyView) -> bool:
        """Takes what is seen; gives whether something else than the person knows is wrong, and still is a look later."""
        first, before = self._checks is None, self.unlike
        if self._checks is None:
            signing = self.task.of_signing if now.signs == self.was.signs else None
            self._checks = signing or self.task.unlike
        self.unlike = tuple(filter(None, (check(now, self.was) for check in self._checks)))
        news = not first and self.unlike == before and self.unlike != self._known
        if first or news:
            self._known = self.unlike
        return news
