"""Settles drills that were cut short: the provider is as before, agents count real runs again, the report is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from drills.assemble import record_of
from drills.claim import claimed
from drills.drivers.choice import driver_for
from drills.journal import DrillOpen, Entry, Journal, Log, is_running, read_log, unfinished_in
from drills.outside import Outside
from drills.recovery import Leftover, NotRestored, clean_due, settle, was_restored
from drills.report.words import day_and_time
from drills.report.writing import PAGE
from drills.target import Target
from oidcwatch.drill_agents import Agents
from oidcwatch.drill_call import CallError, DrillCall, call_from_json, scenario_named
from oidcwatch.drill_live import Show
from oidcwatch.drill_places import aimed, issuer_place
from oidcwatch.drill_plan import METADATA, learning
from oidcwatch.drill_result import Ending
from oidcwatch.drill_session import Ended, Session
from probes.classify import classify
from probes.http import make_http
from probes.metadata import Metadata
from sandbox.loopthread import loop_thread


def call_of(log: Log) -> DrillCall:
    """What the drill was asked to do. Raises CallError for a journal that says nothing of it."""
    try:
        return call_from_json({name: value for name, value in _called(log).items() if name != METADATA})
    except ValueError:
        raise CallError(f"the journal of {log.id} does not say what was asked for") from None


def settle_all(session: Session, show: Show) -> Iterator[str]:
    """Settles every drill of this session's folder and issuers that no process runs any more. Raises nothing.

    What somebody else may have done since a drill was rolled back is undone by people only.
    """
    for log in sorted(unfinished_in(session.root), key=urgency):
        if is_running(session.root / log.id):
            continue
        if log.touched and was_restored(log):
            yield f"{log.id}: somebody may have rotated since it was rolled back; if not: oidcwatch drill abort {log.id}"
        else:
            whole = log.last(Entry.ENDED) is not None and not log.touched
            ended = settle_one(session, log, show)
            yield f"{log.id}{'' if whole else ' was cut short'}: {ended.problem}"


def urgency(log: Log) -> tuple[bool, str]:
    """Sorts first what must be settled first: to clean up after one drill while another has left the provider broken
    could take the key away that the other is to bring back.
    """
    return not log.touched, log.id


def settle_one(session: Session, log: Log, show: Show) -> Ended:
    """`problem` says what became of it; code PASSED: the provider is as before. Raises nothing."""
    try:
        journal = Journal.take_over(session.root / log.id, session.redact)
    except (DrillOpen, OSError) as error:
        return Ended(Ending.NOT_RUN, problem=str(error))
    try:
        return _reported(session, _settled(session, journal, show))
    except DrillOpen as error:
        return Ended(Ending.NOT_RUN, problem=str(error))
    except (CallError, NotRestored) as error:
        return Ended(_code(journal), problem=session.redact(str(error)))
    except Exception as error:  # noqa: BLE001 - the provider may be in any state
        problem = session.redact(f"{classify(error).told}; repeat: oidcwatch drill abort {log.id}")
        return Ended(_code(journal), problem=problem)
    finally:
        journal.close()


def _code(journal: Journal) -> Ending:
    """Of a drill that could not be settled, as it is now: the provider may have been brought back before that."""
    try:
        touched = read_log(journal.folder).touched
    except (KeyError, TypeError, ValueError):
        touched = True
    return Ending.NOT_RESTORED if touched else Ending.NOT_RUN


def _settled(session: Session, journal: Journal, show: Show) -> Log:
    log = read_log(journal.folder)
    if not log.opened:
        journal.write(Entry.ENDED, ending="nothing had been changed")
        return read_log(journal.folder)
    call = call_of(log)
    if call.lab is not None:
        return _gone(journal, log)
    if session.settings is None:
        raise CallError(f"{log.id} changed {call.issuer}: name its configuration with -c {call.config}")
    place = issuer_place(call, session.settings, session.environ)
    target, secrets = aimed(place, call), learning(place, session.redact)
    _require_same(log, call, target)
    http, told = make_http(target.issuer.ca_file), _called(log)[METADATA]
    with ExitStack() as parts:
        parts.enter_context(claimed(target.issuer.url, journal.folder, session.environ))
        # Not discovered anew: discovery may be what the drill has broken.
        metadata = replace(Metadata(**told), id_token_algs=tuple(told["id_token_algs"]))
        loop = parts.enter_context(loop_thread("outside"))
        outside = Outside(target.issuer, target.client, http, secrets, metadata, loop)
        driver = driver_for(
            target,
            outside,
            place.environ,
            session.talk(show).ask,
            stopped=session.stop.is_set,
            insisted=session.stop.insisted,
            actions=scenario_named(call.scenario).actions,
        )
        tell = Agents(target, call.longest).tell
        return settle(Leftover(journal, driver, outside, tell, stopped=session.stop.is_set))


def _require_same(log: Log, call: DrillCall, target: Target) -> None:
    """Raises CallError where the configuration means another provider by the issuer's name than the drill did."""
    url = log.opened["url"]
    if url != target.issuer.url:
        raise CallError(
            f"nothing was done: {log.id} changed {url}, but by this configuration {call.issuer} is "
            f"{target.issuer.url}; name that of the drill: oidcwatch drill abort {log.id} -c {call.config}"
        )


def _gone(journal: Journal, log: Log) -> Log:
    """A lab ends with the process that ran the drill: there is nothing to bring back."""
    if log.touched:
        journal.write(Entry.RESTORED, seen="the provider has ended with the drill")
    if log.uncleaned:
        journal.write(Entry.CLEANED)
    if log.last(Entry.ENDED) is None:
        journal.write(Entry.ENDED, ending="the process that ran it has ended before its time")
    return read_log(journal.folder)


def _reported(session: Session, log: Log) -> Ended:
    if not log.opened:
        return Ended(Ending.PASSED, problem="nothing had been changed")
    record = record_of(log, scenario_named(call_of(log).scenario))
    report = session.root / log.id / PAGE
    if not report.exists():
        session.finished(record)
    if log.agents_told:
        problem = f"{_left(log)}; agents still count the drill's runs: {log.agents_left}"
        return Ended(Ending.NOT_RUN, record, report, f"{problem}; then repeat: oidcwatch drill abort {log.id}")
    return Ended(Ending.PASSED, record, report, _left(log))


def _left(log: Log) -> str:
    """How a settled drill has left the provider."""
    if log.opened.get("keeps") and log.last(Entry.MOVING) and log.last(Entry.RESTORED) is None:
        return "the provider stays rotated: it signs with a new key, and the old one is no longer published"
    due = clean_due(log)
    if due is None:
        return "the provider is as it was before"
    return (
        f"the provider signs with the key from before; the drill's own key stays published until {day_and_time(due)}, "
        f"when its last token has expired: then run oidcwatch drill abort {log.id}"
    )


def _called(log: Log) -> Mapping[str, Any]:
    called = log.opened.get("call")
    return called if isinstance(called, dict) else {}
