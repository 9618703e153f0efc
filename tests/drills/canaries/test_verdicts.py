"""Every canary takes a good token and refuses a forged one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import pytest

from drills.canaries.client import RunningCanary
from drills.canaries.registry import CANARIES

pytestmark = pytest.mark.process

Start = Callable[..., AbstractContextManager[RunningCanary]]


class Provider(Protocol):
    """What these tests need of it."""

    def token(self) -> str: ...


@pytest.fixture(scope="module", params=CANARIES)
def canary(request: pytest.FixtureRequest, start_canary: Start) -> Iterator[RunningCanary]:
    with start_canary(CANARIES[request.param]) as running:
        yield running


def test_a_token_of_the_provider_is_accepted(canary: RunningCanary, provider: Provider) -> None:
    verdict = canary.check(provider.token())

    assert (verdict.ok, verdict.error) == (True, "")


def test_a_wrong_signature_is_refused_without_quoting_the_token(canary: RunningCanary, provider: Provider) -> None:
    header, claims, signature = provider.token().split(".")
    forged = "B" if signature[10] != "B" else "C"

    verdict = canary.check(f"{header}.{claims}.{signature[:10]}{forged}{signature[11:]}")

    assert not verdict.ok
    assert verdict.error
    assert not [part for part in (header, claims, signature[11:]) if part in verdict.error]


def test_what_is_no_token_is_refused_and_the_next_token_accepted(canary: RunningCanary, provider: Provider) -> None:
    refused = canary.check("no token at all")

    accepted = canary.check(provider.token())

    assert not refused.ok
    assert accepted.ok


def test_a_canary_says_which_library_it_embeds_in_which_version(canary: RunningCanary) -> None:
    assert canary.library
    assert canary.version[:1].isdigit()
