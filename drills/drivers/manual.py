"""Drives a provider by a person: says what to do, and waits until it is seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import httpx
import jwt

from drills.driver import DriverFailed, Ready, Snapshot
from drills.outside import Outside, kid_of
from drills.scenario import Action, Move
from probes.model import ProbeFailure

_LONGEST_KID = 80


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is seen from outside."""

    signs: str
    """The kid of a new token."""
    published: Mapping[str, str]
    """Kids of signature keys by thumbprint (RFC 7638)."""

    @property
    def signs_published(self) -> bool:
        return self.signs in self.published.values()


_Shown = Callable[[_Seen, Snapshot], bool]


@dataclass(frozen=True, slots=True)
class _Task:
    """What a person is told, and how it is known that it was done. `{old}` is the kid that signed before the drill."""

    text: str
    awaited: str
    shown: _Shown


def _new_signs(seen: _Seen, before: Snapshot) -> bool:
    return seen.signs != before["signs"] and seen.signs_published


def _old_is_gone(seen: _Seen, before: Snapshot) -> bool:
    return before["signs"] not in seen.published.values()


_TASKS: Mapping[Action, _Task] = MappingProxyType(
    {
        Action.ANNOUNCE: _Task(
            "Add a new signing key to the key set, and go on signing with {old!r}.",
            "a new key in the key set",
            lambda seen, before: bool(seen.published.keys() - set(before["published"])),
        ),
        Action.ACTIVATE: _Task(
            "Sign with the new key from now on; leave {old!r} in the key set.",
            "a token that is signed with a published key other than {old!r}",
            _new_signs,
        ),
        Action.ROTATE: _Task(
            "Rotate now: make a new key that signs at once; leave {old!r} in the key set.",
            "a token that is signed with a published key other than {old!r}",
            _new_signs,
        ),
        Action.REPLACE: _Task(
            "Rotate now: make a new key that signs at once, and take {old!r} out of the key set. Keep it: it must be "
            "possible to publish it again.",
            "a token that is signed with a published key, and a key set without {old!r}",
            lambda seen, before: _new_signs(seen, before) and _old_is_gone(seen, before),
        ),
        Action.REMOVE: _Task(
            "Take {old!r} out of the key set. Keep it: it must be possible to publish it again.",
            "a key set without {old!r}",
            _old_is_gone,
        ),
    }
)
_RESTORE = _Task(
    "Roll back: publish {old!r} again, and sign with it.",
    "a token that is signed with {old!r}, and {old!r} in the key set",
    lambda seen, before: seen.signs == before["signs"] and set(before["published"]) <= seen.published.keys(),
)
_CLEAN = _Task(
    "Take every key out of the key set that the drill has added. {old!r} goes on signing.",
    "the key set of before the drill",
    lambda seen, before: set(before["published"]) == seen.published.keys(),
)
_KEEP_NEW = _Task("The rotation is done: take {old!r} out of the key set.", "a key set without {old!r}", _old_is_gone)


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
        """Waits until the key of before signs and is published, also when the drill was stopped."""
        self._await(_RESTORE, before, lambda: False)

    def clean(self, before: Snapshot, *, keep_new: bool) -> None:
        """Waits until the drill's keys have left the set, or with `keep_new` the old one."""
        self._await(_KEEP_NEW if keep_new else _CLEAN, before, self.stopped)

    def _await(self, task: _Task, before: Snapshot, stopped: Callable[[], bool]) -> None:
        old = str(before["signs"])[:_LONGEST_KID]
        awaited = task.awaited.format(old=old)
        deadline, asked, seen = time.monotonic() + self.timeout, False, ""
        while True:
            try:
                look = self._look()
                if task.shown(look, before):
                    return
                kids = ", ".join(repr(kid[:_LONGEST_KID]) for kid in look.published.values()) or "nothing"
                seen = f"tokens are signed with {look.signs[:_LONGEST_KID]!r}, and {kids} published"
            except DriverFailed as failure:
                seen = str(failure)  # it may be well again at the next look
            if not asked:
                self.ask(task.text.format(old=old))
                asked = True
            if stopped():
                raise DriverFailed(f"it was stopped while {awaited} was waited for")
            if time.monotonic() >= deadline:
                raise DriverFailed(f"{awaited} was not seen within {self.timeout:g} s: {seen}")
            time.sleep(self.poll)

    def _look(self) -> _Seen:
        try:
            signs = kid_of(self.outside.mint())
            published = {key.thumbprint: key.kid for key in self.outside.keys().keys if key.signs and key.thumbprint}
        except (ProbeFailure, httpx.HTTPError, jwt.DecodeError, OSError) as error:
            raise DriverFailed(f"the provider does not show its keys: {error}") from error
        return _Seen(signs, published)
