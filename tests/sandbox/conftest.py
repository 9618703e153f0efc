"""One sandbox process for the whole folder, put back into its first state before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.launch import Sandbox, start_sandbox
from sandbox.visitor import Visitor


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    control = running_sandbox.control
    control.clear()
    control.reset()
    control.clock(0.0, date=0.0)
    control.settings(jwks_max_age=300, login_pages=1, confirm_logout=False, access_token_lifetime=300)
    control.rotate("abrupt", alg="RS256")
    for name in running_sandbox.resources:
        control.restart_resource(name)
    return running_sandbox


@pytest.fixture
def visitor(sandbox: Sandbox) -> Iterator[Visitor]:
    with Visitor(sandbox) as visitor:
        yield visitor
