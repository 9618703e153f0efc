"""Whoever asks a canary gets an answer or a reason in time, and leaves no process behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from drills.canaries.client import RunningCanary
from drills.canaries.failures import CanaryFailed
from drills.canaries.registry import CANARIES, Canary

pytestmark = pytest.mark.process

Start = Callable[..., AbstractContextManager[RunningCanary]]
Script = Callable[[str], Canary]

ANSWER = """
for line in sys.stdin:
    asked = json.loads(line)
    {before}
    print(json.dumps({{"id": asked["id"], "ok": True, "error": {error}, "seconds": 0.0}}), flush=True)
"""


def test_no_answer_in_time_is_a_refusal(start_canary: Start, script: Script) -> None:
    with start_canary(script("sys.stdin.read()")) as canary:
        verdict = canary.check("token", timeout=0.2)

    assert not verdict.ok
    assert verdict.error == "no answer within 0.2 s"


def test_a_late_answer_is_not_taken_for_the_next_one(start_canary: Start, script: Script) -> None:
    lines = ANSWER.format(before='time.sleep(0.5 if asked["token"] == "slow" else 0)', error='asked["token"] + "!"')
    with start_canary(script(lines)) as canary:
        slow = canary.check("slow", timeout=0.1)
        quick = canary.check("quick", timeout=10)

    assert not slow.ok
    assert quick.ok
    assert quick.error == "quick!"


def test_a_canary_that_has_ended_is_no_refusal(start_canary: Start, script: Script) -> None:
    with start_canary(script("")) as canary, pytest.raises(CanaryFailed, match="the canary script has ended"):
        canary.check("token")


def test_a_canary_that_answers_nonsense_is_no_refusal(start_canary: Start, script: Script) -> None:
    with (
        start_canary(script('sys.stdin.readline(); print("hello", flush=True); sys.stdin.read()')) as canary,
        pytest.raises(CanaryFailed, match="does not keep to the protocol"),
    ):
        canary.check("token")


def test_a_token_that_a_canary_quotes_is_not_passed_on(start_canary: Start, script: Script) -> None:
    token = "eyJhbGciOi.eyJpc3MiOi.c2lnbmF0dXJl"
    with start_canary(script(ANSWER.format(before="", error='"in " + asked["token"].split(".")[1]'))) as canary:
        verdict = canary.check(token)

    assert verdict.error == "in [token]"


@pytest.mark.parametrize("name", ["pyjwt", "mod-auth-openidc"])
def test_no_process_of_a_canary_is_left(name: str, start_canary: Start) -> None:
    with start_canary(CANARIES[name]) as canary:
        group = canary.pid
        os.killpg(group, 0)

    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def test_a_program_that_is_not_there_is_named(start_canary: Start) -> None:
    absent = Canary("absent", "C", ("/nowhere/verifier",))

    with pytest.raises(CanaryFailed, match="/nowhere/verifier cannot be started: No such file"), start_canary(absent):
        pass


def test_a_canary_that_is_busy_is_ended_all_the_same(start_canary: Start, script: Script) -> None:
    with start_canary(script("time.sleep(600)")) as canary:
        group = canary.pid

    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def test_a_start_that_fails_says_what_the_canary_said(start_canary: Start) -> None:
    with (
        pytest.raises(CanaryFailed, match=r"the canary pyjwt did not start: .*Invalid JWKS URI scheme 'ftp'"),
        start_canary(CANARIES["pyjwt"], jwks_uri="ftp://127.0.0.1/jwks"),
    ):
        pass


def test_apache_says_that_it_takes_https_only(start_canary: Start) -> None:
    with (
        pytest.raises(CanaryFailed, match="takes a jwks_uri with https only"),
        start_canary(CANARIES["mod-auth-openidc"], jwks_uri="http://127.0.0.1:9/jwks"),
    ):
        pass


@pytest.mark.parametrize("name", [name for name, row in CANARIES.items() if row.build])
def test_a_canary_that_is_not_built_names_the_command(name: str, start_canary: Start, tmp_path: Path) -> None:
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}

    with pytest.raises(CanaryFailed, match="not built: make canaries"), start_canary(CANARIES[name], environ=environ):
        pass


def test_a_missing_runtime_names_the_command_that_installs_it(start_canary: Start) -> None:
    environ = {**os.environ, "PATH": ""}

    with (
        pytest.raises(CanaryFailed, match=r"node is not on the PATH: apt-get install .* nodejs"),
        start_canary(CANARIES["jose"], environ=environ),
    ):
        pass
