"""Every canary takes a good token and refuses a forged one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import pytest

from drills.canaries.client import RunningCanary
from drills.canaries.registry import CANARIES

pytestmark = pytest.mark.process

A_YEAR = 365 * 24 * 3600

Start = Callable[..., AbstractContextManager[RunningCanary]]


class Provider(Protocol):
    """What these tests need of it."""

    def token(self, fault: str = "", **params: int) -> str: ...


@pytest.fixture(scope="module", params=CANARIES)
def canary(request: pytest.FixtureRequest, start_canary: Start) -> Iterator[RunningCanary]:
    with start_canary(CANARIES[request.param]) as running:
        yield running


def test_a_token_of_the_provider_is_accepted(canary: RunningCanary, provider: Provider) -> None:
    verdict = canary.check(provider.token())

    assert (verdict.ok, verdict.error) == (True, "")


@pytest.mark.parametrize(
    ("fault", "params"),
    [
        ("access-token-bad-signature", {}),
        ("access-token-wrong-issuer", {}),
        ("access-token-wrong-audience", {}),
        ("access-token-expired", {"iat": -A_YEAR, "exp": -A_YEAR}),
    ],
)
def test_a_bad_token_is_refused_without_quoting_it(
    fault: str, params: dict[str, int], canary: RunningCanary, provider: Provider
) -> None:
    token = provider.token(fault, **params)

    verdict = canary.check(token)

    assert not verdict.ok
    assert verdict.error
    assert not [part for part in token.split(".") if part in verdict.error]


def test_what_is_no_token_is_refused_and_the_next_token_accepted(canary: RunningCanary, provider: Provider) -> None:
    refused = canary.check("no token at all")

    accepted = canary.check(provider.token())

    assert not refused.ok
    assert accepted.ok


def test_a_canary_says_which_library_it_embeds_in_which_version(canary: RunningCanary) -> None:
    assert canary.library
    assert canary.version[:1].isdigit()
