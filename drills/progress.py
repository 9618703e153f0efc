"""What a running drill tells whoever watches it: the terminal, and the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drills.record import Event, Phase
from drills.subject import Kind


@dataclass(frozen=True, slots=True)
class Standing:
    """One verifier at this moment. Seconds."""

    name: str
    kind: Kind
    predicted: float | None
    observed: float | None
    old: bool | None
    """Whether it accepted the old key's token when it was asked last; None when it was not asked."""
    new: bool | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Told about once a second, and whenever something happens."""

    drill: str
    """Its id."""
    phase: Phase
    events: tuple[Event, ...]
    """Those since the last one that was told."""
    standings: tuple[Standing, ...]
    elapsed: float | None
    """Seconds since the clock of the measure started; None before."""
    window: float | None
    """Seconds that the observation takes at most; None when it is not observing."""


Tell = Callable[[Progress], None]
