"""A command of the user's drives a provider: the example does, and one that misbehaves is an error that says so."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from drills.driver import Driver, DriverFailed
from drills.drivers import driver_for
from drills.drivers.command import CommandDriver
from drills.lab import Lab
from drills.outside import Outside
from drills.scenario import Action, Move
from drills.target import Command
from probes.subjects import SecretRef
from sandbox.control_client import Control

pytestmark = pytest.mark.process

Look = Callable[[Outside], Any]

ROTATIONS = ("announce", "activate", "rotate", "replace", "remove")


@pytest.fixture
def example(root: Path, lab: Lab, outside: Outside, control: Control) -> Driver:
    """The example, on the sandbox."""
    script = root / "examples" / "drill-command" / "rotate.py"
    target = replace(lab.target, provider=Command((str(script), control.url), ROTATIONS, 30.0))
    environ = {**lab.environ, "PATH": f"{Path(sys.executable).parent}:{os.defpath}"}
    return driver_for(target, outside, environ, lambda _text: None)


@pytest.mark.parametrize(
    ("moves", "shown"),
    [
        (("announce", "activate"), lambda old, new: {old.signs, new.signs} == set(new.published) != {old.signs}),
        (("replace",), lambda old, new: new.published == (new.signs,) != old.published),
        (("rotate", "remove"), lambda old, new: new.published == (new.signs,) != old.published),
    ],
)
def test_the_example_makes_every_move_that_it_says_it_knows_and_undoes_it(
    example: Driver, outside: Outside, look: Look, moves: tuple[str, ...], shown: Callable[[Any, Any], bool]
) -> None:
    before, old = example.snapshot(), look(outside)

    for action in (*moves, moves[-1]):
        example.do(Move(Action(action)), before)
    new = look(outside)
    example.restore(before)
    restored = look(outside)
    example.clean(before, keep_new=False)

    assert shown(old, new), new
    assert restored.signs == old.signs
    assert look(outside) == old


def test_the_example_keeps_a_rotation(example: Driver, outside: Outside, look: Look) -> None:
    before = example.snapshot()
    example.do(Move(Action.ROTATE), before)

    example.clean(before, keep_new=True)

    new = look(outside)
    assert new.published == (new.signs,)


def test_the_example_removes_its_own_keys_and_no_others(
    example: Driver, outside: Outside, look: Look, control: Control
) -> None:
    before, old = example.snapshot(), look(outside)
    example.do(Move(Action.ROTATE), before)
    example.restore(before)
    control.rotate("overlap", alg="RS256")
    others = look(outside)

    example.clean(before, keep_new=False)

    new = look(outside)
    assert new.signs == others.signs != old.signs
    assert set(new.published) == {old.signs, others.signs}


def test_the_example_is_ready_and_can_what_the_configuration_says(example: Driver) -> None:
    [ready] = example.ready()

    assert ready.ok, ready.text
    assert example.can == {Action(name) for name in ROTATIONS}
    with pytest.raises(DriverFailed, match=r"heal is not in drill\.provider\.can: announce"):
        example.do(Move(Action.HEAL), {})


def shell(script: str, timeout: float = 30.0, **environ: str) -> CommandDriver:
    """A driver whose command is a shell script; the action is its `$0`."""
    return CommandDriver(
        Command(("sh", "-c", script), ("rotate",), timeout),
        "https://login.acme.example",
        {"PATH": os.defpath, **environ},
    )


def test_a_command_is_told_everything_on_standard_input(tmp_path: Path) -> None:
    driver = shell('cat > "$OUT/$0.json"; echo {}', OUT=str(tmp_path))

    driver.snapshot()
    driver.do(Move(Action.ROTATE, {"now": True}), {"key": "a"})
    driver.clean({"key": "a"}, keep_new=True, added=["b"])

    said = {path.stem: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    common = {"issuer": "https://login.acme.example", "params": {}, "keep_new": False, "added": []}
    assert said == {
        "snapshot": {**common, "action": "snapshot", "before": None},
        "rotate": {**common, "action": "rotate", "params": {"now": True}, "before": {"key": "a"}},
        "clean": {**common, "action": "clean", "before": {"key": "a"}, "keep_new": True, "added": ["b"]},
    }


def test_a_command_that_fails_is_quoted_by_its_last_line_without_secrets() -> None:
    driver = shell("echo first >&2; echo 'refused: client_secret=hunter2hunter2' >&2; echo >&2; exit 3")

    with pytest.raises(DriverFailed, match=r"sh restore ended with 3: refused: client_secret=\[redacted\]$"):
        driver.restore({})


@pytest.mark.parametrize("script", ["echo hello", "echo '[]'", ":"])
def test_a_snapshot_that_is_no_object_is_refused(script: str) -> None:
    [ready] = shell(script).ready()

    assert not ready.ok
    assert "must print one JSON object" in ready.text


def configured(
    lab: Lab, outside: Outside, script: str, secrets: Mapping[str, SecretRef] = MappingProxyType({}), **environ: str
) -> Driver:
    """As `driver_for` makes it of a configuration, with a shell script as its command and secrets in its environment."""
    target = replace(lab.target, provider=Command(("sh", "-c", script), ("rotate",), 30.0, tuple(secrets.items())))
    return driver_for(target, outside, {**lab.environ, "PATH": os.defpath, **environ}, lambda _text: None)


def test_a_command_gets_no_secret_of_the_environment(lab: Lab, outside: Outside, tmp_path: Path) -> None:
    driver = configured(lab, outside, f"env > {tmp_path}/env; echo {{}}", HOME="/h", DEPLOY_TOKEN="hunter2hunter2")

    driver.snapshot()

    got = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert got["HOME"] == "/h"
    assert {"DEPLOY_TOKEN", "SANDBOX_MACHINE_SECRET"} & got.keys() == set()


def test_a_secret_that_the_configuration_refers_to_is_not_repeated_after_a_command(
    lab: Lab, outside: Outside, tmp_path: Path
) -> None:
    (tmp_path / "said").write_text(f"no entry for {lab.environ['SANDBOX_MACHINE_SECRET']}")
    driver = configured(lab, outside, f"cat {tmp_path}/said >&2; exit 1")

    with pytest.raises(DriverFailed, match=r"ended with 1: no entry for \[redacted\]$"):
        driver.restore({})


def test_a_command_gets_the_secrets_that_it_is_given_as_they_are_now(
    lab: Lab, outside: Outside, tmp_path: Path
) -> None:
    secret = {"ADMIN_TOKEN": SecretRef("file", str(tmp_path / "secret"))}
    driver = configured(lab, outside, f'echo "$ADMIN_TOKEN" >> {tmp_path}/got', secret)

    for value in ("hunter2hunter2", "hunter3hunter3"):
        (tmp_path / "secret").write_text(f"{value}\n")
        driver.restore({})

    assert (tmp_path / "got").read_text().split() == ["hunter2hunter2", "hunter3hunter3"]
    assert "hunter" not in repr(driver)


def test_a_secret_that_a_command_is_given_is_not_repeated_after_it(lab: Lab, outside: Outside, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2hunter2")
    read: list[str] = []

    async def secrets(ref: SecretRef) -> str:
        read.append(ref.location)
        return await outside.secrets(ref)

    given = {"ADMIN_TOKEN": SecretRef("file", str(tmp_path / "secret"))}
    driver = configured(lab, replace(outside, secrets=secrets), 'echo "got $ADMIN_TOKEN" >&2; exit 1', given)

    with pytest.raises(DriverFailed, match=r"ended with 1: got \[redacted\]$"):
        driver.restore({})

    assert str(tmp_path / "secret") in read  # by what remembers it for every log


def test_a_secret_that_cannot_be_read_is_told_by_its_place_in_the_configuration(
    lab: Lab, outside: Outside, tmp_path: Path
) -> None:
    driver = configured(lab, outside, "echo {}", {"ADMIN_TOKEN": SecretRef("file", str(tmp_path / "none"))})

    [ready] = driver.ready()

    assert not ready.ok
    assert ready.text.startswith("drill.provider.environment.ADMIN_TOKEN: secret file")


def test_a_drill_that_is_stopped_ends_what_its_command_does_and_the_command_may_leave_things_in_order(
    tmp_path: Path,
) -> None:
    begun, left = tmp_path / "begun", tmp_path / "left"
    script = f"trap 'touch {left}; exit 0' TERM; touch {begun}; while :; do sleep 0.1; done"
    driver = replace(shell(script, timeout=600.0), stopped=begun.exists)

    with pytest.raises(DriverFailed, match="it was stopped while sh rotate ran"):
        driver.do(Move(Action.ROTATE), {})

    assert left.exists()


def test_a_drill_that_is_stopped_rolls_back_by_its_command_all_the_same(tmp_path: Path) -> None:
    driver = replace(shell('sleep 1; touch "$OUT/$0"', OUT=str(tmp_path)), stopped=lambda: True)

    driver.restore({})

    assert (tmp_path / "restore").exists()


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    driver = shell('sleep 60 & echo $! > "$OUT/pid"; wait', timeout=1.0, OUT=str(tmp_path))

    with pytest.raises(DriverFailed, match="took over 1 s and was ended"):
        driver.restore({})

    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cmdline").exists() or not (
        Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cmdline").read_bytes()
    )


def test_a_command_that_never_stops_talking_is_not_held_in_memory() -> None:
    driver = shell("yes '{}' | head -c 20000000")

    with pytest.raises(DriverFailed, match="what sh snapshot prints is larger than 64 KiB"):
        driver.snapshot()


def test_a_snapshot_may_come_in_many_pieces() -> None:
    driver = shell('echo \'{\'; for each in $(seq 40); do echo "\\"$each\\": 0,"; sleep 0.01; done; echo \'"end": 1}\'')

    assert len(driver.snapshot()) == 41


def shell_with_a_daemon(daemon: str, pid: Path, then: str) -> CommandDriver:
    """Its command starts a process in a session of its own, for a minute, as ssh does for a connection that it shares."""
    return shell(f"setsid sh -c 'echo $$ > {pid}; {daemon}' & while [ ! -s {pid} ]; do sleep 0.05; done; {then}")


def test_a_child_that_leaves_the_group_and_keeps_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    driver = shell_with_a_daemon("exec sleep 60", tmp_path / "pid", "echo '{}'")

    said = driver.snapshot()

    assert said == {}
    os.killpg(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # fails for one that has ended


def test_a_child_that_goes_on_talking_after_the_commands_end_is_not_listened_to(tmp_path: Path) -> None:
    talks = 'trap "" PIPE; n=0; while [ $n -lt 600 ]; do yes 2>&1 | head -c 9000; n=$((n + 1)); sleep 0.1; done'
    driver = shell_with_a_daemon(f"({talks}) >&2", tmp_path / "pid", "exit 1")

    with pytest.raises(DriverFailed, match="sh restore ended with 1"):
        driver.restore({})

    os.killpg(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_command_that_leaves_a_child_behind_is_done_when_it_ends_itself() -> None:
    driver = shell("sleep 60 & exit 0", timeout=30.0)

    driver.restore({})


def test_a_program_that_is_not_there_is_not_ready() -> None:
    driver = CommandDriver(Command(("no-such-program",), (), 5.0), "https://login.acme.example", {"PATH": os.defpath})

    [ready] = driver.ready()

    assert not ready.ok
    assert "there is no program 'no-such-program'" in ready.text


def test_the_commands_environment_is_not_shown() -> None:
    assert "hunter2" not in repr(shell(":", SECRET="hunter2"))
