"""Runs chosen checks once, side by side, from every region they are configured for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from oidcwatch.resources import Workshop
from oidcwatch.schedule import Job
from oidcwatch.settings import Settings
from oidcwatch.vantage import judged
from probes.model import Check, ProbeResult
from probes.redact import Redactor
from probes.run import run_once

_AT_ONCE = 8

Progress = Callable[[ProbeResult], None]


def chosen(settings: Settings, patterns: Sequence[str], regions: Sequence[str] = ()) -> list[Job]:
    """The jobs whose `issuer/target/probe` fits one of the patterns (none: all), in configured order.

    A pattern may have * and ?; it also fits when it is the name of an issuer or of a probe. Raises LookupError that
    names a pattern or region which fits nothing.
    """
    for pattern in patterns:
        if not any(_fits(check, pattern) for check in settings.checks):
            known = ", ".join(check.name for check in settings.checks)
            raise LookupError(f"no check fits {pattern!r}; there are: {known or 'none'}")
    by_name = {region.name: region for region in settings.regions}
    for region in regions:
        if region not in by_name:
            raise LookupError(f"there is no region {region!r}; there are: {', '.join(by_name)}")
    return [
        (check, by_name[name])
        for check in settings.checks
        if not patterns or any(_fits(check, pattern) for pattern in patterns)
        for name in check.regions or by_name
        if name in by_name and (not regions or name in regions)
    ]


async def run_jobs(
    settings: Settings, jobs: Sequence[Job], redact: Redactor, progress: Progress = lambda _: None
) -> list[ProbeResult]:
    """Results in the order of the jobs; `progress` is told each as it comes. Raises OSError for a bad `ca_file`."""
    workshop = Workshop(settings, redact)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(job: Job) -> ProbeResult:
        check, region = job
        async with gate:
            probe = workshop.probe(check, region)
            result = await judged(await run_once(probe, check, region.name, redact), region, settings.references)
        progress(result)
        return result

    try:
        return await asyncio.gather(*(one(job) for job in jobs))
    finally:
        await workshop.close()


def _fits(check: Check, pattern: str) -> bool:
    return fnmatchcase(check.name, pattern) or pattern in (check.issuer.name, check.probe)
