"""Drives a realm of Keycloak: its keys by the admin REST API, everything else by a fault proxy in front of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import httpx
import jwt

from drills.driver import DriverFailed, Ready, Snapshot
from drills.drivers.attempts import all_tried
from drills.drivers.keycloak_admin import AdminApi
from drills.drivers.path import PATH_ACTIONS, PathFaults
from drills.outside import kid_of
from drills.scenario import Action, Move
from probes.model import ProbeFailure

_KEY_PROVIDER = "org.keycloak.keys.KeyProvider"
_MARK = "oidcwatch-drill-"

_STATE: Mapping[str, str] = MappingProxyType({"priority": "0", "enabled": "true", "active": "true"})
"""What a drill changes of a key's component, with Keycloak's own defaults."""

# What makes a new key for an algorithm, by Keycloak's server administration guide, "Configuring realm keys". A key that
# was imported (`rsa`, `java-keystore`) is succeeded by one that Keycloak makes.
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Mapping[str, str] = MappingProxyType({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"})
_MAKERS: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        **{alg: ("rsa-generated", {"algorithm": alg}) for alg in _RSA},
        **{alg: ("ecdsa-generated", {"ecdsaEllipticCurveKey": curve}) for alg, curve in _CURVES.items()},
        "EdDSA": ("eddsa-generated", {}),
    }
)


@dataclass(frozen=True, slots=True)
class KeycloakDriver:
    """Implements `drills.driver.Driver`.

    A key is a component of the realm. Every enabled one is published, and the one with the highest priority of its
    algorithm signs. One that is disabled keeps its private key, which is why a removal can be undone.
    """

    api: AdminApi
    path: PathFaults
    name: str = "keycloak"

    @property
    def can(self) -> frozenset[Action]:
        """Keys that are announced, used and removed; with a fault proxy also what that can do."""
        return frozenset(_ACTIONS) | self.path.can

    def ready(self) -> tuple[Ready, ...]:
        """Whether the admin REST API shows the keys and would let us change them."""
        try:
            before = self.snapshot()
            self.api.require_change(f"/components/{before['mark']}")
        except DriverFailed as failure:
            return (Ready("admin REST API", False, str(failure)), *self.path.ready())
        text = f"the keys of {before['alg']} in the realm {self.api.admin.realm} may be changed"
        return (Ready("admin REST API", True, text), *self.path.ready())

    def snapshot(self) -> Snapshot:
        """The components with keys of the algorithm that signs the client's tokens, and their state."""
        kid = self._signing_kid()
        keys = self.api.get("/keys")["keys"]
        signing = next((key for key in keys if key.get("kid") == kid), None)
        if signing is None:
            raise DriverFailed(
                f"new tokens are signed with {kid!r}, which is no key of the realm {self.api.admin.realm}"
            )
        alg = signing["algorithm"]
        if alg not in _MAKERS:
            raise DriverFailed(f"keys of {alg} cannot be driven; expected one of {', '.join(_MAKERS)}")
        rivals = {key["providerId"] for key in keys if key.get("algorithm") == alg and key.get("use") == "SIG"}
        components = {
            id_: row
            for id_, row in self.components().items()
            if id_ == signing["providerId"] or not row["name"].startswith(_MARK)  # other drills clean up theirs
        }
        return {
            "mark": f"{_MARK}{secrets.token_hex(4)}",
            "alg": alg,
            "signs": signing["providerId"],
            "states": {id_: _state(components[id_]) for id_ in rivals if id_ in components},
            "rules": self.path.rules(),
        }

    def do(self, move: Move, before: Snapshot) -> None:
        """A move that is made already is not made again."""
        action = _ACTIONS.get(move.action)
        if action is not None:
            action(self, before)
        elif move.action in self.path.can:
            self.path.do(move)
        else:
            raise DriverFailed(f"{move.action} cannot be done to Keycloak{self._what_would_help(move.action)}")

    def restore(self, before: Snapshot) -> None:
        """The key that signed before signs again; then the drill's ranks below it, and the others are as they were.

        Keys come before the fault proxy, which may be gone. Only where they cannot be reached they are tried again
        after it: the way to the admin REST API may be the one that is faulty.
        """
        keys = partial(self._restore_keys, before)
        try:
            keys()
        except DriverFailed:
            all_tried(partial(self.path.restore, before["rules"]), keys)
        else:
            self.path.restore(before["rules"])

    def _restore_keys(self, before: Snapshot) -> None:
        signs, states = before["signs"], before["states"]
        here = self.components()
        others = [id_ for id_ in states if id_ != signs and id_ in here]  # an earlier drill's key may be gone by now
        all_tried(
            partial(self.change, signs, states[signs]),
            partial(self._demote, before),
            *(partial(self.change, id_, states[id_]) for id_ in others),
        )

    def _demote(self, before: Snapshot) -> None:
        new = self.new_key(before)
        if new is not None:
            self.change(new["id"], {**_STATE, "priority": str(_priority(before) - 1)})

    def clean(self, before: Snapshot, *, keep_new: bool, added: Collection[str] = ()) -> None:
        """Deletes the drill's component, or with `keep_new` disables the one that signed before."""
        new = self.new_key(before)
        if new is None:
            return
        if keep_new:
            self.change(before["signs"], {"enabled": "false"})
        else:
            self.api.delete(f"/components/{new['id']}")

    def components(self) -> dict[str, dict[str, Any]]:
        """Every component of the realm that has keys, by id."""
        return {row["id"]: row for row in self.api.get("/components", type=_KEY_PROVIDER)}

    def new_key(self, before: Snapshot) -> dict[str, Any] | None:
        """The component that this drill has made, if it has."""
        return next((row for row in self.components().values() if row["name"] == before["mark"]), None)

    def change(self, id_: str, state: Mapping[str, str]) -> None:
        """Puts a component into this state, unless it is so already. What is not of the state goes back as it came:
        Keycloak keeps a secret that is sent as it was shown, in asterisks.
        """
        row = self.components().get(id_)
        if row is None:
            raise DriverFailed(
                f"the key component {id_} is gone from the realm {self.api.admin.realm}; publish a key by hand"
            )
        if _state(row) != {**_state(row), **state}:
            config = {**row["config"], **{name: [value] for name, value in state.items()}}
            self.api.put(f"/components/{id_}", {**row, "config": config})

    def make(self, before: Snapshot, priority: int) -> None:
        """A new key of the same algorithm with that priority."""
        provider, options = _MAKERS[before["alg"]]
        old = self.components().get(before["signs"], {"parentId": None, "config": {}})
        config = {**_STATE, **options, "priority": str(priority)}
        size = old["config"].get("keySize") if provider == "rsa-generated" else None
        self.api.post(
            "/components",
            {
                "name": before["mark"],
                "providerId": provider,
                "providerType": _KEY_PROVIDER,
                "parentId": old["parentId"],
                "config": {**{name: [value] for name, value in config.items()}, **({"keySize": size} if size else {})},
            },
        )

    def _signing_kid(self) -> str:
        try:
            return kid_of(self.path.outside.mint())
        except (ProbeFailure, httpx.HTTPError, jwt.DecodeError, OSError) as error:
            raise DriverFailed(f"no token was issued, so its key is not known: {error}") from error

    def _what_would_help(self, action: Action) -> str:
        return " without a fault proxy: set drill.provider.fault_control" if action in PATH_ACTIONS else ""


_Do = Callable[[KeycloakDriver, Snapshot], None]


def _announce(driver: KeycloakDriver, before: Snapshot) -> None:
    if driver.new_key(before) is None:
        driver.make(before, _priority(before) - 1)


def _rotate(driver: KeycloakDriver, before: Snapshot) -> None:
    new, above = driver.new_key(before), _highest(before) + 1
    if new is None:
        driver.make(before, above)
    else:
        driver.change(new["id"], {**_STATE, "priority": str(above)})


def _activate(driver: KeycloakDriver, before: Snapshot) -> None:
    if driver.new_key(before) is None:
        raise DriverFailed("no key was announced by this drill")
    _rotate(driver, before)


def _remove(driver: KeycloakDriver, before: Snapshot) -> None:
    others = [state for id_, state in before["states"].items() if id_ != before["signs"]]
    if driver.new_key(before) is None and not any(state["enabled"] == state["active"] == "true" for state in others):
        # Keycloak would make a key of its own accord, which a drill could not undo.
        raise DriverFailed("the only key of a realm cannot be removed; announce or rotate first")
    driver.change(before["signs"], {"enabled": "false"})


def _replace(driver: KeycloakDriver, before: Snapshot) -> None:
    _rotate(driver, before)
    _remove(driver, before)


_ACTIONS: Mapping[Action, _Do] = MappingProxyType(
    {
        Action.ANNOUNCE: _announce,
        Action.ACTIVATE: _activate,
        Action.ROTATE: _rotate,
        Action.REPLACE: _replace,
        Action.REMOVE: _remove,
        Action.HEAL: lambda driver, before: driver.path.restore(before["rules"]),
    }
)


def _state(component: Mapping[str, Any]) -> dict[str, str]:
    return {name: component["config"].get(name, [default])[0] for name, default in _STATE.items()}


def _priority(before: Snapshot) -> int:
    return int(before["states"][before["signs"]]["priority"])


def _highest(before: Snapshot) -> int:
    return max(int(state["priority"]) for state in before["states"].values())
