"""The middle phases: predict what each verifier will do, make the moves, and watch until everything has come about."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pydantic import TypeAdapter

from drills.confirm import awaited, confirm
from drills.curve import observed
from drills.driver import Snapshot
from drills.expectation import Expected, Scene, expect
from drills.journal import Entry
from drills.prediction import Observed, Outage, Prediction, predict
from drills.prediction_rotation import needed_lead
from drills.record import EventKind, Phase
from drills.running import Running
from drills.scenario import SLOW_SECONDS, Action, Generation, Hold, Judge, Measure, Move
from drills.token import TOKEN_SPARE
from drills.verifiers import Verifier

ROW = TypeAdapter(Verifier)
SETTLE = 3
"""Polls before the first move: the curves begin with what is normal."""
_AFTER = 5  # polls beyond the last thing that is predicted, to see that it lasts
_A_WHILE = 60.0  # seconds
_RESIGN = frozenset({Action.ACTIVATE, Action.ROTATE, Action.REPLACE})
_ROUNDS = 4  # rounds of the probes within which a fault is to be seen
_KINDS: Mapping[str, tuple[Outage, float]] = MappingProxyType(
    {
        "timeout": (Outage.DEAD, math.inf),
        "error_body": (Outage.ERROR_BODY, 0.0),
        "slow": (Outage.SLOW, SLOW_SECONDS),
    }
)
"""Ways in which the key set's endpoint fails that are not simply dead at once."""
_ALERTS = 300.0  # seconds that alerts may take: cause alerts look at five minutes


def foresee(run: Running) -> None:
    """The phase `predict`: what each verifier may do at most, before anything is touched.

    Raises DriverFailed when the provider does not say how it is now.
    """
    run.enter(Phase.PREDICT)
    run.before = run.plan.driver.snapshot()
    published = run.plan.outside.kids()
    run.plan.journal.write(Entry.SNAPSHOT, before=dict(run.before), kid=run.old_kid, published=published)
    _write_prediction(run, _seen(run, None), {})


def move_and_observe(run: Running, before: Snapshot) -> None:
    """The phases `inject` and `observe`. Raises Ended, DriverFailed and what the provider provokes."""
    run.enter(Phase.INJECT)
    run.renew_old()  # the preflight may have taken long, and from the first move on there is no other
    run.wait(SETTLE * run.plan.poll)
    run.look()
    run.plan.journal.write(Entry.FIRING, names=sorted(run.firing_before))
    for number, move in enumerate(run.plan.scenario.moves, 1):
        _make(run, number, move, before)
        _hold(run, move)
    if run.phase is not Phase.OBSERVE:
        _observe(run)
    if run.plan.scenario.flushes:
        _flush(run)
    run.look()  # a drill may be shorter than the time between two looks at alerts


def _make(run: Running, number: int, move: Move, before: Snapshot) -> None:
    plan = run.plan
    now = _seen(run, move) if move.starts else None
    details = ", ".join(f"{name} {value}" for name, value in move.params.items())
    run.event(EventKind.MOVE, f"{move.action}: {details}" if details else move.action)
    wanted = awaited(run, move, plan.scenario.moves[: number - 1])
    plan.journal.write(Entry.MOVING, number=number, action=move.action, life=run.life)
    run.begin_move()
    plan.driver.do(move, before)
    run.latest_move = time.time()
    plan.journal.write(Entry.MOVED, number=number, action=move.action)
    confirm(run, wanted)
    # Others got tokens of the old key until now, and theirs may be as fresh as that.
    run.last_of_old = max(run.last_of_old, time.time() + run.life) if move.action in _RESIGN else run.last_of_old
    if move.starts and now is not None:
        _start_clock(run, move, move.starts, now)
    if move.action is Action.ANNOUNCE:
        run.announced = time.time()
    if Generation.NEW in plan.scenario.polls:
        run.renew()


def _start_clock(run: Running, move: Move, measure: Measure, now: Observed) -> None:
    """From what was known before the move; but how long each verifier's last fetch is ago counts from here.

    A provider may take seconds to make a key.
    """
    run.clock = time.time()
    run.expected = _expectations(run, move, measure, now)
    run.window = _window(run)
    _write_prediction(run, now, run.expected)
    run.plan.journal.write(Entry.CLOCK, measure=measure, started=run.clock)


def shown_by_old_tokens(run: Running) -> Mapping[str, Expected]:
    """What would be seen of each verifier if the clock started now; empty where new tokens show it, or nothing does."""
    for move in run.plan.scenario.moves:
        if move.starts in (Measure.REJECT, Measure.OUTAGE):
            return _expectations(run, move, move.starts, _seen(run, move))
    return {}


def _expectations(run: Running, move: Move, measure: Measure, now: Observed) -> Mapping[str, Expected]:
    fetched = run.fleet.warmed if run.fleet else {}
    clock = run.clock or time.time()
    return {
        row.name: _expectation(run, row, max(0.0, clock - fetched[row.name]), move, measure, now) for row in run.rows
    }


def _hold(run: Running, move: Move) -> None:
    match move.hold:
        case Hold.ADOPTED:
            run.wait(adoption(predictions(run)) + 2 * run.plan.poll)
        case Hold.OVERLAP:
            run.wait(max(0.0, run.last_of_old - time.time()) + run.plan.poll)
        case Hold.OBSERVED:
            _observe(run)
        case Hold.NONE:
            pass


def _observe(run: Running) -> None:
    """Until everything that is predicted has come, been seen and been alerted of, or the window is over."""
    if run.phase is not Phase.OBSERVE:
        run.enter(Phase.OBSERVE)
    if run.window is None:
        run.window = _window(run)
    started = time.monotonic()
    least = min(_AFTER * run.plan.poll + max(_longest_expected(run), _never(run)), run.plan.longest)

    def over() -> bool:
        return time.monotonic() - started >= least and _come(run) and _noticed(run)

    run.wait(run.window, over)


def _come(run: Running) -> bool:
    """Whether every verifier did what it is predicted to do in time; the others have only to be watched."""
    measure, clock = run.plan.scenario.measures, run.clock
    if measure is None or clock is None:
        return True
    return all(observed(run.of(name), measure, clock) is not None for name in _in_reach(run))


def _noticed(run: Running) -> bool:
    """Whether what is to be detected was, each probe had its look, and what is to fire does.

    A verifier may be the first to tell: the probes are not cut short by it.
    """
    plan = run.plan
    looked = run.watch is None or run.watch.all_ran_since(run.latest_move)
    seen = plan.scenario.detects is None or (looked and any(each.expected for each in run.detected))
    return seen and (plan.alerts is None or plan.scenario.alerts <= run.alerts.keys() | run.firing_before)


def _flush(run: Running) -> None:
    """Rids verifiers of a key that has left the set: one token of a key that they do not know makes them fetch."""
    if run.fleet is None:
        return
    token = run.mint()
    run.mark(EventKind.MOVE, "flush: one token of the new key for every verifier", "flushed")
    for sample in run.fleet.ask(token.value, Generation.NEW):
        run.sink(sample)
    run.wait(_AFTER * run.plan.poll)


def _window(run: Running) -> float:
    """Seconds that are observed at most."""
    plan = run.plan
    spare = 2 * _AFTER * plan.poll
    wanted = [max(_longest_expected(run) * 1.1, _never(run)) + spare]
    if plan.scenario.detects is not None:
        wanted.append(_ROUNDS * plan.watch + spare)
    if plan.alerts is not None and plan.scenario.alerts:
        wanted.append(_ALERTS)
    return min(max(wanted), plan.longest)


def _longest_expected(run: Running) -> float:
    """Until when everything that is predicted, and can be waited for, has been answered."""
    return min(max(_in_reach(run).values(), default=0.0), run.plan.longest)


def _in_reach(run: Running) -> Mapping[str, float]:
    """Verifiers whose predicted time comes while the drill may still watch; and until when, in seconds."""
    return {
        name: each.seconds + each.waits
        for name, each in run.expected.items()
        if each.seconds is not None and each.seconds <= _reach(run)
    }


def _reach(run: Running) -> float:
    """Seconds from the clock's start in which something can be seen: of the old token there is no other by then."""
    longest = run.plan.longest
    if run.old is None or run.clock is None or run.plan.scenario.measures is Measure.ACCEPT:
        return longest
    return min(longest, max(0.0, run.old.expires - TOKEN_SPARE - run.clock))


def _never(run: Running) -> float:
    """How long is watched what is predicted never to happen, or not in time, where that decides about the verdict."""
    judged = run.plan.scenario.judge is Judge.AS_PREDICTED and run.plan.scenario.measures is not Measure.ACCEPT
    return min(_A_WHILE, _reach(run)) if judged and len(_in_reach(run)) < len(run.expected) else 0.0


def adoption(foreseen: Iterable[Prediction]) -> float:
    """The safe lead in seconds: what the slowest of these verifiers needs, but for those that never adopt a key."""
    leads = (needed_lead(prediction).seconds for prediction in foreseen)
    return max((lead for lead in leads if lead is not None), default=0.0)


def predictions(run: Running) -> tuple[Prediction, ...]:
    """What the verifiers that matter do with a key set as it is now: real services are not shortened with the canaries."""
    now, plan = _seen(run, None), run.plan
    return tuple(predict(row, now) for row in (run.rows if plan.forgets_at_once else plan.rows))


def _seen(run: Running, move: Move | None) -> Observed:
    """What is known of the key set just before a move, and what the move will make of its endpoint."""
    outage, seconds = failing(move)
    return Observed(
        max_age=run.plan.outside.observe().max_age,
        fetch_seconds=seconds,
        outage=outage or Outage.DEAD,
        unknown_kids=Generation.NEW in run.plan.scenario.polls,
    )


def failing(move: Move | None) -> tuple[Outage | None, float]:
    """How the endpoint fails after the move, and how many seconds a fetch takes then."""
    if move is None or move.action is not Action.JWKS:
        return None, 0.0
    outage, seconds = _KINDS.get(move.params["kind"], (Outage.DEAD, 0.0))
    return outage, float(move.params.get("seconds", seconds))


def _expectation(run: Running, row: Verifier, warmed: float, move: Move, measure: Measure, now: Observed) -> Expected:
    """`warmed`: how many seconds before the clock started it fetched for the last time."""
    plan = run.plan
    if run.announced is not None and measure is Measure.ACCEPT:
        lead = needed_lead(predict(row, now))
        if lead.seconds is not None and time.time() - run.announced >= lead.seconds:
            return Expected(0.0, "it has had the time to fetch the key since that was announced")
    outage, seconds = failing(move)
    scene = Scene(
        measure=measure,
        warmed=warmed,
        polls=plan.scenario.polls,
        poll=plan.poll,
        window=plan.longest,
        max_age=now.max_age,
        outage=outage if measure is Measure.OUTAGE else None,
        fetch_seconds=seconds,
    )
    return expect(row, scene)


def _write_prediction(run: Running, now: Observed, expected: Mapping[str, Expected]) -> None:
    rows = []
    for subject in run.subjects:
        row, bounds = subject.row, predict(subject.row, now)
        foreseen = expected.get(row.name)
        rows.append(
            {
                "row": ROW.dump_python(row, mode="json", by_alias=True),
                "version": subject.version,
                "kind": subject.kind,
                "language": subject.language,
                "bounds": {
                    measure: getattr(bounds, measure).seconds
                    for measure in Measure
                },
                "whys": {measure: getattr(bounds, measure).why for measure in Measure},
                "expected": foreseen.seconds if foreseen else None,
                "why": foreseen.why if foreseen else "",
                "known": foreseen.known if foreseen else True,
            }
        )  # fmt: skip
    run.plan.journal.write(Entry.PREDICTED, verifiers=rows)
