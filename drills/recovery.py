"""The last phases, and the way back after a crash: the provider signs with a published key, and nothing is left over."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from drills.driver import Driver, DriverFailed, GaveUp, Ready, Snapshot
from drills.journal import Entry, Journal, Log, read_log
from drills.outside import Outside, kid_of, signs_with_published_key
from drills.plan import NotReady
from drills.record import EventKind, Phase
from drills.running import Ended, Running
from drills.scenario import Generation
from probes.classify import classify

_log = logging.getLogger(__name__)
_PATIENCE = 60.0  # seconds that verifiers are waited for after a rollback, beyond what is predicted
_TRIES, _PAUSE = 5, 2.0
_BRIEF = 30.0  # seconds that a drill waits to remove its key; where tokens live longer, that is done by `settle`


class NotRestored(RuntimeError):
    """The provider could not be brought back; the message says what to do by hand."""


def recover(run: Running) -> None:
    """The phase `recover`: undo what is to be undone, and see every verifier well again. Raises NotRestored."""
    plan = run.plan
    if run.before is None or not run.moved:
        return
    with _whatever_happens_to_words():
        run.enter(Phase.RECOVER)
    keeps = plan.scenario.keeps and not run.ending
    if keeps:
        keeps = _lasts(run)
    if not keeps:
        _undo(Leftover(plan.journal, plan.driver, plan.outside), run.before, run.old_kid)
        run.event(EventKind.MOVE, f"rolled back: {_how(read_log(plan.journal.folder))}")
        _heal(run)
        run.restored = True
        if Generation.OLD in plan.scenario.polls:
            run.renew_old()
        if not run.stop.is_set():
            run.wait(_patience(run), lambda: _well(run), abortable=False)
    _clean(run, keep_new=keeps)


def _how(log: Log) -> str:
    """In what way the provider was brought back."""
    if log.uncleaned:
        return "the key from before signs again; the drill's own is still published"
    return "the provider is as it was before"


def _heal(run: Running) -> None:
    run.healed = run.mark(EventKind.NOTE, "the fault is over", "healed")
    if Generation.NEW in run.plan.scenario.polls:
        run.renew()


def _lasts(run: Running) -> bool:
    """Whether a rotation that is to stay does no harm until every verifier is well. One that does is undone."""
    try:
        _heal(run)
        run.wait(_patience(run), lambda: _well(run))
    except Ended as error:
        run.ending = str(error)
        return False
    return True


@contextlib.contextmanager
def _whatever_happens_to_words() -> Iterator[None]:
    """A full disk or a terminal that has gone away must not keep a provider from being brought back."""
    try:
        yield
    except (OSError, SystemExit) as error:
        _log.error("the rollback could not be announced: %s", error)


def free_agents(journal: Journal, tell_agents: Callable[[bool], tuple[Ready, ...]]) -> None:
    """Agents that took the drill count the issuer's runs as real ones again.

    One that cannot be told ends the drill by itself, hours later; `settle` tells it again.
    """
    log = read_log(journal.folder)
    if not log.agents_told:
        return
    told = tell_agents(False)
    missed = [ready for ready in told if not ready.ok and log.took(ready.name)]
    left = [f"{ready.name}: {ready.text}" for ready in missed]
    if left:
        journal.write(Entry.AGENTS_TOLD, agents=[ready.name for ready in missed], left=left)
        journal.write(Entry.EVENT, kind=EventKind.NOTE, text=f"agents still count the drill's runs: {'; '.join(left)}")
    else:
        journal.write(Entry.AGENTS_FREED, agents=[f"{ready.name}: {ready.text}" for ready in told])


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a drill that was cut short needs to be settled."""

    journal: Journal
    driver: Driver
    outside: Outside
    tell_agents: Callable[[bool], tuple[Ready, ...]] = lambda on: ()
    forgets_at_once: bool = False
    stopped: Callable[[], bool] = lambda: False
    """Whether a rollback that has failed is not to be tried again now."""


def settle(left: Leftover) -> Log:
    """After a crash: brings the provider back, frees the agents, removes the drill's keys when nobody needs them.

    May be called again. Raises NotRestored, and what the provider provokes.
    """
    log = read_log(left.journal.folder)
    keeps = bool(log.opened.get("keeps")) and log.last(Entry.RESTORING) is None and _came_to_an_end(log)
    if log.touched and log.before is not None and not keeps:
        _undo(left, log.before, _kid_before(log))
        log = read_log(left.journal.folder)
    free_agents(left.journal, left.tell_agents)
    if log.uncleaned and log.before is not None and (keeps or left.forgets_at_once or time.time() >= _due(log)):
        remove_leftovers(left, log, log.before, keep_new=keeps)
    if log.last(Entry.ENDED) is None:
        because = "" if _came_to_an_end(log) else "the process that ran it has ended before its time"
        left.journal.write(Entry.ENDED, ending=because)
    return read_log(left.journal.folder)


def remove_leftovers(left: Leftover, log: Log, before: Snapshot, *, keep_new: bool) -> None:
    """Cleans, but never the key that signs: that may be another than before by now, but none that the drill has made.

    Raises NotRestored, DriverFailed.
    """
    signs = kid_of(left.outside.mint())
    well, said = signs_with_published_key(left.outside, signs)
    if not well:
        raise NotRestored(f"nothing was removed: {said}")
    if not keep_new and _is_drills(log, signs):
        raise NotRestored(f"nothing was removed: {said}, and that may be the drill's own key")
    noted = log.last(Entry.ADDED)
    left.driver.clean(before, keep_new=keep_new, added=noted.said["kids"] if noted else ())
    well, said = signs_with_published_key(left.outside, signs)
    if not well:
        raise NotRestored(f"after the drill's leftovers were removed {said}")
    left.journal.write(Entry.CLEANED)


def _is_drills(log: Log, kid: str) -> bool:
    """Whether a key is one that the drill has made. As long as nobody knows, every other than that of before may be."""
    added = log.last(Entry.ADDED)
    return kid in added.said["kids"] if added else kid != _kid_before(log) != ""


def _note_added(left: Leftover) -> None:
    """Writes down which keys the drill has published: by the time that they are removed there may be others as well."""
    snapshot = read_log(left.journal.folder).last(Entry.SNAPSHOT)
    if snapshot is None or "published" not in snapshot.said:
        return
    try:
        left.journal.write(Entry.ADDED, kids=sorted(set(left.outside.kids()) - set(snapshot.said["published"])))
    except Exception as error:  # noqa: BLE001 - the provider is as before, which is what matters
        _log.warning("the drill's own keys could not be written down: %s", ended(error))


def _kid_before(log: Log) -> str:
    line = log.last(Entry.SNAPSHOT)
    return str(line.said.get("kid", "")) if line else ""


def was_restored(log: Log) -> bool:
    """Whether the drill's moves had been undone, and were seen to be: who has rotated since then may be somebody else."""
    moved, restored = log.last(Entry.MOVING), log.last(Entry.RESTORED)
    return moved is not None and restored is not None and restored.at > moved.at


def clean_due(log: Log) -> datetime | None:
    """From when `settle` removes the drill's keys, as aware UTC; None when they are gone, or there are none."""
    return datetime.fromtimestamp(_due(log), UTC) if log.uncleaned and log.last(Entry.RESTORED) else None


def _came_to_an_end(log: Log) -> bool:
    """Whether all was observed: the drill had begun to recover, and nothing had ended it."""
    recovering = any(line.said.get("phase") == Phase.RECOVER for line in log.all(Entry.PHASE))
    aborted = any(line.said.get("ending") for line in log.all(Entry.PHASE))
    return recovering and not aborted


def _undo(left: Leftover, before: Snapshot, kid: str) -> None:
    """Restores, and believes it only when a new token names the key from before, and the key set has it."""
    with _whatever_happens_to_words():
        left.journal.write(Entry.RESTORING)
    said = ""
    for attempt in range(_TRIES):
        if attempt and left.stopped():
            break
        if attempt:
            time.sleep(_PAUSE)
        try:
            left.driver.restore(before)
            well, said = signs_with_published_key(left.outside, kid)
        except GaveUp as error:
            said = str(error)
            break
        except Exception as error:  # noqa: BLE001 - the provider may be in any state
            well, said = False, ended(error)
        if well:
            with _whatever_happens_to_words():
                left.journal.write(Entry.RESTORED, seen=said)
            _note_added(left)
            return
    raise NotRestored(
        f"the provider is not as it was before: {said}. Make it sign with a published key, or repeat: "
        f"oidcwatch drill abort {left.journal.id}"
    )


def _well(run: Running) -> bool:
    """Whether each verifier, asked after the recovery, has accepted everything that it is asked about."""
    wanted = set(run.tokens())
    if run.plan.scenario.keeps and not run.ending:
        wanted.discard(Generation.OLD)
    for subject in run.subjects:
        for generation in wanted:
            sample = run.newest.get((subject.row.name, generation))
            if sample is not None and not sample.answered:
                continue  # it has ended, and will not get well
            if sample is None or not sample.ok or sample.at < (run.healed or 0.0):
                return False
    return True


def _patience(run: Running) -> float:
    waits = (subject.row.cooldown for subject in run.subjects)
    longest = max((float(wait) for wait in waits if isinstance(wait, int | float)), default=0.0)
    return min(longest + _PATIENCE, run.plan.longest)


def _clean(run: Running, *, keep_new: bool) -> None:
    """The drill's keys leave when no token of theirs is valid any more; that may be after the drill."""
    plan, written = run.plan, read_log(run.plan.journal.folder)
    if run.before is None or not written.uncleaned:
        return
    if not keep_new and not plan.forgets_at_once:
        left = _due(written) - time.time()
        if left > _BRIEF or run.wait(max(0.0, left), run.stop.is_set, abortable=False):
            until = f"{datetime.fromtimestamp(_due(written), UTC):%Y-%m-%d %H:%M} UTC"
            run.event(EventKind.NOTE, f"the drill's key stays published until {until}, when its last token has expired")
            return
    leftover = Leftover(plan.journal, plan.driver, plan.outside)
    try:
        remove_leftovers(leftover, written, run.before, keep_new=keep_new)
    except NotRestored:
        raise
    except Exception as error:  # noqa: BLE001 - it is published without signing, and `settle` removes it later
        run.event(EventKind.NOTE, f"the drill's leftovers were not removed: {ended(error)}")
    else:
        whose = "the old" if keep_new else "the drill's"
        run.event(EventKind.MOVE, f"{whose} key has left the key set")


def _due(log: Log) -> float:
    """POSIX time at which no token of the drill's key is valid any more: other clients' may live longer than its own."""
    restored = log.last(Entry.RESTORED)
    lives = [float(line.said["life"]) for line in log.all(Entry.MOVING)]
    longest = max([*lives, float(log.opened.get("longest_life", 0.0))])
    return (restored.at.timestamp() if restored else time.time()) + longest


def ended(error: BaseException) -> str:
    """Why a drill was aborted, in a sentence."""
    if isinstance(error, Ended | DriverFailed | NotReady | NotRestored):
        return str(error)
    return classify(error).told if isinstance(error, Exception) else f"it was interrupted ({type(error).__name__})"
