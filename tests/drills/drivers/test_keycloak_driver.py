"""A real Keycloak is driven by its admin REST API, and put back whatever was done."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from drills.driver import Driver, DriverFailed
from drills.drivers import driver_for
from drills.drivers.path import PATH_ACTIONS
from drills.lab import Lab
from drills.lab_keycloak import start_keycloak_lab
from drills.outside import Outside
from drills.scenario import Action, Move
from drills.target import KeycloakAdmin
from probes.subjects import SecretRef

pytestmark = [pytest.mark.real, pytest.mark.process]

Look = Callable[[Outside], Any]

MACHINE = SecretRef("env", "KEYCLOAK_MACHINE_SECRET")

# Each move with what is seen after it; keys are made, which takes Keycloak seconds, so some moves share one.
CHAINS: dict[str, tuple[tuple[Action, Callable[[Any, Any], bool]], ...]] = {
    "routine": (
        (Action.ANNOUNCE, lambda old, new: new.signs == old.signs and len(new.published) == 2),
        (Action.ACTIVATE, lambda old, new: {old.signs, new.signs} == set(new.published) != {old.signs}),
        (Action.REMOVE, lambda old, new: new.published == (new.signs,) != old.published),
    ),
    "no lead": ((Action.ROTATE, lambda old, new: {old.signs, new.signs} == set(new.published) != {old.signs}),),
    "at once": ((Action.REPLACE, lambda old, new: new.published == (new.signs,) != old.published),),
}


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with start_keycloak_lab(tmp_path_factory.mktemp("keycloak"), os.environ) as lab:
        yield lab


@pytest.fixture(scope="module")
def seen_from(keycloak: Lab, reach: Callable[[Lab], AbstractContextManager[Outside]]) -> Iterator[Outside]:
    with reach(keycloak) as outside:
        yield outside


@pytest.fixture
def driven(keycloak: Lab, seen_from: Outside) -> Driver:
    return driver_for(keycloak.target, seen_from, keycloak.environ, lambda _text: None)


def of_state(snapshot: Any) -> dict[str, Any]:
    """All but the mark, which each drill has a new one of."""
    return {name: value for name, value in snapshot.items() if name != "mark"}


@pytest.mark.parametrize("name", CHAINS)
def test_moves_on_keycloak_look_as_they_are_described_and_can_be_undone(
    driven: Driver, seen_from: Outside, look: Look, name: str
) -> None:
    before, old = driven.snapshot(), look(seen_from)

    seen = []
    for action, _ in CHAINS[name]:
        for _ in range(2):
            driven.do(Move(action), before)
        seen.append(look(seen_from))
    restored = []
    for _ in range(2):
        driven.restore(before)
        restored.append(look(seen_from))
    for _ in range(2):
        driven.clean(before, keep_new=False)

    assert [shown(old, new) for (_, shown), new in zip(CHAINS[name], seen, strict=True)] == [True] * len(seen), seen
    assert [each.signs for each in restored] == [old.signs] * 2
    assert all(old.thumbprints <= each.thumbprints for each in restored)
    assert all(each.others == old.others for each in (*seen, *restored))
    assert look(seen_from).thumbprints == old.thumbprints
    assert of_state(driven.snapshot()) == of_state(before)


def test_every_move_of_keys_that_keycloak_can_do_is_tried_here(driven: Driver) -> None:
    tried = {action for chain in CHAINS.values() for action, _ in chain}

    assert driven.can == tried | PATH_ACTIONS | {Action.HEAL}


def test_what_fails_on_the_way_to_keycloak_heals_and_leaves_the_keys(
    driven: Driver, seen_from: Outside, look: Look
) -> None:
    before, old = driven.snapshot(), look(seen_from)
    driven.do(Move(Action.JWKS, {"kind": "empty"}), before)
    driven.do(Move(Action.TOKEN_ENDPOINT, {"kind": "5xx"}), before)
    broken = look(seen_from)

    driven.do(Move(Action.HEAL), before)

    assert (broken.published, "503" in broken.token_problem) == ((), True)
    assert look(seen_from).thumbprints == old.thumbprints


def test_the_only_key_of_a_realm_is_not_removed(driven: Driver) -> None:
    with pytest.raises(DriverFailed, match="only key of a realm"):
        driven.do(Move(Action.REMOVE), driven.snapshot())


def test_what_keycloak_cannot_do_is_refused(driven: Driver) -> None:
    assert Action.REUSE_KID not in driven.can
    with pytest.raises(DriverFailed, match="reuse_kid cannot be done to Keycloak"):
        driven.do(Move(Action.REUSE_KID), driven.snapshot())


def test_keycloak_is_ready_when_its_keys_may_be_changed(driven: Driver) -> None:
    assert [(ready.name, ready.ok) for ready in driven.ready()] == [("admin REST API", True), ("fault proxy", True)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda right: replace(right, client_id="machine", secret=MACHINE), "HTTP 403.*manage-realm"),
        (
            lambda right: replace(right, secret=MACHINE),
            "gave no token to operator in the realm .*: HTTP 401.*client_id, secret and realm",
        ),
        (lambda right: replace(right, secret=SecretRef("env", "NOT_SET")), "NOT_SET is not set"),
        (
            lambda right: replace(right, realm="nowhere"),
            r"in the realm nowhere of .*HTTP 404.*check drill\.provider\.realm",
        ),
        (lambda right: replace(right, url="http://127.0.0.1:9"), r"check drill\.provider\.url"),
    ],
)
def test_an_operator_who_may_not_or_cannot_is_not_ready_and_no_secret_is_said(
    keycloak: Lab, seen_from: Outside, change: Callable[[KeycloakAdmin], KeycloakAdmin], said: str
) -> None:
    assert isinstance(keycloak.target.provider, KeycloakAdmin)
    target = replace(keycloak.target, provider=change(keycloak.target.provider))
    driver = driver_for(target, seen_from, keycloak.environ, lambda _text: None)

    ready = driver.ready()[0]

    assert not ready.ok
    assert re.search(said, ready.text), ready.text
    secrets = [value for name, value in keycloak.environ.items() if name.startswith("KEYCLOAK_")]
    assert [value for value in secrets if value in f"{ready} {driver!r}"] == []


def test_a_key_of_an_earlier_drill_that_is_gone_keeps_no_rollback_from_its_end(
    driven: Driver, seen_from: Outside, look: Look
) -> None:
    old = look(seen_from)
    earlier = driven.snapshot()
    driven.do(Move(Action.ANNOUNCE), earlier)
    before = driven.snapshot()
    as_once = {**before, "states": {"gone": {"priority": "1", "enabled": "true", "active": "true"}, **before["states"]}}
    driven.do(Move(Action.REPLACE), before)
    driven.clean(earlier, keep_new=False)

    driven.restore(as_once)

    restored = look(seen_from)
    driven.clean(before, keep_new=False)
    assert list(before["states"]) == list(earlier["states"]), "the earlier drill's key is none of this one's"
    assert restored.signs == old.signs


def test_a_fault_proxy_that_is_gone_keeps_no_key_of_keycloak_from_being_restored(
    keycloak: Lab, driven: Driver, seen_from: Outside, look: Look
) -> None:
    before, old = driven.snapshot(), look(seen_from)
    driven.do(Move(Action.REPLACE), before)
    assert isinstance(keycloak.target.provider, KeycloakAdmin)
    provider = replace(keycloak.target.provider, fault_control="http://127.0.0.1:9")
    cut_off = driver_for(replace(keycloak.target, provider=provider), seen_from, keycloak.environ, lambda _text: None)

    with pytest.raises(DriverFailed, match="the fault proxy cannot be reached"):
        cut_off.restore(before)

    restored = look(seen_from)
    driven.clean(before, keep_new=False)
    assert restored.signs == old.signs


def test_a_rotation_of_keycloak_that_is_kept_leaves_the_new_key_only(
    driven: Driver, seen_from: Outside, look: Look
) -> None:
    before, old = driven.snapshot(), look(seen_from)
    for action in (Action.ANNOUNCE, Action.ACTIVATE):
        driven.do(Move(action), before)

    for _ in range(2):
        driven.clean(before, keep_new=True)

    new = look(seen_from)
    assert new.published == (new.signs,)
    assert new.signs != old.signs
