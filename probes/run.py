"""Runs one check once: owns the deadline, never raises, gives every failure a reason, and leaves no secret behind."""

from __future__ import annotations

import asyncio
import logging
import secrets as randomness
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from probes.classify import classify
from probes.model import (
    Artifact,
    Attribute,
    Check,
    Failure,
    Finding,
    ProbeFailure,
    ProbeResult,
    Reason,
    Stage,
    Step,
)
from probes.probe import Clock, Probe, Steps, utc_now
from probes.redact import Redactor

log = logging.getLogger(__name__)
_OF_A_CHANGE = frozenset({"DISC-13", "ROT-02", "ROT-07", "IDT-13"})
"""Checks that compare with an earlier run, and fail one run for each change."""
_CLEAN_UP_SECONDS = 5.0  # for a probe to close its browser context after the deadline


async def run_once(probe: Probe, check: Check, region: str, redact: Redactor, clock: Clock = utc_now) -> ProbeResult:
    """One run, with one confirmation at once when the check asks for it and the first try failed.

    httpx's and Playwright's time-outs are per read and per action; the deadline here is over all of them (a server that
    drips one byte a second gets past the former). Raises nothing but CancelledError.
    """
    first = await _try_once(probe, check, region, redact, clock)
    if first.failure is None or not check.confirm or first.failure.reason is Reason.PROBE_ERROR or _told_once(first):
        return replace(first, first_try=first.failure)
    second = await _try_once(probe, check, region, redact, clock)
    return replace(second, first_try=first.failure)


def _told_once(result: ProbeResult) -> bool:
    """Whether the run failed because something changed: a second try would find the new state accepted already."""
    return any(finding.fatal and finding.check_id in _OF_A_CHANGE for finding in result.findings)


async def _try_once(probe: Probe, check: Check, region: str, redact: Redactor, clock: Clock) -> ProbeResult:
    steps = Steps(clock=clock, learn=redact.learn)
    run_id = randomness.token_hex(16)  # of the form of a W3C trace id
    started, begun = clock(), time.perf_counter()
    failure: Failure | None = None
    try:
        await within(check.timeout, probe(check, steps))
    except Exception as error:
        failure = _failure(error, steps)
        if failure.reason is Reason.PROBE_ERROR and not isinstance(error, ProbeFailure):
            log.error("run %s of %s from %s broke", run_id, check.name, region, exc_info=error)
    result = ProbeResult(
        check=check,
        region=region,
        run_id=run_id,
        started_at=started,
        seconds=time.perf_counter() - begun,
        steps=tuple(steps.done),
        findings=tuple(steps.findings),
        failure=failure,
        artifacts=tuple(steps.artifacts),
        measurements=tuple(steps.measurements),
    )
    return _redacted(result, redact)


async def within(seconds: float, run: Coroutine[Any, Any, None]) -> None:
    """Awaits the run for so long. A run that will not even end when cancelled is left behind, not waited for."""
    task = asyncio.create_task(run)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await _cancel(task)
        raise
    if not done:
        await _cancel(task)
        raise TimeoutError(f"not finished within {seconds:g} s")
    if task.cancelled():  # from within: for our caller it would look as if it were being cancelled itself
        raise ProbeFailure(Reason.PROBE_ERROR, "the run was cancelled from within")
    await task


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    task.add_done_callback(_retrieve)
    await asyncio.wait({task}, timeout=_CLEAN_UP_SECONDS)


def _retrieve(task: asyncio.Task[None]) -> None:
    """Looks at what a cancelled run ended with, so that asyncio does not complain that nobody did."""
    if not task.cancelled():
        task.exception()


def _failure(error: Exception, steps: Steps) -> Failure:
    known = classify(error)
    stage = known.stage or steps.failed_at or Stage.PROBE
    if stage is Stage.PROBE:  # nothing was asked of the provider yet: it waited for us (for a browser, for a secret)
        return Failure(Reason.PROBE_ERROR, stage, known.detail)
    return Failure(known.reason, stage, known.detail, known.oauth_error)


def _redacted(result: ProbeResult, redact: Redactor) -> ProbeResult:
    failure = result.failure
    return replace(
        result,
        failure=replace(failure, detail=_shown(failure.detail, redact)) if failure else None,
        findings=tuple(_redacted_finding(finding, redact) for finding in result.findings),
        steps=tuple(_redacted_step(step, redact) for step in result.steps),
        artifacts=tuple(_redacted_artifact(artifact, redact) for artifact in result.artifacts),
    )


def _redacted_finding(finding: Finding, redact: Redactor) -> Finding:
    return replace(finding, message=_shown(finding.message, redact))


def _redacted_step(step: Step, redact: Redactor) -> Step:
    texts = {name: value for name, value in step.attributes.items() if isinstance(value, str)}
    if not texts:
        return step
    clean: Mapping[str, Attribute] = {
        **step.attributes,
        **{name: _shown(value, redact) for name, value in texts.items()},
    }
    return replace(step, attributes=MappingProxyType(dict(clean)))


def _shown(text: str, redact: Redactor) -> str:
    """Without secrets, on one line, and without what a terminal obeys: providers choose kids and descriptions."""
    clean = redact(text)
    if clean.isprintable():
        return clean
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in clean)


def _redacted_artifact(artifact: Artifact, redact: Redactor) -> Artifact:
    if not artifact.media_type.startswith(("text/", "application/json")):
        return artifact
    return replace(artifact, content=redact(artifact.content.decode("utf-8", "replace")).encode())
