"""What libraries make of an error that comes as JSON with status 200 where the key set was: the table's `error_body`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import pytest

from drills.canaries.client import RunningCanary
from drills.canaries.registry import CANARIES
from drills.verifiers import ErrorBody, verifiers

pytestmark = pytest.mark.process

EMPTIED = ("go-oidc", "authlib", "keyfunc", "mod-oauth2")
FETCH_AND_KEEP = ("node-jwks-rsa", "nimbus-jwk-source", "mod-auth-openidc")

Start = Callable[..., AbstractContextManager[RunningCanary]]


class Provider(Protocol):
    """What these tests need of it."""

    def token(self) -> str: ...

    def rotate(self) -> None: ...

    def outage(self, error: str = "") -> AbstractContextManager[None]: ...

    def fetches(self) -> int: ...


def fetch_an_error(canary: RunningCanary, provider: Provider) -> tuple[str, str]:
    """A token with an unknown kid makes it fetch, and an error comes. Gives the old token, and the new one."""
    old = provider.token()
    assert canary.check(old).ok
    provider.rotate()
    new = provider.token()
    with provider.outage("server_error"):
        before = provider.fetches()
        assert not canary.check(new).ok
        assert provider.fetches() > before
    return old, new


@pytest.mark.parametrize("name", EMPTIED)
def test_an_error_takes_the_place_of_the_keys(name: str, provider: Provider, start_canary: Start) -> None:
    with start_canary(CANARIES[name]) as canary:
        old, _ = fetch_an_error(canary, provider)
        with provider.outage("server_error"):
            verdict = canary.check(old, timeout=1.0)  # keyfunc waits for its limiter, to fetch again

    assert not verdict.ok
    assert verifiers()[name].error_body is ErrorBody.EMPTY


@pytest.mark.parametrize("name", FETCH_AND_KEEP)
def test_an_error_leaves_the_keys_that_are_cached(name: str, provider: Provider, start_canary: Start) -> None:
    with start_canary(CANARIES[name]) as canary:
        old, _ = fetch_an_error(canary, provider)
        with provider.outage("server_error"):
            verdict = canary.check(old)

    assert verdict.error == ""
    assert verifiers()[name].error_body is ErrorBody.FAILURE


def test_authlib_does_not_get_over_an_error_without_a_restart(provider: Provider, start_canary: Start) -> None:
    with start_canary(CANARIES["authlib"]) as canary:
        _, new = fetch_an_error(canary, provider)
        before = provider.fetches()
        running = canary.check(new)
        after = provider.fetches()
    with start_canary(CANARIES["authlib"]) as canary:
        restarted = canary.check(new)

    assert (running.ok, after) == (False, before)
    assert restarted.ok
