"""Runs the checks of a page against one issuer and keeps what each of them saw. Changes nothing anywhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from exporters import metrics as m
from probes.classify import classify
from probes.http import Http
from probes.model import ProbeResult, Reason
from probes.probe import Clock, utc_now
from probes.subjects import Issuer, Region
from runbooks import checks as c
from runbooks import kinds
from runbooks.checks import RunbookCheck
from runbooks.diagnosis import Evidence, Sighting, Source
from runbooks.kinds import Answer, Place, Resolve
from runbooks.prometheus import PrometheusError, Sample, sightings_of

Query = Callable[[str], Awaitable[Sequence[Sample]]]
"""An instant query; raises PrometheusError."""
RunProbes = Callable[[tuple[str, ...]], Awaitable[Sequence[ProbeResult]]]
"""The deployment's own checks of these kinds (none: all), of the issuer and target of this call, each run once."""

_SECONDS: Mapping[type, float] = MappingProxyType(
    {c.Promql: 10, c.HttpGet: 10, c.HttpRefusal: 10, c.Dns: 5, c.Tls: 10, c.Clock: 10, c.Diff: 15}
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One issuer as seen from this machine, and everything that checks may use."""

    issuer: Issuer
    regions: tuple[Region, ...]
    http: Callable[[Region], Http]
    probe: RunProbes
    probe_seconds: float
    """Limit of all probe runs together."""
    target: str = ""
    """A client's name; empty for all of them."""
    query: Query | None = None
    resolve: Resolve = kinds.resolve
    clock: Clock = utc_now


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check saw from one place. `seen` comes from outside: it is redacted before it is shown."""

    check: RunbookCheck
    subject: str
    """The check's name; for probes `issuer/target/probe`."""
    region: str
    ok: bool
    seen: str
    seconds: float
    sightings: tuple[Sighting, ...] = field(default=(), repr=False)
    passed: bool = False
    """Whether it is a probe run that succeeded."""

    @property
    def is_run(self) -> bool:
        """Whether it is one run of a probe, and not a check as a whole."""
        return self.subject != self.check.name

    @property
    def expected(self) -> str:
        """What a healthy deployment answers."""
        return "success" if self.is_run else self.check.expect


Told = Callable[[Outcome], None]


async def run_checks(checks: Iterable[RunbookCheck], scene: Scene, told: Told = lambda _: None) -> list[Outcome]:
    """Every check from every region, within its time limit; outcomes in the order of the checks.

    `told` hears of each as it comes. Questions are asked side by side; probes follow when all are answered, so that
    neither slows the other down. Without a Prometheus the checks that need one are left out.
    """
    wanted = [check for check in checks if scene.query or not isinstance(check.what, c.Promql)]
    outcomes: dict[RunbookCheck, list[Outcome]] = {}

    async def run(check: RunbookCheck) -> None:
        outcomes[check] = await _run(check, scene)
        for outcome in outcomes[check]:
            told(outcome)

    await asyncio.gather(*(run(check) for check in wanted if not isinstance(check.what, c.ProbeOnce)))
    for check in wanted:
        if check not in outcomes:
            await run(check)
    return [outcome for check in wanted for outcome in outcomes[check]]


def evidence_of(outcomes: Iterable[Outcome]) -> Evidence:
    """The sightings of all outcomes. What checks saw from a place whose probes found their own network broken is none."""
    outcomes = list(outcomes)
    sightings = [sighting for outcome in outcomes for sighting in outcome.sightings]
    passed = frozenset((outcome.subject, outcome.region) for outcome in outcomes if outcome.passed)
    told = {one.region for one in sightings if one.source is Source.PROBE and one.reason is not Reason.PROBE_ERROR}
    broken = {one.region for one in sightings if one.source is Source.PROBE and one.reason is Reason.PROBE_ERROR}
    cut_off = broken - told - {region for _, region in passed}
    soft = (Source.CHECK, Source.THRESHOLD)
    kept = (one for one in sightings if not (one.region in cut_off and one.source in soft))
    return Evidence(tuple(kept), passed)


async def _run(check: RunbookCheck, scene: Scene) -> list[Outcome]:
    begun = time.perf_counter()
    if isinstance(check.what, c.ProbeOnce):
        return await _probes(check, check.what, scene, begun)
    if isinstance(check.what, c.Promql):
        return [await _promql(check, check.what, scene, begun)]
    if isinstance(check.what, c.Diff):
        return await _diff(check, check.what, scene, begun)
    return list(await asyncio.gather(*(_at(check, scene, region) for region in _places(check, scene))))


def _places(check: RunbookCheck, scene: Scene) -> tuple[Region, ...]:
    """Behind a proxy names are resolved by the proxy: there is nothing to ask from here."""
    if not isinstance(check.what, c.Dns):
        return scene.regions
    return tuple(region for region in scene.regions if not region.proxy)


async def _at(check: RunbookCheck, scene: Scene, region: Region) -> Outcome:
    begun = time.perf_counter()
    place = Place(scene.issuer, region.name, scene.http(region), scene.resolve, scene.clock)
    answer = await _answered(check, kinds.ASK[type(check.what)](check.what, place))
    return _outcome(check, region.name, answer, begun)


async def _answered(check: RunbookCheck, asking: Awaitable[Answer]) -> Answer:
    """The answer; an error becomes one with the reason that it means."""
    try:
        async with asyncio.timeout(_SECONDS[type(check.what)]):
            return await asking
    except Exception as error:  # noqa: BLE001 - whatever a server provokes is what the check saw
        failure = classify(error)
        detail = failure.detail if not isinstance(error, TimeoutError) else "no answer in time"
        stage = failure.stage or kinds.stage_of(check.what)
        return Answer(False, f"{failure.reason}: {detail}", failure.reason, stage)


def _outcome(check: RunbookCheck, region: str, answer: Answer, begun: float) -> Outcome:
    sightings: tuple[Sighting, ...] = ()
    if answer.reason is not None:
        source = Source.THRESHOLD if answer.measured else Source.CHECK
        sightings = (Sighting(answer.reason, answer.stage, region, source, check.name),)
    return Outcome(check, check.name, region, answer.ok, answer.seen, time.perf_counter() - begun, sightings)


async def _diff(check: RunbookCheck, what: c.Diff, scene: Scene, begun: float) -> list[Outcome]:
    """Every region's copies, and then the comparison over all of them."""

    async def copies(region: Region) -> tuple[str, Answer | list[str]]:
        place = Place(scene.issuer, region.name, scene.http(region), scene.resolve, scene.clock)
        found: list[list[str]] = []

        async def fetched() -> Answer:
            found.append(await kinds.versions(what, place))
            return Answer(True, "")

        answer = await _answered(check, fetched())
        return region.name, found[0] if found else answer

    gathered = await asyncio.gather(*(copies(region) for region in scene.regions))
    known = {region: copy for region, copy in gathered if isinstance(copy, list)}
    answers = {**kinds.compared(what, known), **{at: copy for at, copy in gathered if isinstance(copy, Answer)}}
    return [_outcome(check, region, answers[region], begun) for region, _ in gathered]


async def _promql(check: RunbookCheck, what: c.Promql, scene: Scene, begun: float) -> Outcome:
    assert scene.query is not None  # noqa: S101 - the caller leaves these checks out without one
    try:
        async with asyncio.timeout(_SECONDS[c.Promql]):
            samples = await scene.query(what.query.replace("$issuer", scene.issuer.name))
    except (PrometheusError, TimeoutError) as error:
        seen = f"Prometheus could not be asked: {error or 'no answer in time'}"
        return Outcome(check, check.name, "", False, seen, time.perf_counter() - begun)
    ours = [sample for sample in samples if _about(sample, scene)]
    sightings = tuple(sightings_of(ours))
    # Steps say no more than the reasons beside them.
    told = [sample for sample in ours if m.FAILED_STEP.name not in sample.labels] or ours
    seen = "; ".join(map(_shown, told[:3])) + (f"; and {len(told) - 3} more" if len(told) > 3 else "")
    return Outcome(check, check.name, "", not ours, seen or "no series", time.perf_counter() - begun, sightings)


def _about(sample: Sample, scene: Scene) -> bool:
    wanted = {m.ISSUER: scene.issuer.name, **({m.TARGET: scene.target} if scene.target else {})}
    return all(sample.labels.get(name, "") in ("", "*", value) for name, value in wanted.items())


def _shown(sample: Sample) -> str:
    names = (m.TARGET, m.PROBE, m.REGION, m.REASON.name, m.FAILED_STEP.name)
    told = " ".join(f"{name}={sample.labels[name]}" for name in names if sample.labels.get(name, "*") not in ("", "*"))
    return f"{told or sample.labels.get(m.ISSUER, 'all')}: {sample.value:.4g}"


async def _probes(check: RunbookCheck, what: c.ProbeOnce, scene: Scene, begun: float) -> list[Outcome]:
    try:
        async with asyncio.timeout(scene.probe_seconds):
            results = await scene.probe(what.kinds)
    except TimeoutError:
        seen = f"not finished within {scene.probe_seconds:g} s: is this machine overloaded?"
        return [Outcome(check, check.name, "", False, seen, time.perf_counter() - begun)]
    return [_of_run(check, result) for result in results]


def _of_run(check: RunbookCheck, result: ProbeResult) -> Outcome:
    name, failure = result.check.name, result.failure
    if failure is None:
        return Outcome(check, name, result.region, True, "success", result.seconds, passed=True)
    sighting = Sighting(failure.reason, failure.stage, result.region, Source.PROBE, name)
    seen = f"{failure.reason} at {failure.stage}: {failure.detail}"
    return Outcome(check, name, result.region, False, seen, result.seconds, (sighting,))


def details_of(outcome: Outcome) -> dict[str, Any]:
    """The outcome for machines, before redaction."""
    return {
        "check": outcome.check.name,
        "kind": outcome.check.kind,
        "subject": outcome.subject,
        "region": outcome.region or None,
        "expected": outcome.expected,
        "seen": outcome.seen,
        "ok": outcome.ok,
        "seconds": round(outcome.seconds, 3),
    }
