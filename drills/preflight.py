"""The first phase: may this drill start, and could everything that it does be undone? It changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import asdict

from drills.claim import claimed
from drills.driver import DriverFailed, Ready
from drills.drivers.path import PATH_ACTIONS
from drills.fleet import start_fleet
from drills.journal import DrillOpen, Entry, is_running, unfinished_in
from drills.moving import SETTLE, adoption, predictions, shown_by_old_tokens
from drills.outside import signs_with_published_key
from drills.plan import NotReady
from drills.prediction import Prediction
from drills.prediction_rotation import needed_lead
from drills.record import Checked, EventKind
from drills.running import Running
from drills.scenario import Action, Hold, Judge
from drills.target import Command, KeycloakAdmin, Provider, SandboxControl
from drills.token import TOKEN_SPARE
from drills.watch import Watch
from probes.classify import classify

_SOON = 30.0  # seconds that a token must live beyond the preflight to be of any use
_CALM = 300.0  # seconds that alerts of an earlier drill are waited for: most of them look at five minutes


def preflight(run: Running, parts: ExitStack, watch: Watch) -> None:
    """Starts the verifiers, which end with `parts`. Raises NotReady with everything that was looked at."""
    checks = [*_provider(run), *_others(run, parts)]
    if all(check.ok for check in checks):
        checks += [*_tokens(run), *_verifiers(run, parts), *_life(run), *_lead(run), *_probes(watch), *_users(run)]
    if all(check.ok for check in checks):
        checks += [*_earlier_alerts(run), *_agents(run)]
    run.plan.journal.write(Entry.CHECKED, checks=[asdict(check) for check in checks])
    if not all(check.ok for check in checks):
        raise NotReady(tuple(checks))


def _provider(run: Running) -> Iterator[Checked]:
    plan = run.plan
    cannot = sorted(plan.scenario.actions - plan.driver.can)
    text = f"{plan.driver.name} can do all moves" if not cannot else f"{plan.driver.name} cannot do {', '.join(cannot)}"
    yield Checked("moves", not cannot, f"{text}{_what_would_help(plan.target.provider, cannot)}")
    yield from (_checked(ready) for ready in _tried("driver", plan.driver.ready))
    yield from (_checked(ready) for ready in _tried("signing key", lambda: (_signing(run),)))


def _what_would_help(provider: Provider, cannot: Collection[Action]) -> str:
    behind = [action for action in cannot if action in PATH_ACTIONS]
    match provider:
        case SandboxControl(fault_control="") | KeycloakAdmin(fault_control="") if behind:
            return f"; a fault proxy in front of it does {', '.join(behind)}: set drill.provider.fault_control"
        case Command() if cannot:
            return "; what the command knows is in drill.provider.can"
    return ""


def _signing(run: Running) -> Ready:
    ok, text = signs_with_published_key(run.plan.outside)
    return Ready("signing key", ok, text)


def _others(run: Running, parts: ExitStack) -> tuple[Checked, ...]:
    """One drill at a time on one issuer: two would undo each other's moves. It is held until `parts` end."""
    plan, here = run.plan, tuple(_open_here(run))
    if here:
        return here
    try:
        parts.enter_context(claimed(plan.target.issuer.url, plan.journal.folder, plan.environ))
    except DrillOpen as error:
        return (Checked("other drills", False, str(error)),)
    return ()


def _open_here(run: Running) -> Iterator[Checked]:
    """Those in the same folder; one that was cut short holds nothing."""
    journal = run.plan.journal
    for log in unfinished_in(journal.folder.parent):
        if log.id == journal.id or log.opened.get("url") != run.plan.target.issuer.url:
            continue
        if is_running(journal.folder.parent / log.id):
            yield Checked("other drills", False, f"{log.id} is running on this issuer")
        elif log.touched or log.agents_told:
            yield Checked("other drills", False, f"{log.id} was cut short: oidcwatch drill abort {log.id}")


def _tokens(run: Running) -> Iterator[Checked]:
    try:
        run.old = run.mint()
    except Exception as error:  # noqa: BLE001 - whatever a provider provokes is told by its reason
        yield Checked("token", False, classify(error).told)
        return
    left = run.old.expires - time.time()
    yield Checked("token", left > _SOON, f"tokens live for {left:.0f} s; over {_SOON:.0f} s are needed")
    if any(move.hold is Hold.OVERLAP for move in run.plan.scenario.moves):
        longest = run.plan.longest
        text = f"the old key stays until its tokens have expired, after {left:.0f} s; {longest:.0f} s are allowed"
        yield Checked("overlap", left <= longest, text if left <= longest else f"{text}: a longer --longest")


def _verifiers(run: Running, parts: ExitStack) -> Iterator[Checked]:
    """Every verifier starts, and accepts the token that the provider issues now: else its refusals would say nothing."""
    plan = run.plan
    if run.old is None:
        return
    run.fleet = parts.enter_context(
        start_fleet(
            plan.rows,
            issuer=plan.target.issuer.url,
            jwks_uri=plan.outside.jwks_uri,
            audience=plan.target.client.audience,
            environ=plan.environ,
            ca_file=plan.ca_file,
            shorten=plan.shorten,
            emulate=plan.emulate,
            stand_in=plan.stand_in,
            say=lambda text: None,
        )
    )
    for note in run.fleet.notes:
        yield Checked("verifiers", True, note)
    for name, verdict in run.fleet.warm(run.old.value).items():
        text = "accepts the present token" if verdict.ok else f"refuses the present token: {verdict.error}"
        yield Checked(name, verdict.ok, text)


def _life(run: Running) -> Iterator[Checked]:
    """While another key signs there is no new token of the old one: what takes longer than one lives is not seen."""
    plan = run.plan
    if run.fleet is None or plan.scenario.judge is not Judge.AS_PREDICTED:
        return
    seen_for = run.life - TOKEN_SPARE - SETTLE * plan.poll
    expected = shown_by_old_tokens(run)
    needs = {name: each.seconds + each.waits for name, each in expected.items() if each.seconds is not None}
    cut = [f"{name} ({need:.0f} s)" for name, need in needs.items() if seen_for < need <= plan.longest]
    if cut:
        unseen = sum(need > min(seen_for, plan.longest) for need in needs.values())
        text = f"tokens live for {run.life:.0f} s, which is too short to see what is predicted of {', '.join(cut)}"
        text = f"{text}: let them live longer, or shorten its times (--ttl, --cooldown)"
        yield Checked("token's life", unseen < len(expected), text)


def _lead(run: Running) -> Iterator[Checked]:
    """A key is to be announced for as long as the slowest verifier needs, or the rotation is no routine one."""
    if run.fleet is None or not any(move.hold is Hold.ADOPTED for move in run.plan.scenario.moves):
        return
    foreseen = predictions(run)
    never = [prediction.verifier.name for prediction in foreseen if _never_adopts(prediction)]
    if never:
        yield Checked(
            "lead", False, f"no lead is long enough for {', '.join(never)}: restart them when it is announced"
        )
    lead, longest = adoption(foreseen), run.plan.longest
    text = f"the key is announced for {lead:.0f} s before it signs; {longest:.0f} s are allowed"
    yield Checked("lead", lead <= longest, text if lead <= longest else f"{text}: a longer --longest")


def _never_adopts(prediction: Prediction) -> bool:
    lead = needed_lead(prediction)
    return lead.seconds is None and lead.known


def _probes(watch: Watch) -> Iterator[Checked]:
    for sighting in watch.prime():
        text = "is well" if sighting.well else f"{sighting.reason} at {sighting.stage}"
        yield Checked(f"probe {sighting.by}", sighting.well, text)


def _users(run: Running) -> tuple[Checked, ...]:
    """Budgets, abort rules and pages, where Prometheus watches."""
    plan = run.plan
    return tuple(_checked(ready) for ready in (plan.guard.budget() if plan.guard else ()))


def _earlier_alerts(run: Running) -> Iterator[Checked]:
    """What still fires from an earlier drill would be taken for what this one does: its end is waited for."""
    expected, patience = run.plan.scenario.alerts, min(_CALM, run.plan.longest)
    run.look()
    if not expected & run.firing_before:
        return
    names = ", ".join(sorted(expected & run.firing_before))
    run.event(EventKind.NOTE, f"{names} fires from before: the end of that is waited for, {patience:.0f} s at most")
    run.say()
    run.wait(patience, lambda: run.stop.is_set() or not expected & run.firing_before, abortable=False)
    left = ", ".join(sorted(expected & run.firing_before))
    text = f"{left} still fires from before, and is not judged" if left else "are quiet"
    yield Checked("expected alerts", True, text)


def _agents(run: Running) -> tuple[Checked, ...]:
    """Told last: what agents see from now on is the drill's."""
    run.plan.journal.write(Entry.AGENTS_TOLD)
    told = run.plan.tell_agents(True)
    run.plan.journal.write(Entry.AGENTS_TOLD, agents=[ready.name for ready in told if ready.ok])
    return tuple(_checked(ready) for ready in told)


def _tried(name: str, look: Callable[[], tuple[Ready, ...]]) -> tuple[Ready, ...]:
    try:
        return look()
    except DriverFailed as error:
        return (Ready(name, False, str(error)),)
    except Exception as error:  # noqa: BLE001 - whatever a provider provokes is told by its reason
        return (Ready(name, False, classify(error).told),)


def _checked(ready: Ready) -> Checked:
    return Checked(ready.name, ready.ok, ready.text)
