"""Each canary meets a rotation as the class of its library has it, in times that its own options have shortened."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

import pytest

from drills.canaries.client import RunningCanary, Verdict
from drills.canaries.registry import CANARIES, Canary

pytestmark = pytest.mark.process

SHORT, SHORTER = 0.6, 0.3  # seconds; Nimbus wants the cooldown below the time to live
FETCH_AT_ONCE = ("authlib", "node-jwks-rsa", "go-oidc", "spring-nimbus", "mod-auth-openidc", "mod-oauth2")
FLUSH = ("mod-auth-openidc", "mod-oauth2")
ONE_FETCH_FREE = ("keyfunc", "nimbus-jwk-source")
COOL_DOWN = ("pyjwt", "jose", "openid-client")
FORGET = ("pyjwt", "jose", "node-jwks-rsa", "nimbus-jwk-source", "mod-oauth2")

Start = Callable[..., AbstractContextManager[RunningCanary]]
Until = Callable[[RunningCanary, str, bool], Verdict]


class Provider(Protocol):
    """What these tests need of it."""

    def token(self) -> str: ...

    def rotate(self) -> None: ...

    def outage(self) -> AbstractContextManager[None]: ...

    def fetches(self) -> int: ...


def hurried(canary: Canary) -> Canary:
    """The canary in a time that runs a hundred times as fast, for libraries whose times are constants."""
    assert shutil.which("faketime"), "faketime is missing: apt-get install --no-install-recommends faketime"
    return replace(canary, command=("faketime", "-f", "+0 x100", *canary.command))


@pytest.mark.parametrize("name", FETCH_AT_ONCE)
def test_a_library_without_cooldown_accepts_every_new_key_at_once(
    name: str, provider: Provider, start_canary: Start
) -> None:
    with start_canary(CANARIES[name]) as canary:
        canary.check(provider.token())
        verdicts = []
        for _ in range(2):
            provider.rotate()
            verdicts.append(canary.check(provider.token()))

    assert [verdict.error for verdict in verdicts] == ["", ""]


@pytest.mark.parametrize("name", FLUSH)
def test_a_token_of_the_new_key_makes_a_module_of_apache_refuse_tokens_of_the_removed_one(
    name: str, provider: Provider, start_canary: Start
) -> None:
    with start_canary(CANARIES[name]) as canary:
        of_the_old_key = provider.token()
        before = canary.check(of_the_old_key)
        provider.rotate()
        until_then = canary.check(of_the_old_key)
        canary.check(provider.token())
        after = canary.check(of_the_old_key)

    assert [before.ok, until_then.ok, after.ok] == [True, True, False]


@pytest.mark.parametrize("name", ONE_FETCH_FREE)
def test_a_library_with_a_rate_limit_accepts_the_first_new_key_and_refuses_the_second(
    name: str, provider: Provider, start_canary: Start
) -> None:
    with start_canary(CANARIES[name]) as canary:
        canary.check(provider.token())
        verdicts = []
        for _ in range(2):
            provider.rotate()
            verdicts.append(canary.check(provider.token()))

    assert [verdict.ok for verdict in verdicts] == [True, False]


@pytest.mark.parametrize("name", COOL_DOWN)
def test_a_library_with_a_cooldown_refuses_a_new_key_at_first(
    name: str, provider: Provider, start_canary: Start
) -> None:
    with start_canary(CANARIES[name]) as canary:
        canary.check(provider.token())
        provider.rotate()
        verdict = canary.check(provider.token())

    assert not verdict.ok


@pytest.mark.parametrize("name", ["pyjwt", "jose", *ONE_FETCH_FREE])
def test_a_shortened_cooldown_lets_new_keys_in_sooner(
    name: str, provider: Provider, start_canary: Start, until: Until
) -> None:
    row = CANARIES[name]
    with start_canary(row, row.shortened(cooldown=SHORTER)) as canary:
        canary.check(provider.token())
        verdicts = []
        for _ in range(2):
            provider.rotate()
            verdicts.append(until(canary, provider.token(), True))

    assert [verdict.error for verdict in verdicts] == ["", ""]


def test_a_cooldown_that_no_option_shortens_ends_by_itself(
    provider: Provider, start_canary: Start, until: Until
) -> None:
    with start_canary(hurried(CANARIES["openid-client"])) as canary:
        canary.check(provider.token())
        provider.rotate()
        verdict = until(canary, provider.token(), True)

    assert verdict.error == ""


@pytest.mark.parametrize("name", [*FORGET, "keyfunc"])
def test_a_removed_key_is_refused_once_the_shortened_cache_has_expired(
    name: str, provider: Provider, start_canary: Start, until: Until
) -> None:
    row = CANARIES[name]
    with start_canary(row, row.shortened(ttl=SHORT, cooldown=SHORTER)) as canary:
        of_the_old_key = provider.token()
        before = canary.check(of_the_old_key)
        provider.rotate()
        after = until(canary, of_the_old_key, False)

    assert before.ok
    assert not after.ok


def test_keys_that_were_loaded_once_accept_no_new_key_before_a_restart(provider: Provider, start_canary: Start) -> None:
    row = CANARIES["static-keys"]
    with start_canary(row) as canary:
        provider.rotate()
        running = canary.check(provider.token())
    with start_canary(row) as canary:
        restarted = canary.check(provider.token())

    assert not running.ok
    assert restarted.ok


@pytest.mark.parametrize("name", FORGET)
def test_in_an_outage_a_known_key_is_refused_once_the_shortened_cache_has_expired(
    name: str, provider: Provider, start_canary: Start, until: Until
) -> None:
    row, token = CANARIES[name], provider.token()
    with start_canary(row, row.shortened(ttl=SHORT, cooldown=SHORTER)) as canary:
        before = canary.check(token)
        with provider.outage():
            during = until(canary, token, False)
        after = until(canary, token, True)

    assert [before.ok, during.ok, after.ok] == [True, False, True]


def test_in_an_outage_keyfunc_keeps_the_keys_that_it_has(provider: Provider, start_canary: Start) -> None:
    row, token = CANARIES["keyfunc"], provider.token()
    with start_canary(row, row.shortened(ttl=SHORTER)) as canary, provider.outage():
        failed = provider.fetches() + 2
        verdicts = [canary.check(token)]
        while provider.fetches() < failed:
            verdicts.append(canary.check(token))
            time.sleep(SHORTER / 2)
        verdicts.append(canary.check(token))

    assert {verdict.error for verdict in verdicts} == {""}
