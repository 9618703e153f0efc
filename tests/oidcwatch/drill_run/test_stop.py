"""What ends a drill before its time, whatever it is waiting for: a lost terminal, Ctrl-C, a broken abort rule."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from drills.driver import Ready
from oidcwatch.drill_brake import Brake
from oidcwatch.drill_result import Ending

SHORT = ("--ttl", "6s", "--cooldown", "2s", "--poll", "500ms")
SECONDS = 90.0


def until(happened: Callable[[], object], process: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + SECONDS
    while not happened():
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def on_terminal(configured: Any) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], int]]]:
    """Starts `oidcwatch drill` on a terminal of its own, and gives the end that a person would sit at."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[bytes], int]:
        person, terminal = pty.openpty()
        # Whoever runs the tests may ignore the signal, as under nohup, and a child would inherit that.
        command = ["env", "--default-signal=HUP", "setsid", "--ctty"]
        command += [sys.executable, "-m", "oidcwatch", "drill", *arguments]
        process = subprocess.Popen(
            command, cwd=configured.folder, env=configured.environ, stdin=terminal, stdout=terminal, stderr=terminal
        )
        started.append(process)
        os.close(terminal)
        return process, person

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.process
def test_a_lost_terminal_ends_a_drill_and_it_is_rolled_back(configured: Any, on_terminal: Any) -> None:
    control = configured.sandbox.control
    before = control.keys()["RS256"]["active"]
    process, person = on_terminal("run", "early-removal", "--issuer", "staging", "--yes", *SHORT)
    reader = threading.Thread(target=_read_all, args=(person,), daemon=True)
    reader.start()
    until(lambda: control.keys()["RS256"]["active"] != before, process)

    os.close(person)
    process.wait(SECONDS)

    keys = control.keys()["RS256"]
    assert keys["active"] == before
    assert before in keys["published"]
    assert [row["verdict"] for row in configured.records(configured.kept)] == ["aborted"]


def _read_all(terminal: int) -> None:
    """A terminal shows what is written to it; one that nobody reads would stop the writer."""
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        return


@pytest.mark.process
def test_a_drill_that_waits_for_a_person_ends_when_it_is_interrupted(configured: Any) -> None:
    file = configured.folder / "oidcwatch.yaml"
    document = yaml.safe_load(file.read_text())
    document["issuers"][0]["drill"]["provider"] = {"type": "manual"}
    file.write_text(yaml.safe_dump(document))
    drill = configured.start("run", "zero-lead", "--issuer", "staging", "--yes", *SHORT)
    drill.until(">>> Rotate now")

    drill.process.send_signal(signal.SIGINT)
    code, out = drill.end()

    assert code == Ending.ABORTED, drill.told()
    assert "Aborted: it was stopped while a token that is signed with a published key other than" in out


@pytest.mark.process
def test_a_second_interrupt_ends_the_wait_for_a_person_who_is_to_roll_back(configured: Any) -> None:
    file, control = configured.folder / "oidcwatch.yaml", configured.sandbox.control
    document = yaml.safe_load(file.read_text())
    document["issuers"][0]["drill"]["provider"] = {"type": "manual"}
    file.write_text(yaml.safe_dump(document))
    first = control.keys()["RS256"]["thumbprints"]
    drill = configured.start("run", "zero-lead", "--issuer", "staging", "--yes", *SHORT)
    drill.until(">>> Rotate now")
    control.rotate("overlap", alg="RS256")
    drill.until("observe")

    drill.process.send_signal(signal.SIGINT)
    drill.until(">>> Roll back")
    drill.process.send_signal(signal.SIGINT)
    code, _ = drill.end()

    control.place("RS256", first["active"], first["published"])
    assert code == Ending.NOT_RESTORED, drill.told()
    assert "To be done by hand: Roll back: publish" in drill.told()


@pytest.mark.process
@pytest.mark.parametrize("answer", [b"n\n", b"\x03", b"\x04"], ids=["no", "Ctrl-C", "end of input"])
def test_a_question_that_nobody_says_yes_to_begins_no_drill(configured: Any, on_terminal: Any, answer: bytes) -> None:
    process, person = on_terminal("run", "early-removal", "--issuer", "staging", *SHORT)
    shown = _until_shown(person, b"Go on?")

    os.write(person, answer)
    code = process.wait(SECONDS)
    shown += _rest(person)

    assert code == Ending.NOT_RUN, shown
    assert b"oidcwatch: nothing was changed" in shown
    assert not configured.kept.exists()


def _until_shown(terminal: int, text: bytes) -> bytes:
    shown = b""
    while text not in shown:
        shown += os.read(terminal, 4096)
    return shown


def _rest(terminal: int) -> bytes:
    shown = b""
    with contextlib.suppress(OSError):  # Linux: the end of a terminal
        while block := os.read(terminal, 4096):
            shown += block
    os.close(terminal)
    return shown


class Rules:
    """Abort rules of which one is broken."""

    def __init__(self) -> None:
        self.looks = 0

    def budget(self) -> tuple[Ready, ...]:
        return ()

    def broken(self) -> str:
        self.looks += 1
        return "1 % of real requests are refused" if self.looks > 1 else ""


def test_a_broken_abort_rule_ends_what_the_driver_waits_for_and_is_told_once() -> None:
    now, told, rules = [10.0], [], Rules()  # type: ignore[var-annotated]  # filled by the brake
    brake = Brake(threading.Event(), rules, told.append, monotonic=lambda: now[0])

    well = [brake(), brake()]
    now[0] += 60.0
    broken = [brake(), brake()]

    assert (well, broken) == ([False, False], [True, True])
    assert told == ["1 % of real requests are refused"]
    assert rules.looks == 2
