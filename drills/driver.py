"""What the engine asks of a provider that it drives: a few methods, which drills/drivers has for each kind of provider."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from drills.scenario import Action, Move

Snapshot = Mapping[str, Any]
"""What a driver needs to undo everything: JSON, without secrets or key material. It goes into the journal."""


class DriverFailed(RuntimeError):
    """The provider did not do what it was told to. The message says what was tried, what came back and what helps."""


class GaveUp(DriverFailed):
    """The same, and to try again at once would be no use: somebody was asked, and did not do it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """One thing that was looked at before a drill."""

    name: str
    ok: bool
    text: str
    """What was seen; where it is not ok, what would mend it."""


class Driver(Protocol):
    """Steers one provider. Every method may be called again after it failed, or by another process after a crash.

    All but `ready` raise DriverFailed.
    """

    @property
    def name(self) -> str:
        """The kind of provider, as in the configuration."""

    @property
    def can(self) -> frozenset[Action]:
        """What this one can do."""

    def ready(self) -> tuple[Ready, ...]:
        """Whether the administrative side answers, and would let us roll back. Changes nothing."""

    def snapshot(self) -> Snapshot:
        """The state before the drill: which key signs, which are published, what is switched on."""

    def do(self, move: Move, before: Snapshot) -> None:
        """Make the move. `before` is the snapshot of this drill. What can be seen of it is looked for from outside."""

    def restore(self, before: Snapshot) -> None:
        """The key that signed before signs again and is published, every fault is gone. Keys of the drill may stay
        published without signing. Does nothing where that is so already."""

    def clean(self, before: Snapshot, *, keep_new: bool, added: Collection[str] = ()) -> None:
        """Takes the drill's leftovers out of the key set: the new keys, or with `keep_new` the old one.

        `added` are the kids of its new keys as they were seen from outside, for a driver that cannot tell them from
        those that others have made since; empty when nobody knows.
        """
