"""Secrets are read when they are needed, and an error names where they should have been, never what they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.model import ProbeFailure, Reason
from probes.secrets import secrets_from
from probes.subjects import SecretRef

CANARY = "canary-value"


async def refusal(ref: SecretRef, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ProbeFailure) as caught:
        await secrets_from(environ or {})(ref)
    assert caught.value.reason is Reason.PROBE_ERROR
    return caught.value.detail


async def test_a_variable_is_read_from_the_environment_that_was_given() -> None:
    assert await secrets_from({"NAME": CANARY})(SecretRef("env", "NAME")) == CANARY


async def test_a_file_is_read_without_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b" spaces stay \r\n")

    assert await secrets_from({})(SecretRef("file", str(tmp_path / "secret"))) == " spaces stay "


async def test_a_changed_file_is_seen_at_the_next_use(tmp_path: Path) -> None:
    read, ref = secrets_from({}), SecretRef("file", str(tmp_path / "secret"))
    (tmp_path / "secret").write_text("before")
    assert await read(ref) == "before"

    (tmp_path / "secret").write_text("after")

    assert await read(ref) == "after"


@pytest.mark.process
async def test_the_standard_output_of_a_command_is_a_secret() -> None:
    assert await secrets_from({})(SecretRef("exec", "printf '%s\\n' 'two words'")) == "two words"


async def test_a_missing_variable_is_named() -> None:
    assert await refusal(SecretRef("env", "NAME")) == "environment variable NAME is not set"


async def test_an_empty_secret_is_none() -> None:
    assert await refusal(SecretRef("env", "NAME"), {"NAME": "\n"}) == "secret env:NAME is empty"


async def test_a_missing_file_is_named_with_what_the_system_says(tmp_path: Path) -> None:
    ref = SecretRef("file", str(tmp_path / "absent"))

    assert await refusal(ref) == f"secret file {tmp_path}/absent: No such file or directory"


@pytest.mark.parametrize("location", ["no-such-command-anywhere", "'unbalanced"])
async def test_a_command_that_cannot_be_started_is_named(location: str) -> None:
    assert "cannot be started" in await refusal(SecretRef("exec", location))


@pytest.mark.process
async def test_the_output_of_a_failed_command_is_not_told() -> None:
    detail = await refusal(SecretRef("exec", f"sh -c 'echo {CANARY}-out; echo {CANARY}-err >&2; exit 3'"))

    assert detail.endswith("ended with 3")


async def test_bytes_that_are_no_text_do_not_raise(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x00")

    assert await secrets_from({})(SecretRef("file", str(tmp_path / "secret")))


async def test_no_more_than_64_kib_are_kept(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x" * 1_000_000)

    assert len(await secrets_from({})(SecretRef("file", str(tmp_path / "secret")))) == 65_536


@pytest.mark.process
async def test_a_command_ends_with_the_run_that_asked_for_it(tmp_path: Path) -> None:
    (tmp_path / "program").write_text(f"sleep 600 & echo $! > {tmp_path}/pid; wait")
    reading = asyncio.ensure_future(secrets_from({})(SecretRef("exec", f"sh {tmp_path}/program")))
    await until(lambda: pid_in(tmp_path) != 0)

    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    await until(lambda: ended(pid_in(tmp_path)))


@pytest.mark.process
@pytest.mark.parametrize("turns", range(1, 9))
async def test_a_command_that_is_cancelled_while_it_starts_leaves_nothing_behind(tmp_path: Path, turns: int) -> None:
    (tmp_path / "program").write_text(f"echo $$ > {tmp_path}/pid; sleep 600")
    reading = asyncio.ensure_future(secrets_from({})(SecretRef("exec", f"sh {tmp_path}/program")))
    for _ in range(turns):  # of the event loop
        await asyncio.sleep(0)

    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    await until(lambda: ended(pid_in(tmp_path)))


def pid_in(directory: Path) -> int:
    written = directory / "pid"
    return int(written.read_text().strip() or 0) if written.exists() else 0


def ended(pid: int) -> bool:
    """Whether a process is gone, or dead and waiting for its parent."""
    stat = Path(f"/proc/{pid}/stat")
    return pid == 0 or not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within ten seconds")
