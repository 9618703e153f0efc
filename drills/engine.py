"""Runs a drill from preflight to report, and rolls back whatever happens on the way."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

from drills.assemble import record_of
from drills.journal import Entry, read_log
from drills.moving import foresee, move_and_observe
from drills.outside import signs_with_published_key
from drills.plan import Plan
from drills.preflight import preflight
from drills.progress import Tell
from drills.record import Phase, Record
from drills.recovery import NotRestored, ended, free_agents, recover
from drills.running import Running
from drills.watch import watching

_PAUSE = 1.0  # seconds between two looks at a provider that is to be as before


def run_drill(plan: Plan, tell: Tell, stop: threading.Event) -> Record:
    """One drill; its journal is closed in the end.

    `tell` hears of it about once a second, from this thread. Setting `stop` ends the drill as soon as it can be rolled
    back: the record then says `aborted`. Raises NotReady when the preflight fails, and NotRestored when the provider
    could not be brought back, which `oidcwatch drill abort` tries again.
    """
    run = Running(plan, tell, stop)
    try:
        return _run(run)
    finally:
        plan.journal.close()


def _run(run: Running) -> Record:
    plan = run.plan
    _open(run)
    with ExitStack() as parts:
        watch = parts.enter_context(
            watching(
                plan.target.issuer,
                plan.target.client,
                http=plan.http,
                secrets=plan.secrets,
                every=plan.watch,
                tell=run.sighted,
            )
        )
        run.watch = watch
        run.enter(Phase.PREFLIGHT)
        try:
            preflight(run, parts, watch)
        except BaseException as error:
            free_agents(plan.journal, plan.tell_agents)
            plan.journal.write(Entry.ENDED, ending=f"it was not begun: {ended(error)}")
            raise
        _drill(run, parts)
    run.enter(Phase.REPORT)
    plan.journal.write(Entry.ENDED, ending=run.ending)
    return record_of(read_log(plan.journal.folder), plan.scenario)


def _drill(run: Running, parts: ExitStack) -> None:
    """From the prediction to the recovery. The verifiers are asked all the time, also while the provider recovers."""
    plan = run.plan
    try:
        foresee(run)
        if run.fleet is not None:
            parts.enter_context(run.fleet.polling(run.tokens, plan.poll, run.sink))
        if run.before is not None:
            move_and_observe(run, run.before)
    except BaseException as error:
        run.ending = ended(error)
        if not isinstance(error, Exception):
            raise
    finally:
        try:
            recover(run)
            _stays_restored(run)
        finally:
            free_agents(plan.journal, plan.tell_agents)


def _stays_restored(run: Running) -> None:
    """Another drill, of another machine, or a person may have rotated since the rollback. Raises NotRestored."""
    journal, deadline = run.plan.journal, time.monotonic() + run.plan.patience
    if not run.old_kid or read_log(journal.folder).last(Entry.RESTORED) is None:
        return
    while True:
        try:
            well, said = signs_with_published_key(run.plan.outside, run.old_kid)
        except Exception as error:  # noqa: BLE001 - the provider may be in any state
            well, said = False, ended(error)
        if well:
            return
        if time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE)
    journal.write(Entry.RESTORING)
    raise NotRestored(
        f"the provider was brought back, but is not as it was before: {said}. Somebody else may have rotated meanwhile; "
        f"if not: oidcwatch drill abort {journal.id}"
    )


def _open(run: Running) -> None:
    plan, target = run.plan, run.plan.target
    plan.journal.write(
        Entry.OPENED,
        scenario=plan.scenario.name,
        issuer=target.issuer.name,
        url=target.issuer.url,
        provider=plan.driver.name,
        keeps=plan.scenario.keeps,
        poll=plan.poll,
        longest=plan.longest,
        longest_life=target.issuer.policy.max_token_lifetime,
        alerts_looked=plan.alerts is not None,
        agents=bool(target.agents),
        alertmanager=bool(target.alertmanager),
        call=dict(plan.call),
    )
