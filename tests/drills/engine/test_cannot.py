"""A drill that the provider cannot do is refused with what would help."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drills.drivers import driver_for
from drills.plan import NotReady
from drills.scenarios import SCENARIOS
from drills.target import Command, Provider, SandboxControl

pytestmark = pytest.mark.process

Range = Any  # of the conftest, which tests cannot import


def refused(range_: Range, provider: Provider) -> str:
    """What the preflight says of the moves of an outage."""
    target = replace(range_.lab.target, provider=provider)
    driver = driver_for(target, range_.outside, range_.lab.environ, lambda text: None)
    plan = replace(range_.plan(SCENARIOS["jwks-outage-5xx"], ("go-oidc",)), target=target, driver=driver)
    with pytest.raises(NotReady) as caught:
        range_.run(plan)
    return next(check.text for check in caught.value.checks if check.name == "moves")


def test_without_a_fault_proxy_it_is_said_that_one_would_do(range_: Range) -> None:
    said = refused(range_, SandboxControl(range_.control.url))

    assert said == "sandbox cannot do jwks; a fault proxy in front of it does jwks: set drill.provider.fault_control"


def test_of_a_command_it_is_said_where_what_it_knows_is_named(range_: Range) -> None:
    said = refused(range_, Command(("true",), ("rotate",), 5.0))

    assert said == "command cannot do jwks; what the command knows is in drill.provider.can"
