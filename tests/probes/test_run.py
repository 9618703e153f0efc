"""`run_once` owns time and verdict: it ends when it must, raises nothing, and leaves no secret behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx
import jwt.exceptions
import pytest

from probes.http import make_http
from probes.model import Artifact, Check, Finding, ProbeFailure, ProbeResult, Reason, Severity, Stage
from probes.probe import Steps
from probes.redact import MASK, Redactor
from probes.run import run_once
from probes.subjects import Issuer

if TYPE_CHECKING:
    from tests.probes.conftest import Lab

CHECK = Check(Issuer("acme", "https://login.acme.example"), "discovery", timeout=0.3)
CANARY = "canary-value"
Serve = Callable[..., Awaitable[int]]


@dataclass(slots=True)
class Scripted:
    """A probe that does what the test says, and counts how often."""

    do: Callable[[Steps], Awaitable[None]]
    runs: int = field(default=0)

    async def __call__(self, check: Check, steps: Steps) -> None:
        self.runs += 1
        await self.do(steps)


async def run(do: Callable[[Steps], Awaitable[None]], check: Check = CHECK) -> ProbeResult:
    return await run_once(Scripted(do), check, "eu", Redactor())


def why(result: ProbeResult) -> tuple[Reason, Stage] | None:
    return (result.failure.reason, result.failure.stage) if result.failure else None


async def test_a_server_that_drips_for_ever_is_cut_off_at_the_deadline_as_a_timeout_of_that_step(serve: Serve) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.02)

    url, http = f"http://127.0.0.1:{await serve(drip)}/", make_http()

    async def probe(steps: Steps) -> None:
        with steps(Stage.DISCOVERY):
            pass
        with steps(Stage.JWKS):
            await http("GET", url)

    result = await run(probe)

    assert why(result) == (Reason.TIMEOUT, Stage.JWKS)
    assert [(step.name, step.ok) for step in result.steps] == [(Stage.DISCOVERY, True), (Stage.JWKS, False)]
    assert result.failure is not None
    assert result.failure.detail == "not finished within 0.3 s"


async def test_a_run_that_waits_before_its_first_step_is_our_own_fault() -> None:
    async def probe(steps: Steps) -> None:
        await asyncio.sleep(60)

    assert why(await run(probe)) == (Reason.PROBE_ERROR, Stage.PROBE)


async def test_a_failure_outside_of_any_step_is_our_own_fault_too() -> None:
    async def probe(steps: Steps) -> None:
        raise httpx.ConnectError("to our own proxy")

    assert why(await run(probe)) == (Reason.PROBE_ERROR, Stage.PROBE)


async def test_a_probe_that_ignores_its_cancellation_does_not_hang_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.run._CLEAN_UP_SECONDS", 0.1)
    released = asyncio.Event()

    async def probe(steps: Steps) -> None:
        with steps(Stage.DISCOVERY):
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue

    result = await run(probe)

    assert not result.ok
    released.set()
    await asyncio.sleep(0)


async def test_a_probe_is_given_time_to_clean_up_after_the_deadline() -> None:
    cleaned = False

    async def probe(steps: Steps) -> None:
        nonlocal cleaned
        with steps(Stage.AUTHORIZE):
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.05)
                cleaned = True

    result = await run(probe)

    assert cleaned
    assert why(result) == (Reason.TIMEOUT, Stage.AUTHORIZE)


ERRORS = [
    ProbeFailure(Reason.NONCE_MISMATCH, "why"),
    httpx.ReadError("reset"),
    httpx.InvalidURL("bad"),
    jwt.exceptions.ExpiredSignatureError("old"),
    OSError(24, "Too many open files"),
    UnicodeEncodeError("ascii", "\u00fc", 0, 1, "no"),
    RecursionError(),
    MemoryError(),
    KeyError("x"),
    AssertionError(),
    StopAsyncIteration(),
    ExceptionGroup("several", [ValueError("a"), OSError("b")]),
    asyncio.CancelledError(),
    asyncio.InvalidStateError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_whatever_a_probe_raises_is_a_failure_at_the_step_that_was_open(error: BaseException) -> None:
    async def probe(steps: Steps) -> None:
        with steps(Stage.ID_TOKEN):
            raise error

    result = await run(probe)

    assert result.failure is not None
    assert result.failure.stage is Stage.ID_TOKEN
    assert result.steps[0].ok is False


async def test_a_cancelled_caller_stays_cancelled_and_takes_the_probe_with_it() -> None:
    ended = asyncio.Event()

    async def probe(steps: Steps) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    task = asyncio.create_task(run(probe, replace(CHECK, timeout=60)))
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_the_innermost_step_that_failed_is_where_the_run_failed() -> None:
    async def probe(steps: Steps) -> None:
        with steps(Stage.ACCESS_TOKEN), steps(Stage.JWKS):
            raise httpx.ConnectError("refused")

    assert why(await run(probe)) == (Reason.CONNECT_FAILURE, Stage.JWKS)


def failing_once(reason: Reason = Reason.SERVER_ERROR) -> Scripted:
    async def probe(steps: Steps) -> None:
        with steps(Stage.TOKEN):
            if scripted.runs == 1:
                raise ProbeFailure(reason, "the first time")

    scripted = Scripted(probe)
    return scripted


async def test_without_confirmation_the_first_failure_is_the_result() -> None:
    probe = failing_once()

    result = await run_once(probe, CHECK, "eu", Redactor())

    assert probe.runs == 1
    assert result.first_try == result.failure


async def test_a_confirmation_lets_the_second_run_count_and_keeps_what_the_first_said() -> None:
    probe = failing_once()

    result = await run_once(probe, replace(CHECK, confirm=True), "eu", Redactor())

    assert probe.runs == 2
    assert result.ok
    assert result.first_try is not None
    assert result.first_try.reason is Reason.SERVER_ERROR


async def test_a_success_is_not_confirmed() -> None:
    async def probe(steps: Steps) -> None: ...

    scripted = Scripted(probe)
    result = await run_once(scripted, replace(CHECK, confirm=True), "eu", Redactor())

    assert scripted.runs == 1
    assert result.first_try is None


async def test_our_own_fault_is_not_confirmed() -> None:
    probe = failing_once(Reason.PROBE_ERROR)

    result = await run_once(probe, replace(CHECK, confirm=True), "eu", Redactor())

    assert probe.runs == 1
    assert not result.ok


async def test_a_change_is_told_once_and_not_confirmed_away() -> None:
    drift = Finding("DISC-13", Severity.FAILURE, "moved", "Discovery 1.0 §4.3", Reason.DISCOVERY_DRIFT)

    async def changed(steps: Steps) -> None:
        if scripted.runs == 1:  # the second look would find the new document accepted
            with steps(Stage.DISCOVERY):
                steps.judge([drift])

    scripted = Scripted(changed)
    result = await run_once(scripted, replace(CHECK, confirm=True), "eu", Redactor())

    assert scripted.runs == 1
    assert result.failure is not None
    assert result.failure.reason is Reason.DISCOVERY_DRIFT


async def leaking(steps: Steps) -> None:
    """A probe that puts its secret everywhere."""
    secret = steps.hide(CANARY)
    steps.artifacts.append(Artifact("page.html", "text/html", f"<p>{secret}</p>".encode()))
    steps.artifacts.append(Artifact("requests.json", "application/json", f'["{secret}"]'.encode()))
    steps.artifacts.append(Artifact("page.png", "image/png", b"\x89PNG\xff"))
    steps.findings.append(Finding("TOK-05", Severity.WARNING, f"said {secret}", "RFC 6749", Reason.BAD_RESPONSE))
    with steps(Stage.TOKEN) as note:
        note["http.status"] = 400
        note["jose.kid"] = secret
        raise ProbeFailure(Reason.REQUEST_REJECTED, f"HTTP status 400: {secret}")


async def test_a_secret_of_the_run_is_in_no_part_of_its_result() -> None:
    result = await run(leaking)

    assert CANARY not in repr(result)
    assert not any(CANARY.encode() in artifact.content for artifact in result.artifacts)
    assert result.failure is not None
    assert result.failure.detail == f"HTTP status 400: {MASK}"
    assert result.findings[0].message == f"said {MASK}"
    assert result.steps[0].attributes["jose.kid"] == MASK
    assert result.steps[0].attributes["http.status"] == 400
    assert result.artifacts[2].content == b"\x89PNG\xff"


async def test_what_a_provider_says_is_told_on_one_line_without_control_characters() -> None:
    async def probe(steps: Steps) -> None:
        with steps(Stage.TOKEN) as note:
            note["jose.kid"] = "a\nb"
            raise ProbeFailure(Reason.REQUEST_REJECTED, "caf\u00e9\r\n\x1b[2J\u202e\ud800")

    result = await run(probe)

    assert result.failure is not None
    assert result.failure.detail == "caf\u00e9\\r\\n\\x1b[2J\\u202e\\ud800"
    assert result.steps[0].attributes["jose.kid"] == "a\\nb"


async def test_an_error_that_nobody_foresaw_is_logged_with_its_run(caplog: pytest.LogCaptureFixture) -> None:
    async def probe(steps: Steps) -> None:
        with steps(Stage.TOKEN):
            raise KeyError("unforeseen")

    with caplog.at_level(logging.ERROR):
        result = await run(probe)

    (record,) = (each for each in caplog.records if each.name.startswith("probes"))
    assert record.getMessage() == f"run {result.run_id} of acme//discovery from eu broke"
    assert record.exc_info is not None


async def test_every_run_has_an_id_fit_for_a_trace_and_aware_times(lab: Lab) -> None:
    first, second = await lab.run("discovery"), await lab.run("discovery")

    assert first.run_id != second.run_id
    assert len(bytes.fromhex(first.run_id)) == 16
    assert first.started_at.utcoffset() is not None
    assert first.region == "eu"
