"""Whether what a driver says that it did is seen from outside: a command may end with 0 and have done nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from drills.driver import DriverFailed
from drills.key_view import NOTHING, KeyView, Unlike, key_is_added, new_signs, old_is_gone, published_of
from drills.outside import kid_of
from drills.record import EventKind
from drills.running import Running
from drills.scenario import Action, Move
from probes.classify import classify

_EVERY = 0.5  # seconds between two looks


class Face(Enum):
    """Where a move is seen."""

    TOKENS = auto()
    KEYS = auto()


_SHOWN: Mapping[Action, tuple[tuple[Face, Unlike], ...]] = MappingProxyType(
    {
        Action.ANNOUNCE: ((Face.KEYS, key_is_added),),
        Action.ACTIVATE: ((Face.TOKENS, new_signs),),
        Action.ROTATE: ((Face.TOKENS, new_signs),),
        Action.REPLACE: ((Face.TOKENS, new_signs), (Face.KEYS, old_is_gone)),
        Action.REMOVE: ((Face.KEYS, old_is_gone),),
        Action.UNPUBLISHED: ((Face.TOKENS, new_signs),),
        Action.ALGORITHM: ((Face.TOKENS, new_signs),),
    }
)
_BOTH = frozenset(Face)
_HIDES: Mapping[Action, frozenset[Face]] = MappingProxyType(
    {
        Action.JWKS: frozenset({Face.KEYS}),
        Action.STALE_EDGE: frozenset({Face.KEYS}),
        Action.TOKEN_ENDPOINT: frozenset({Face.TOKENS}),
        Action.CLIENT_SECRET: frozenset({Face.TOKENS}),
        Action.KID_MISSING: _BOTH,
        Action.KID_DUPLICATE: _BOTH,
        Action.REUSE_KID: _BOTH,
    }
)
"""What later moves of the same drill are not seen by, on purpose."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """What must be seen of one move, and what was there before it."""

    move: Move
    signs: tuple[tuple[Face, Unlike], ...]
    before: KeyView

    @property
    def faces(self) -> frozenset[Face]:
        """Those that are looked at."""
        return frozenset(face for face, _ in self.signs)


def awaited(run: Running, move: Move, earlier: Iterable[Move]) -> Awaited:
    """Before the move: only what the earlier moves of the drill let be seen. Raises what probes raise."""
    visible = _visible(earlier)
    signs = tuple(sign for sign in _SHOWN.get(move.action, ()) if sign[0] in visible)
    looks = any(unlike is key_is_added for _, unlike in signs)
    published = published_of(run.plan.outside) if looks else NOTHING
    return Awaited(move, signs, KeyView(run.old_kid, published))


def confirm(run: Running, what: Awaited) -> None:
    """Waits until the move is seen: keys may take seconds to appear, and a shared cache may hold the set for longer.

    Raises DriverFailed when it is not, and Ended when the drill must end meanwhile.
    """
    plan, look = run.plan, _Look(run, what)
    if not what.signs or run.wait(plan.patience, look):
        return
    cached = plan.outside.observe().max_age if look.missing is Face.KEYS else None
    if cached:
        seconds = min(cached, plan.longest)
        run.event(EventKind.NOTE, f"{look.said}: looked at for {seconds:.0f} s more, as a cache may have the key set")
        if run.wait(seconds, look):
            return
    raise DriverFailed(
        f"{what.move.action} is said to be done, but {look.said}: see what the {plan.driver.name} driver did"
    )


@dataclass(slots=True)
class _Look:
    """Called again and again: whether everything is as the move makes it."""

    run: Running
    what: Awaited
    said: str = ""
    """What is not so."""
    missing: Face | None = None
    """Where it is not."""
    _next: float = 0.0

    def __call__(self) -> bool:
        if time.monotonic() < self._next:
            return False
        try:
            self.missing, self.said = self._unlike()
        except Exception as error:  # noqa: BLE001 - the provider may be busy with the move; the next look tells
            self.missing, self.said = None, f"it cannot be seen: {classify(error).told}"
        self._next = time.monotonic() + _EVERY
        return not self.said

    def _unlike(self) -> tuple[Face | None, str]:
        outside, faces = self.run.plan.outside, self.what.faces
        signs = kid_of(outside.mint()) if Face.TOKENS in faces else ""
        now = KeyView(signs, published_of(outside) if Face.KEYS in faces else NOTHING)
        told = ((face, unlike(now, self.what.before)) for face, unlike in self.what.signs)
        return next((each for each in told if each[1]), (None, ""))


def _visible(earlier: Iterable[Move]) -> frozenset[Face]:
    hidden: frozenset[Face] = frozenset()
    for move in earlier:
        hidden = frozenset() if move.action is Action.HEAL else hidden | _HIDES.get(move.action, frozenset())
    return _BOTH - hidden
