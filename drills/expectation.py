"""What a drill will see of a verifier: its row is played in virtual time over the moves and questions of the drill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drills.curve import observed
from drills.emulated_cache import EmulatedCache, Fetch, Served
from drills.prediction import Bound, Observed, Outage, flushes, longest_fetch, predict
from drills.scenario import Generation, Measure
from drills.subject import Sample
from drills.verifiers import Verifier, Word

_BEYOND = 1000
"""Rounds in which what lies beyond the window is looked for, before it is looked at closely."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A drill, as far as it matters to a cache. Durations in seconds; its clock starts at 0.

    ACCEPT: a new key is published at 0, and signs. REJECT: at 0 the new key is published and the old one is not any
    more. OUTAGE: from 0 on the key set's endpoint fails.
    """

    measure: Measure
    warmed: float = 0.0
    """How long before 0 the verifier fetched for the last time."""
    polls: frozenset[Generation] = frozenset(Generation)
    """The tokens that it is asked about."""
    poll: float = 1.0
    window: float = 300.0
    max_age: float | None = None
    """Of the key set's Cache-Control; 0 when it forbids caching, None when there is none."""
    outage: Outage | None = None
    fetch_seconds: float = 0.0
    """What a fetch takes from 0 on, also one that fails; infinite where nothing is answered. One that takes longer than
    the verifier waits fails."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What will be seen of one verifier."""

    seconds: float | None
    """May be longer than the window. None: never, or (not `known`) nobody knows."""
    why: str
    known: bool = True
    waits: float = 0.0
    """How long the answer takes that shows it: the verifier waits for the key set before it refuses. Seconds."""


def expect(row: Verifier, scene: Scene) -> Expected:
    """The time that `drills.curve.observed` will give for this row, within one poll."""
    bound = bound_of(row, scene)
    seconds = _comes(row, scene, bound)
    # A new token that flushes the removed key does so whatever else is not known of the row.
    if not bound.known and (seconds is None or scene.measure is not Measure.REJECT):
        return Expected(None, bound.why, known=False)
    if seconds is None:
        return Expected(None, bound.why)
    if _flushed(row, scene, bound, seconds):
        return Expected(seconds, "a token of the new key makes it fetch a set that no longer holds the old one")
    why = f"{bound.why}; its last fetch was {scene.warmed:.0f} s before"
    return Expected(seconds, why, waits=_waits(row, scene) if scene.measure is Measure.OUTAGE else 0.0)


def bound_of(row: Verifier, scene: Scene) -> Bound:
    """The longest that it may take, whenever the verifier fetched for the last time."""
    facts = Observed(max_age=scene.max_age, fetch_seconds=scene.fetch_seconds, outage=scene.outage or Outage.DEAD)
    prediction = predict(row, facts)
    return {
        Measure.ACCEPT: prediction.accept, Measure.REJECT: prediction.reject, Measure.OUTAGE: prediction.outage
    }[scene.measure]  # fmt: skip


_AFTER = {
    Measure.ACCEPT: frozenset(Generation),
    Measure.REJECT: frozenset({Generation.NEW}),
    Measure.OUTAGE: frozenset({Generation.OLD}),
}


def _comes(row: Verifier, scene: Scene, bound: Bound) -> float | None:
    """Asked every poll within the window, and until the questions themselves can make it fetch no more.

    What comes after that comes by its own time, up to a week later: it is looked for coarsely first, and then closely.
    """
    asks = max(scene.window, 0.0 if isinstance(row.cooldown, Word) else row.cooldown)
    polled = _moments(0.0, asks, scene.poll)
    came = observed(_samples(row, scene, polled), scene.measure, 0.0)
    last = bound.seconds or 0.0
    if came is not None or last <= asks:
        return came
    step = max(scene.poll, (last - asks) / _BEYOND)
    coarse = _moments(asks + step, last + 2 * step, step)
    came = observed(_samples(row, scene, (*polled, *coarse)), scene.measure, 0.0)
    if came is None or step == scene.poll:
        return came
    before = [moment for moment in coarse if moment < came]
    close = _moments(came - step + scene.poll, came, scene.poll)
    return observed(_samples(row, scene, (*polled, *before, *close, came)), scene.measure, 0.0)


def _moments(first: float, last: float, step: float) -> Sequence[float]:
    return [first + number * step for number in range(int((last - first) / step) + 1)]


def _samples(row: Verifier, scene: Scene, moments: Sequence[float]) -> Iterator[Sample]:
    cache: EmulatedCache[bool] = EmulatedCache(row)
    fetch = _endpoint(row, scene)
    cache.find(Generation.OLD, -scene.warmed, fetch)
    for now in moments:
        for generation in Generation:  # the old one first, as a fleet asks
            if generation in scene.polls:
                found = cache.find(generation, now, fetch)
                yield Sample(row.name, generation, now, found.key is not None, found.why)


def _endpoint(row: Verifier, scene: Scene) -> Fetch[bool]:
    outage = scene.outage
    if outage in (None, Outage.SLOW):
        outage = Outage.DEAD if scene.fetch_seconds > longest_fetch(row) else None

    def fetch(now: float) -> Served[bool] | Outage:
        if now < 0:
            return Served({Generation.OLD: True}, scene.max_age)
        return outage or Served(dict.fromkeys(_AFTER[scene.measure], True), scene.max_age)

    return fetch


def _waits(row: Verifier, scene: Scene) -> float:
    return min(scene.fetch_seconds, longest_fetch(row))


def _flushed(row: Verifier, scene: Scene, bound: Bound, seconds: float) -> bool:
    """Whether the new token ended the old key, before its time was over."""
    if scene.measure is not Measure.REJECT or Generation.NEW not in scene.polls or not flushes(row):
        return False
    return bound.seconds is None or seconds < bound.seconds - scene.warmed
