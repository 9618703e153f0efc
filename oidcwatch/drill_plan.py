"""Puts a drill together: the provider's driver, what is seen of it from outside, Prometheus, agents, the journal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType

from drills.alert_watch import AlertLook
from drills.drivers.choice import driver_for
from drills.guard import PrometheusGuard
from drills.journal import Entry, Journal
from drills.monitoring import monitoring
from drills.outside import look_from_outside
from drills.plan import Plan
from drills.record import EventKind
from drills.stop import Stop
from drills.target import Target
from oidcwatch.drill_agents import Agents
from oidcwatch.drill_brake import Brake
from oidcwatch.drill_call import DrillCall, call_to_json, rows_of, scenario_named
from oidcwatch.drill_places import Place, aimed
from probes.http import make_http
from probes.probe import Clock, utc_now
from probes.redact import Redactor
from probes.secrets import Secrets, secrets_from
from probes.subjects import SecretRef


@dataclass(frozen=True, slots=True)
class Talk:
    """How a drill speaks to people."""

    ask: Callable[[str], None]
    """Tells a person to do something."""
    note: Callable[[str], None]
    """Tells what goes on beside the drill."""
    redact: Redactor = field(repr=False)


@contextlib.contextmanager
def planned(
    call: DrillCall, place: Place, root: Path, talk: Talk, stop: Stop, clock: Clock = utc_now
) -> Iterator[Plan]:
    """The plan, and what it needs for the length of the block. Its folder is made below `root`; nothing is changed yet.

    `stop` also ends what the driver waits for.

    Raises what probes raise when the provider does not answer, CallError for a verifier that is not there, OSError.
    """
    scenario, target = scenario_named(call.scenario), aimed(place, call)
    rows = rows_of(call, target.issuer.verifiers, place.table)
    http, secrets = make_http(target.issuer.ca_file), learning(place, talk.redact)
    with ExitStack() as parts:
        outside = parts.enter_context(look_from_outside(target.issuer, target.client, http, secrets))
        alerts, guard = _watchers(parts, target, talk)
        journal = Journal.create(root, scenario.name, clock(), talk.redact)
        brake = Brake(stop, guard, lambda reason: journal.write(Entry.EVENT, kind=EventKind.NOTE, text=reason))
        yield Plan(
            scenario=scenario,
            target=target,
            driver=driver_for(
                target,
                outside,
                place.environ,
                talk.ask,
                stopped=brake,
                insisted=stop.insisted,
                actions=scenario.actions,
            ),
            outside=outside,
            http=http,
            secrets=secrets,
            rows=rows,
            journal=journal,
            environ=place.environ,
            ca_file=target.issuer.ca_file,
            poll=call.poll,
            longest=call.longest,
            shorten=call.shorten,
            emulate=frozenset(call.emulate),
            stand_in=call.stand_in,
            alerts=alerts,
            guard=guard,
            tell_agents=Agents(target, call.longest).tell,
            call=MappingProxyType({**call_to_json(call), METADATA: asdict(outside.metadata)}),
            forgets_at_once=place.practice,
        )


METADATA = "metadata"
"""Key of the journalled call that has the endpoints: after a crash discovery may be what the drill has broken."""


def learning(place: Place, redact: Redactor) -> Secrets:
    """Reads secrets of this place; each is hidden in logs from then on."""
    redact.learn(place.secrets)
    read = secrets_from(place.environ)

    async def learned(ref: SecretRef) -> str:
        value = await read(ref)
        redact.learn((value,))
        return value

    return learned


def _watchers(parts: ExitStack, target: Target, talk: Talk) -> tuple[AlertLook | None, PrometheusGuard | None]:
    if not target.prometheus:
        return None, None
    ask = parts.enter_context(monitoring(target.prometheus, target.alertmanager))
    told = bool(target.agents)
    return (
        AlertLook(ask, target.issuer.name, told, talk.note),
        PrometheusGuard(ask, target.issuer.name, target.least_budget, target.aborts, told),
    )
