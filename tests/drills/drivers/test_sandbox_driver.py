"""Every move on the sandbox looks from outside as its description says, and can be undone, whatever was done."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest

from drills.driver import Driver, DriverFailed
from drills.drivers import driver_for
from drills.lab import TOKEN_LIFETIME, Lab
from drills.outside import Outside, expiry_of
from drills.scenario import Action, Move
from drills.target import SandboxControl
from sandbox.control_client import Control

pytestmark = pytest.mark.process

Look = Callable[[Outside], Any]

PARAMS: Mapping[Action, Mapping[str, Any]] = {
    Action.ALGORITHM: {"alg": "ES256"},
    Action.JWKS: {"kind": "5xx"},
    Action.CACHE_CONTROL: {"value": "no-store"},
    Action.CLOCK: {"seconds": 61.0},
    Action.ISSUER: {"suffix": "/"},
    Action.TOKEN_ENDPOINT: {"kind": "5xx"},
}
FIRST: Mapping[Action, Action] = {Action.ACTIVATE: Action.ANNOUNCE}

# Old and new: what is seen before and after the move.
LOOKS: Mapping[Action, Callable[[Any, Any], bool]] = {
    Action.ANNOUNCE: lambda old, new: new.signs == old.signs and len(new.published) == 2,
    Action.ACTIVATE: lambda old, new: new.signs != old.signs and {old.signs, new.signs} == set(new.published),
    Action.ROTATE: lambda old, new: new.signs != old.signs and {old.signs, new.signs} == set(new.published),
    Action.REPLACE: lambda old, new: new.signs != old.signs and new.published == (new.signs,),
    Action.REMOVE: lambda old, new: new.signs == old.signs and new.published == (),
    Action.UNPUBLISHED: lambda old, new: new.signs != old.signs and new.published == old.published,
    Action.REUSE_KID: lambda old, new: new.published == (old.signs,) and new.thumbprints != old.thumbprints,
    Action.ALGORITHM: lambda old, new: new.alg == "ES256" and new.thumbprints == old.thumbprints,
    Action.JWKS: lambda old, new: "503" in new.keys_problem and new.signs == old.signs,
    Action.STALE_EDGE: lambda old, new: new == old,  # until keys change
    Action.KID_MISSING: lambda old, new: new.signs == "" and new.published == ("",),
    Action.KID_DUPLICATE: lambda old, new: new.published == (old.signs, old.signs) and len(new.thumbprints) == 2,
    Action.CACHE_CONTROL: lambda old, new: new == old,
    Action.CLOCK: lambda old, new: new == old,
    Action.ISSUER: lambda old, new: new == old,
    Action.TOKEN_ENDPOINT: lambda old, new: "503" in new.token_problem and new.published == old.published,
    Action.CLIENT_SECRET: lambda old, new: "invalid_client" in new.token_problem and new.published == old.published,
    Action.HEAL: lambda old, new: new == old,
}


def move(action: Action) -> Move:
    return Move(action, PARAMS.get(action, {}))


def get(lab: Lab, url: str) -> httpx.Response:
    with httpx.Client(verify=ssl.create_default_context(cafile=lab.ca_file), trust_env=False) as client:
        return client.get(url)


def test_every_action_is_done_by_the_sandbox(driver: Driver) -> None:
    assert driver.can == set(Action) == set(LOOKS)


@pytest.mark.parametrize("action", Action)
def test_a_move_looks_as_it_is_described_and_once_more_changes_nothing(
    driver: Driver, outside: Outside, look: Look, action: Action
) -> None:
    before, old = driver.snapshot(), look(outside)

    for each in filter(None, (FIRST.get(action), action)):
        driver.do(move(each), before)
    new = look(outside)
    driver.do(move(action), before)

    assert LOOKS[action](old, new), new
    assert look(outside) == new
    assert new.others in (old.others, frozenset()), "keys of other algorithms stay"


@pytest.mark.parametrize("action", Action)
def test_every_move_can_be_undone_and_undone_again(
    driver: Driver, outside: Outside, look: Look, action: Action
) -> None:
    before, old = driver.snapshot(), look(outside)
    for each in filter(None, (FIRST.get(action), action)):
        driver.do(move(each), before)

    restored = []
    for _ in range(2):
        driver.restore(before)
        restored.append(look(outside))
    cleaned = []
    for _ in range(2):
        driver.clean(before, keep_new=False)
        cleaned.append(driver.snapshot())

    assert [(seen.alg, seen.signs) for seen in restored] == [(old.alg, old.signs)] * 2
    assert all(old.thumbprints <= seen.thumbprints for seen in restored)
    assert cleaned == [before] * 2
    assert look(outside) == old


@pytest.mark.parametrize("moves", [(Action.ROTATE,), (Action.REPLACE,), (Action.ANNOUNCE, Action.ACTIVATE)])
def test_after_a_rotation_that_is_kept_only_the_new_key_is_left(
    driver: Driver, outside: Outside, look: Look, moves: tuple[Action, ...]
) -> None:
    before, old = driver.snapshot(), look(outside)
    for action in moves:
        driver.do(move(action), before)

    for _ in range(2):
        driver.clean(before, keep_new=True)

    new = look(outside)
    assert new.published == (new.signs,)
    assert new.signs != old.signs


def test_the_old_key_leaves_after_its_successor_has_taken_over(driver: Driver, outside: Outside, look: Look) -> None:
    before = driver.snapshot()

    for action in (Action.ANNOUNCE, Action.ACTIVATE, Action.REMOVE):
        driver.do(move(action), before)

    new = look(outside)
    assert new.published == (new.signs,)
    driver.restore(before)
    assert look(outside).signs in before["kids"]


def test_a_stale_edge_gives_every_third_reader_the_keys_of_before(driver: Driver, outside: Outside, look: Look) -> None:
    before, old = driver.snapshot(), look(outside)
    driver.do(move(Action.STALE_EDGE), before)

    driver.do(move(Action.ROTATE), before)

    sets = [look(outside).thumbprints for _ in range(6)]
    assert sets.count(old.thumbprints) == 2
    assert len({each for each in sets if each != old.thumbprints}) == 1


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("5xx", "503"),
        ("html", "'text/html'"),
        ("error_body", "keys is missing"),
        ("empty", ""),
    ],
)
def test_a_key_set_fails_in_each_of_its_ways(
    driver: Driver, outside: Outside, look: Look, kind: str, problem: str
) -> None:
    driver.do(Move(Action.JWKS, {"kind": kind}), driver.snapshot())

    seen = look(outside)

    assert problem in seen.keys_problem
    assert seen.published == ()
    assert seen.signs != ""


@pytest.mark.parametrize(
    ("action", "kind"), [(Action.JWKS, "timeout"), (Action.JWKS, "slow"), (Action.TOKEN_ENDPOINT, "slow")]
)
def test_an_answer_can_be_late(driver: Driver, lab: Lab, outside: Outside, action: Action, kind: str) -> None:
    driver.do(Move(action, {"kind": kind, "seconds": 1.5}), driver.snapshot())
    started = time.monotonic()

    with contextlib.suppress(httpx.TransportError):  # what hung ends without an answer
        outside.mint() if action is Action.TOKEN_ENDPOINT else outside.keys()

    assert time.monotonic() - started >= 1.5


def test_clients_can_be_told_to_slow_down(driver: Driver, outside: Outside, look: Look) -> None:
    driver.do(Move(Action.TOKEN_ENDPOINT, {"kind": "429"}), driver.snapshot())

    assert "429" in look(outside).token_problem


def test_a_kind_that_nobody_knows_is_refused_with_those_that_there_are(driver: Driver) -> None:
    with pytest.raises(DriverFailed, match=r"unknown kind 'sideways': expected one of 5xx, timeout, html"):
        driver.do(Move(Action.JWKS, {"kind": "sideways"}), driver.snapshot())


def test_the_key_set_comes_with_the_wanted_header(driver: Driver, lab: Lab, outside: Outside) -> None:
    driver.do(move(Action.CACHE_CONTROL), driver.snapshot())

    assert get(lab, outside.jwks_uri).headers["cache-control"] == "no-store"


def test_discovery_names_another_issuer(driver: Driver, lab: Lab, outside: Outside) -> None:
    driver.do(move(Action.ISSUER), driver.snapshot())

    document = get(lab, f"{outside.issuer.url}/.well-known/openid-configuration").json()

    assert document["issuer"] == f"{outside.issuer.url}/"


@pytest.mark.parametrize("seconds", [61.0, -61.0])
def test_the_provider_s_clock_is_off(driver: Driver, outside: Outside, seconds: float) -> None:
    driver.do(Move(Action.CLOCK, {"seconds": seconds}), driver.snapshot())

    issued = jwt.decode(outside.mint(), options={"verify_signature": False})["iat"]

    assert abs(issued - time.time() - seconds) < 30


def test_healing_leaves_the_keys_as_they_are(driver: Driver, outside: Outside, look: Look) -> None:
    before = driver.snapshot()
    driver.do(move(Action.ROTATE), before)
    rotated = look(outside)
    for action in (Action.JWKS, Action.CLIENT_SECRET, Action.KID_MISSING):
        driver.do(move(action), before)

    driver.do(move(Action.HEAL), before)

    assert look(outside) == rotated


def test_faults_and_rules_of_others_outlive_a_drill(driver: Driver, control: Control) -> None:
    control.fault("client-rejected", client_id="portal")
    control.proxy_rules([{"path": "^/userinfo$", "kind": "delay", "seconds": 1.0}])
    before = driver.snapshot()
    for action in (Action.CLIENT_SECRET, Action.JWKS):
        driver.do(move(action), before)

    driver.restore(before)

    assert control.state()["faults"]["client-rejected"]["client_id"] == "portal"
    assert [rule["path"] for rule in control.rules()] == ["^/userinfo$"]


def test_tokens_of_a_lab_outlive_what_a_drill_observes(outside: Outside) -> None:
    assert expiry_of(outside.mint()) >= time.time() + TOKEN_LIFETIME - 60


def test_a_lab_shows_no_secret(lab: Lab) -> None:
    secrets = {value for name, value in lab.environ.items() if name.startswith("SANDBOX_")}

    assert secrets
    assert [value for value in secrets if value in repr(lab)] == []


def test_both_control_ports_are_looked_at_before_a_drill(driver: Driver) -> None:
    assert [(ready.name, ready.ok) for ready in driver.ready()] == [("control API", True), ("fault proxy", True)]


def on(lab: Lab, outside: Outside, provider: SandboxControl) -> Driver:
    return driver_for(replace(lab.target, provider=provider), outside, lab.environ, lambda _text: None)


def test_a_control_port_where_nobody_listens_is_not_ready(lab: Lab, outside: Outside) -> None:
    driver = on(lab, outside, SandboxControl("http://127.0.0.1:9"))

    [ready] = driver.ready()

    assert not ready.ok
    assert "cannot be reached" in ready.text
    with pytest.raises(DriverFailed, match="cannot be reached"):
        driver.snapshot()


def test_a_control_port_of_another_provider_is_not_ready(lab: Lab, outside: Outside) -> None:
    assert isinstance(lab.target.provider, SandboxControl)
    other = replace(outside, issuer=replace(outside.issuer, url="https://login.acme.example"))
    driver = driver_for(lab.target, other, lab.environ, lambda _text: None)

    [ready] = driver.ready()

    assert not ready.ok
    assert "not https://login.acme.example" in ready.text


def test_without_a_fault_proxy_what_needs_one_is_refused(lab: Lab, outside: Outside) -> None:
    assert isinstance(lab.target.provider, SandboxControl)
    driver = on(lab, outside, SandboxControl(lab.target.provider.control))

    assert Action.STALE_EDGE not in driver.can
    assert {Action.ROTATE, Action.CLOCK} <= driver.can
    with pytest.raises(DriverFailed, match="needs a fault proxy"):
        driver.do(move(Action.STALE_EDGE), driver.snapshot())


def test_keys_that_the_provider_has_forgotten_are_an_error_that_says_so(driver: Driver) -> None:
    before = driver.snapshot()

    with pytest.raises(DriverFailed, match="no such key"):
        driver.restore({**before, "active": "unknown"})


def without_proxy(lab: Lab, outside: Outside, *actions: Action) -> Driver:
    """The driver of a drill that makes these moves, after the fault proxy has gone."""
    assert isinstance(lab.target.provider, SandboxControl)
    provider = replace(lab.target.provider, fault_control="http://127.0.0.1:9")
    target = replace(lab.target, provider=provider)
    return driver_for(target, outside, lab.environ, lambda _text: None, actions=frozenset(actions))


def test_a_fault_proxy_that_is_gone_keeps_nothing_else_from_being_restored(
    driver: Driver, lab: Lab, outside: Outside, look: Look, control: Control
) -> None:
    before, old = driver.snapshot(), look(outside)
    for action in (Action.REPLACE, Action.ALGORITHM, Action.CLIENT_SECRET):
        driver.do(move(action), before)

    with pytest.raises(DriverFailed, match="the fault proxy cannot be reached"):
        without_proxy(lab, outside, *Action).restore(before)

    assert (look(outside).alg, look(outside).signs) == (old.alg, old.signs)


def test_a_drill_without_faults_on_the_path_needs_no_fault_proxy_to_be_undone(
    driver: Driver, lab: Lab, outside: Outside, look: Look
) -> None:
    before, old = driver.snapshot(), look(outside)
    driver.do(move(Action.ROTATE), before)

    without_proxy(lab, outside, Action.ROTATE).restore(before)

    assert look(outside).signs == old.signs


def test_faults_end_also_where_the_keys_of_before_are_forgotten(driver: Driver, outside: Outside, look: Look) -> None:
    before = driver.snapshot()
    driver.do(move(Action.CLIENT_SECRET), before)

    with pytest.raises(DriverFailed, match="no such key"):
        driver.restore({**before, "active": "unknown"})

    assert look(outside).token_problem == ""
