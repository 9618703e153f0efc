"""Puts the runbooks to work on this machine: the pages of the configuration, and their checks on the real issuer."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from alerts.catalogue import groups_of
from alerts.deployment import Deployment
from oidcwatch.config import Loaded
from oidcwatch.generation import deployment_of
from oidcwatch.once import chosen, run_jobs
from oidcwatch.schedule import Job
from oidcwatch.settings import Settings
from probes.http import make_http
from probes.model import ProbeResult
from probes.probe import Clock, utc_now
from probes.redact import Redactor
from probes.subjects import Issuer, Region
from runbooks.diagnosis import diagnose
from runbooks.facts import Subject, subjects_of
from runbooks.prometheus import instant
from runbooks.running import Query, Scene, Told, evidence_of, run_checks
from runbooks.sections import checks_of
from runbooks.summary import Summary

_AT_ONCE = 8  # runs side by side, as oidcwatch.once has it
_START_SECONDS = 60.0  # for the browser, and for what a run does after its deadline


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked for, found in the configuration."""

    subject: Subject
    settings: Settings
    issuer: Issuer
    target: str
    regions: tuple[Region, ...]
    prometheus: str
    """Base URL; empty for probes alone."""


def subjects(loaded: Loaded) -> tuple[Subject, ...]:
    """Every alert of this configuration, in the order of the catalogue."""
    deployment: Deployment = deployment_of(loaded)
    return tuple(subjects_of(deployment, groups_of(deployment)))


def subject_of(loaded: Loaded, alert: str) -> Subject:
    """The alert of that name. Raises LookupError with names that come close."""
    known = subjects(loaded)
    for subject in known:
        if subject.alert.name == alert:
            return subject
    close = [each.alert.name for each in known if alert.lower() in each.alert.name.lower()]
    raise LookupError(f"there is no alert {alert!r}; {_offered(close, known)}")


def call_of(
    loaded: Loaded, alert: str, issuer: str, target: str = "", region: str = "", prometheus: str | None = None
) -> Call:
    """Finds what is named. Raises LookupError that says what there is instead."""
    settings, subject = loaded.settings, subject_of(loaded, alert)
    found = next((each for each in settings.issuers if each.name == issuer), None)
    if found is None:
        raise LookupError(f"there is no issuer {issuer!r}; there are: {_names(each.name for each in settings.issuers)}")
    if target and target not in {client.name for client in found.clients}:
        raise LookupError(f"{issuer} has no client {target!r}; it has: {_names(each.name for each in found.clients)}")
    regions = tuple(each for each in settings.regions if not region or each.name == region)
    if not regions:
        here = _names(each.name for each in settings.regions)
        raise LookupError(f"there is no region {region!r} on this machine; there are: {here}")
    return Call(subject, settings, found, target, regions, prometheus or settings.alerting.prometheus_url)


async def run_page(call: Call, redact: Redactor, told: Told, clock: Clock = utc_now) -> Summary:
    """Runs the page's checks and names the cause. Raises OSError when the issuer's authorities cannot be read."""
    begun = time.perf_counter()
    clients = {region.name: make_http(call.issuer.ca_file, region.proxy, clock) for region in call.regions}
    jobs = _jobs(call, ())
    scene = Scene(
        issuer=call.issuer,
        regions=call.regions,
        http=lambda region: clients[region.name],
        probe=lambda kinds: _run(call, kinds, redact),
        probe_seconds=_limit(jobs),
        target=call.target,
        query=_query(call.prometheus),
        clock=clock,
    )
    outcomes = await run_checks(checks_of(call.subject), scene, told)
    alert = call.subject.alert
    return Summary(
        alert=alert,
        issuer=call.issuer,
        target=call.target,
        alerting=call.settings.alerting,
        verdict=diagnose(evidence_of(outcomes), alert.reasons),
        outcomes=tuple(outcomes),
        finished=clock(),
        seconds=time.perf_counter() - begun,
        with_prometheus=bool(call.prometheus),
    )


def _query(base: str) -> Query | None:
    return partial(instant, make_http(), base) if base else None


async def _run(call: Call, kinds: tuple[str, ...], redact: Redactor) -> Sequence[ProbeResult]:
    """The checks as they are configured, except that one failure is enough: nothing is confirmed away here."""
    jobs = [(replace(check, confirm=False), region) for check, region in _jobs(call, kinds)]
    return await run_jobs(call.settings, jobs, redact)


def _jobs(call: Call, kinds: tuple[str, ...]) -> list[Job]:
    names = [region.name for region in call.regions]
    return [
        (check, region)
        for check, region in chosen(call.settings, (), names)
        if check.issuer.name == call.issuer.name
        and (not call.target or check.target in ("", call.target))
        and (not kinds or check.probe in kinds)
    ]


def _limit(jobs: Sequence[Job]) -> float:
    """Seconds that all runs together may take."""
    longest = max((check.timeout for check, _ in jobs), default=0.0)
    return _START_SECONDS + math.ceil(len(jobs) / _AT_ONCE) * longest


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _offered(close: Sequence[str], known: Sequence[Subject]) -> str:
    if close:
        return f"did you mean {', '.join(close[:5])}?"
    return f"`oidcwatch runbook list` has all {len(known)}"
