"""A failure of the key set's endpoint is to an emulated verifier what was predicted of it: both see the same outage."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from drills.driver import Driver
from drills.drivers import driver_for
from drills.emulator import FetchKeys, key_set
from drills.lab import start_sandbox_lab
from drills.moving import failing
from drills.outside import look_from_outside
from drills.prediction import Outage
from drills.scenario import Action, Move
from probes.http import make_http
from probes.secrets import secrets_from

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[Driver, FetchKeys]]:
    """What makes the moves, and what an emulated verifier fetches."""
    with start_sandbox_lab(os.environ) as lab:
        target, http = lab.target, make_http(lab.ca_file)
        with look_from_outside(target.issuer, target.client, http, secrets_from(lab.environ)) as outside:
            driver = driver_for(target, outside, lab.environ, lambda _text: None)
            yield driver, key_set(make_http(lab.ca_file), outside.jwks_uri, asyncio.run)


@pytest.mark.parametrize("kind", ["5xx", "html", "error_body", "timeout"])
def test_an_injected_outage_is_the_one_that_is_predicted(provider: tuple[Driver, FetchKeys], kind: str) -> None:
    driver, fetch = provider
    before, move = driver.snapshot(), Move(Action.JWKS, {"kind": kind})

    driver.do(move, before)
    seen = fetch(1.0)
    driver.restore(before)

    assert seen is failing(move)[0]


def test_a_slow_key_set_is_one_to_those_who_wait_for_it(provider: tuple[Driver, FetchKeys]) -> None:
    driver, fetch = provider
    before, move = driver.snapshot(), Move(Action.JWKS, {"kind": "slow", "seconds": 1.0})

    driver.do(move, before)
    hasty, patient = fetch(0.2), fetch(10.0)
    driver.restore(before)

    assert failing(move) == (Outage.SLOW, 1.0)
    assert hasty is Outage.DEAD
    assert not isinstance(patient, Outage)
