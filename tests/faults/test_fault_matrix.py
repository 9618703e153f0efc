"""Every fault of the sandbox and of its proxy is attributed to the step and reason that the specifications give it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from sandbox.faults import FAULTS
from sandbox.launch import Sandbox, start_sandbox
from sandbox.realm import Settings

Judge = Callable[[Any, Iterable[Any]], Awaitable[Any]]


@pytest.fixture
def sandbox(provide: Callable[..., Any]) -> Iterator[Any]:
    """The sandbox with TLS, behind its fault proxy."""
    with start_sandbox(tls=True) as running:
        yield provide(
            "sandbox", running.issuer, running.ca_file, running.environ, running.control, lambda: restore(running)
        )


def restore(sandbox: Sandbox) -> None:
    """Takes back whatever a row can have changed."""
    control = sandbox.control
    control.clear()
    control.clock(0, date=0)
    control.settings(**asdict(Settings()))
    control.rotate("publish")
    control.rotate("retire")
    for user in sandbox.users.values():
        control.set_password(user.username, user.password)


@pytest.mark.process
async def test_each_fault_fails_the_right_step_for_the_right_reason_and_nothing_else(
    sandbox: Any, matrix: Sequence[Any], judge: Judge, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = await judge(sandbox, matrix)

    with capsys.disabled():
        print(f"\n{verdict}")
    assert not verdict.mismatches, verdict.explained()


def test_every_fault_of_the_sandbox_is_in_the_matrix_or_said_to_be_invisible(
    matrix: Sequence[Any], not_visible: Mapping[str, str]
) -> None:
    injected = {name for row in matrix for name in row.faults}

    assert injected | set(not_visible) == {fault.name for fault in FAULTS}
    assert not injected & set(not_visible)


def test_names_in_the_matrix_are_unique(matrix: Sequence[Any]) -> None:
    names = [row.name for row in matrix]

    assert len(names) == len(set(names))
