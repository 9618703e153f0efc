"""The product's own probes, run all the while during a drill: what they see of it, and when."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from probes.client_credentials import ClientCredentialsProbe
from probes.discovery import DiscoveryProbe
from probes.http import Http
from probes.jwks import JwksProbe
from probes.memory import Memory
from probes.model import Check, ProbeResult, Reason, Severity, Stage
from probes.probe import Probe, utc_now
from probes.reasons import REASONS, Owner
from probes.redact import Redactor
from probes.registry import PROBES
from probes.run import run_once
from probes.secrets import Secrets
from probes.subjects import Client, Issuer
from sandbox.loopthread import LoopThread, loop_thread

log = logging.getLogger(__name__)
_REGION = "drill"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One reason for which a probe fails or warns; or, `well`, that it does so for none any more.

    It has no text: what a provider says stays out of journal and report.
    """

    at: datetime
    """Aware UTC: when the run began."""
    reason: str
    """Empty when all is well."""
    stage: str
    owner: Owner
    findings: tuple[str, ...]
    """Ids of the checks that found it."""
    by: str
    """The kind of probe."""
    well: bool


Wrong = Mapping[Reason, frozenset[str]]
"""What is wrong by its reason, with the ids of the checks that say so."""


@dataclass(slots=True)
class Watch:
    """Runs probes that share a memory of their own, in the thread of `loop`."""

    loop: LoopThread
    probes: tuple[tuple[Check, Probe], ...]
    every: float
    """Seconds from one run of a probe to its next, on average."""
    tell: Callable[[Sighting], None] = field(repr=False)
    _redact: Redactor = field(default_factory=Redactor)
    _usual: dict[str, frozenset[str]] = field(default_factory=dict)
    """Ids of the checks that warned before the drill, by kind of probe: it did not cause that."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _latest: dict[str, datetime] = field(default_factory=dict)
    """When the latest run began that has ended, by kind of probe."""

    def all_ran_since(self, moment: float) -> bool:
        """Whether each probe has ended a run that began after this POSIX time."""
        return all(
            check.probe in self._latest and self._latest[check.probe].timestamp() >= moment for check, _ in self.probes
        )

    def prime(self) -> tuple[Sighting, ...]:
        """Runs each probe once, says of each whether it is well, and from then on tells what changes."""
        return self.loop.run(self._prime())

    async def _prime(self) -> tuple[Sighting, ...]:
        results = [await self._run(check, probe) for check, probe in self.probes]
        self._usual.update({result.check.probe: _warned_in(result) for result in results})
        self._tasks += [asyncio.create_task(self._follow(check, probe)) for check, probe in self.probes]
        return tuple(_sighting(result, result.failure.reason if result.failure else None) for result in results)

    async def _follow(self, check: Check, probe: Probe) -> None:
        """Tells each reason when a run shows it first, or shows more of it, and when all is as it was before."""
        known: Wrong = {}
        while True:
            # Not in step with each other: of two edges in turn each probe would ask the same one every time.
            seconds = self.every * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
            pause = asyncio.create_task(asyncio.sleep(seconds))
            result = await self._run(check, probe)
            wrong = wrong_in(result, self._usual[check.probe])
            for reason, ids in wrong.items():
                if reason not in known or ids - known[reason]:
                    self._told(_sighting(result, reason, ids))
            if known and not wrong:
                self._told(_sighting(result, None))
            known = wrong
            self._latest[check.probe] = result.started_at
            await pause

    async def _run(self, check: Check, probe: Probe) -> ProbeResult:
        return await run_once(probe, check, _REGION, self._redact)

    def _told(self, sighting: Sighting) -> None:
        try:
            self.tell(sighting)
        except Exception:
            log.exception("nobody could be told of %s", sighting.reason or "a recovery")


@contextlib.contextmanager
def watching(
    issuer: Issuer,
    client: Client,
    *,
    http: Http,
    secrets: Secrets,
    every: float,
    tell: Callable[[Sighting], None],
) -> Iterator[Watch]:
    """Probes of discovery, key set and client credentials, once they are primed, until the block ends.

    `tell` is called from their thread.
    """
    memory = Memory()
    # In this order: the key set is known before the token that it verifies, as a ledger of keys needs it.
    probes: tuple[tuple[Check, Probe], ...] = (
        (_check(issuer, "discovery", every), DiscoveryProbe(http, memory, _REGION, utc_now)),
        (_check(issuer, "jwks", every), JwksProbe(http, memory, _REGION, utc_now)),
        (
            _check(issuer, "client_credentials", every, client),
            ClientCredentialsProbe(http, secrets, memory, utc_now),
        ),
    )
    with loop_thread("watch") as loop:
        yield Watch(loop, probes, every, tell)


def wrong_in(result: ProbeResult, usual: frozenset[str] = frozenset()) -> Wrong:
    """Reasons of the failure and of all that it found, from warning on; but for warnings that are usual."""
    wrong: dict[Reason, frozenset[str]] = {}
    if result.failure is not None:
        wrong[result.failure.reason] = frozenset()
    for finding in result.findings:
        warned = finding.severity is Severity.WARNING and finding.check_id not in usual
        if warned or finding.severity is Severity.FAILURE:
            wrong[finding.reason] = wrong.get(finding.reason, frozenset()) | {finding.check_id}
    return wrong


def _warned_in(result: ProbeResult) -> frozenset[str]:
    return frozenset(finding.check_id for finding in result.findings if finding.severity is Severity.WARNING)


def _sighting(result: ProbeResult, reason: Reason | None, ids: frozenset[str] = frozenset()) -> Sighting:
    stage = result.failure.stage if result.failure else result.steps[-1].name if result.steps else Stage.PROBE
    owner = REASONS[reason].owner if reason else Owner.IDENTITY_PROVIDER
    return Sighting(
        at=result.started_at,
        reason=reason or "",
        stage=stage,
        owner=owner,
        findings=tuple(sorted(ids)),
        by=result.check.probe,
        well=reason is None,
    )


def _check(issuer: Issuer, kind: str, every: float, client: Client | None = None) -> Check:
    return Check(issuer, kind, client, interval=every, timeout=PROBES[kind].timeout)
