"""Whoever asks a canary gets an answer or a reason in time, and leaves no process behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from drills.canaries.client import RunningCanary
from drills.canaries.failures import CanaryFailed
from drills.canaries.registry import CANARIES, Canary
from sandbox.launch import Sandbox

pytestmark = pytest.mark.process

Start = Callable[..., AbstractContextManager[RunningCanary]]
Script = Callable[[str], Canary]

LEFT_ALONE = """
import contextlib, os, sys, time
from pathlib import Path
from drills.canaries.client import start
from drills.canaries.registry import CANARIES
issuer, jwks_uri, ca_file, *names = sys.argv[1:]
with contextlib.ExitStack() as stack:
    for name in names:
        target = dict(issuer=issuer, jwks_uri=jwks_uri, audience="orders", ca_file=Path(ca_file), environ=os.environ)
        print(stack.enter_context(start(CANARIES[name], **target)).pid, flush=True)
    time.sleep(600)
"""
ONE_OF_EACH_LANGUAGE = ("pyjwt", "jose", "go-oidc", "spring-nimbus", "mod-auth-openidc")
DEADLINE = 20.0

ANSWER = """
for line in sys.stdin:
    asked = json.loads(line)
    {before}
    print(json.dumps({{"id": asked["id"], "ok": True, "error": {error}, "seconds": 0.0}}), flush=True)
"""


class Provider(Protocol):
    """What these tests need of it."""

    sandbox: Sandbox
    jwks_uri: str


def alive(group: int) -> bool:
    """Whether a process of the group runs; one that only waits to be reaped does not."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended since it was listed
            # proc(5): after the name in parentheses come state, parent and group.
            state, _parent, of, *_ = file.read_text().rpartition(")")[2].split()
            if state != "Z" and int(of) == group:
                return True
    return False


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


def test_a_canary_that_has_ended_is_no_refusal_however_often_it_is_asked(start_canary: Start, script: Script) -> None:
    with start_canary(script("")) as canary:
        for _ in range(2):
            with pytest.raises(CanaryFailed, match="the canary script has ended"):
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


def test_canaries_end_by_themselves_when_their_drill_is_killed(provider: Provider, root: Path) -> None:
    about = (provider.sandbox.issuer, provider.jwks_uri, str(provider.sandbox.ca_file))
    command = [sys.executable, "-c", LEFT_ALONE, *about, *ONE_OF_EACH_LANGUAGE]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as drill:
        assert drill.stdout
        groups = [int(drill.stdout.readline()) for _ in ONE_OF_EACH_LANGUAGE]

        drill.kill()

    deadline = time.monotonic() + DEADLINE
    while (left := [group for group in groups if alive(group)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


@pytest.mark.parametrize("name", ["pyjwt", "mod-auth-openidc"])
def test_no_process_of_a_canary_is_left(name: str, start_canary: Start) -> None:
    with start_canary(CANARIES[name]) as canary:
        before = alive(canary.pid)

    assert before
    assert not alive(canary.pid)


def test_a_program_that_is_not_there_is_named(start_canary: Start) -> None:
    absent = Canary("absent", "C", ("/nowhere/verifier",))

    with pytest.raises(CanaryFailed, match="/nowhere/verifier cannot be started: No such file"), start_canary(absent):
        pass


def test_a_canary_that_is_busy_is_ended_all_the_same(start_canary: Start, script: Script) -> None:
    with start_canary(script("time.sleep(600)")) as canary:
        before = alive(canary.pid)

    assert before
    assert not alive(canary.pid)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pyjwt", "Invalid JWKS URI scheme ''"),
        ("jose", "TypeError: Invalid URL"),
        ("nimbus-jwk-source", "MalformedURLException: no protocol: nowhere"),
    ],
)
def test_a_start_that_fails_says_why_in_the_words_of_the_library(name: str, words: str, start_canary: Start) -> None:
    with (
        pytest.raises(CanaryFailed, match=f"the canary {name} did not start: .*{words}"),
        start_canary(CANARIES[name], jwks_uri="nowhere"),
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
