"""Drives the embedded provider by its control API, and by that of the fault proxy in front of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from drills.driver import DriverFailed, Ready, Snapshot
from drills.drivers.attempts import all_tried
from drills.drivers.path import PathFaults, told
from drills.scenario import Action, Move

_KID_FAULTS = ("jwks-kid-missing", "id-token-kid-missing", "access-token-kid-missing")
_CLIENT_FAULT = "client-rejected"
_FAULTS = (*_KID_FAULTS, _CLIENT_FAULT)
"""Every row of `sandbox.faults` that a drill switches on."""
_SETTINGS = ("access_token_alg", "jwks_cache_control")
"""Every setting of `sandbox.realm.Settings` that a drill changes."""


@dataclass(frozen=True, slots=True)
class SandboxDriver:
    """Implements `drills.driver.Driver`. Keys are those of the algorithm that signs access tokens; others stay."""

    path: PathFaults
    client_id: str
    """Of the client whose secret can be made invalid."""
    name: str = "sandbox"

    @property
    def can(self) -> frozenset[Action]:
        """Everything with a fault proxy; without one what concerns keys, clocks and the client."""
        return frozenset(_ACTIONS) | self.path.can

    def ready(self) -> tuple[Ready, ...]:
        """Whether both control ports answer, and belong to the issuer that is to be driven."""
        try:
            issuer = self._state()["issuer"]
        except DriverFailed as failure:
            return (Ready("control API", False, str(failure)),)
        wanted = self.path.outside.issuer.url
        if issuer != wanted:
            text = f"steers {str(issuer)[:200]}, not {wanted}: set drill.provider.control to this issuer's"
            return (Ready("control API", False, text),)
        return (Ready("control API", True, f"answers at {self.path.control.url}"), *self.path.ready())

    def snapshot(self) -> Snapshot:
        """Keys by thumbprint (RFC 7638), with what is switched on."""
        state = self._state()
        alg = state["settings"]["access_token_alg"]
        keys = state["keys"][alg]
        return {
            "alg": alg,
            "active": keys["thumbprints"]["active"],
            "published": keys["thumbprints"]["published"],
            "announced": keys["thumbprints"]["announced"],
            "kids": keys["published"],
            "clock": state["clock"],
            "faults": {name: fault for name, fault in state["faults"].items() if name in _FAULTS},
            "settings": {name: state["settings"][name] for name in _SETTINGS},
            "rules": self.path.rules(),
        }

    def do(self, move: Move, before: Snapshot) -> None:
        """A move that is made already is not made again."""
        action = _ACTIONS.get(move.action)
        if action is not None:
            action(self, move.params, before)
        elif move.action in self.path.can:
            self.path.do(move)
        else:
            raise DriverFailed(
                f"{move.action} needs a fault proxy in front of the sandbox: set drill.provider.fault_control"
            )

    def restore(self, before: Snapshot) -> None:
        """Puts the keys of before back by thumbprint. A key of the drill that has the kid of one of them goes.

        Keys come first, and the fault proxy, which may be gone, last.
        """
        all_tried(
            partial(self._restore_keys, before),
            lambda: self.set(access_token_alg=before["settings"]["access_token_alg"]),
            partial(self.heal, before),
        )

    def _restore_keys(self, before: Snapshot) -> None:
        now = self.keys(before)
        new = [
            thumbprint
            for thumbprint, kid in zip(now["thumbprints"]["published"], now["published"], strict=True)
            if thumbprint not in before["published"] and kid not in before["kids"]
        ]
        self.place(before, before["active"], [*before["published"], *new])

    def clean(self, before: Snapshot, *, keep_new: bool, added: Collection[str] = ()) -> None:
        """Without `keep_new` the drill's own keys leave; those that others have made since then stay."""
        keys, old = self.keys(before), before["active"]
        now = keys["thumbprints"]
        if not keep_new:
            made = _made(keys, before)
            active = old if now["active"] in made else now["active"]
            self.place(before, active, [each for each in now["published"] if each not in made])
        elif now["active"] != old:
            self.place(before, now["active"], [each for each in now["published"] if each != old])

    def heal(self, before: Snapshot) -> None:
        """Faults, clock, headers and rules as they were before."""
        clock = before["clock"]
        all_tried(
            partial(self._restore_faults, before),
            partial(self.clock, clock["tokens"], clock["date"]),
            lambda: self.set(jwks_cache_control=before["settings"]["jwks_cache_control"]),
            partial(self.path.restore, before["rules"]),
        )

    def _restore_faults(self, before: Snapshot) -> None:
        active = self._state()["faults"]
        for name in _FAULTS:
            if name in before["faults"]:
                was = before["faults"][name]
                self.fault(name, client_id=was["client_id"], times=was["times"], **was["params"])
            elif name in active:
                self._told(partial(self.path.control.clear, name))

    def keys(self, before: Snapshot) -> dict[str, Any]:
        """Of the algorithm that signed access tokens before (see `sandbox.keys.KeyRing.describe`)."""
        return dict(self._told(self.path.control.keys)[before["alg"]])

    def rotate(self, mode: str, before: Snapshot) -> None:
        """One of `sandbox.keys.MODES`."""
        kid = f"{_mark(before)}{secrets.token_hex(3)}"
        self._told(lambda: self.path.control.rotate(mode, alg=before["alg"], kid=kid))

    def place(self, before: Snapshot, active: str, published: Sequence[str]) -> None:
        """Which keys sign and are shown, by thumbprint."""
        self._told(lambda: self.path.control.place(before["alg"], active, published))

    def fault(self, name: str, *, client_id: str = "", times: int | None = None, **params: Any) -> None:
        """Switch a row of `sandbox.faults` on."""
        self._told(lambda: self.path.control.fault(name, client_id=client_id, times=times, **params))

    def clock(self, tokens: float, date: float) -> None:
        """Seconds by which each face of the clock is ahead."""
        self._told(lambda: self.path.control.clock(tokens, date=date))

    def set(self, **settings: Any) -> None:
        """Change settings of `sandbox.realm.Settings`."""
        self._told(lambda: self.path.control.settings(**settings))

    def _state(self) -> dict[str, Any]:
        return dict(self._told(self.path.control.state))

    def _told(self, action: Callable[[], Any]) -> Any:
        return told("the sandbox's control API", action)


def _mark(before: Snapshot) -> str:
    """How the kids of keys begin that the drill of this snapshot makes. No two drills begin with the same keys unless
    the first has left none of its own.
    """
    keys = " ".join((before["active"], *sorted(before["published"])))
    return f"drill-{sha256(keys.encode()).hexdigest()[:8]}-"


def _made(keys: Mapping[str, Any], before: Snapshot) -> set[str]:
    """Thumbprints of published keys that the drill has made; where it was about kids, they have one of before."""
    return {
        thumbprint
        for thumbprint, kid in zip(keys["thumbprints"]["published"], keys["published"], strict=True)
        if thumbprint not in before["published"] and (kid.startswith(_mark(before)) or kid in before["kids"])
    }


_Params = Mapping[str, Any]
_Do = Callable[[SandboxDriver, _Params, Snapshot], None]


def _announce(driver: SandboxDriver, _params: _Params, before: Snapshot) -> None:
    if driver.keys(before)["thumbprints"]["announced"] == before["announced"]:
        driver.rotate("announce", before)


def _with_new_key(mode: str) -> _Do:
    """In that mode, unless another key than that of before signs already."""

    def do(driver: SandboxDriver, _params: _Params, before: Snapshot) -> None:
        if driver.keys(before)["thumbprints"]["active"] == before["active"]:
            driver.rotate(mode, before)

    return do


def _remove(driver: SandboxDriver, _params: _Params, before: Snapshot) -> None:
    now = driver.keys(before)["thumbprints"]
    driver.place(before, now["active"], [each for each in now["published"] if each != before["active"]])


def _duplicate_kid(driver: SandboxDriver, _params: _Params, before: Snapshot) -> None:
    kids = driver.keys(before)["published"]
    if len(set(kids)) == len(kids):
        driver.rotate("duplicate_kid", before)


def _missing_kid(driver: SandboxDriver, _params: _Params, _before: Snapshot) -> None:
    for name in _KID_FAULTS:
        driver.fault(name)


_ACTIONS: Mapping[Action, _Do] = MappingProxyType(
    {
        Action.ANNOUNCE: _announce,
        Action.ACTIVATE: _with_new_key("activate"),
        Action.ROTATE: _with_new_key("overlap"),
        Action.REPLACE: _with_new_key("abrupt"),
        Action.REMOVE: _remove,
        Action.UNPUBLISHED: _with_new_key("unpublished"),
        Action.REUSE_KID: _with_new_key("same_kid"),
        Action.ALGORITHM: lambda driver, params, _before: driver.set(access_token_alg=params["alg"]),
        Action.KID_MISSING: _missing_kid,
        Action.KID_DUPLICATE: _duplicate_kid,
        Action.CACHE_CONTROL: lambda driver, params, _before: driver.set(jwks_cache_control=params["value"]),
        Action.CLOCK: lambda driver, params, _before: driver.clock(params["seconds"], params["seconds"]),
        Action.CLIENT_SECRET: lambda driver, _params, _before: driver.fault(_CLIENT_FAULT, client_id=driver.client_id),
        Action.HEAL: lambda driver, _params, before: driver.heal(before),
    }
)
