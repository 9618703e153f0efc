"""Where a fault can take hold of the provider, and the board that holds the faults now active."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from sandbox.keys import KeyRing
from sandbox.reply import Draft, Reply

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Point(Generic[T]):
    """A named place where the provider lets a fault replace a value of type T."""

    name: str


DISCOVERY: Point[Reply] = Point("discovery")
JWKS: Point[Reply] = Point("jwks")
AUTHORIZE_PAGE: Point[Reply | None] = Point("authorize_page")
"""A page in place of the whole authorization endpoint, before the request is even looked at."""
AUTHORIZE_ERROR: Point[str] = Point("authorize_error")
"""The error code to redirect back with; empty for none."""
LOGIN_PAGE: Point[Reply] = Point("login_page")
LOGIN_ANSWER: Point[Reply | None] = Point("login_answer")
"""A page in place of the answer to a submitted password."""
PASSWORD_VERDICT: Point[str] = Point("password_verdict")
"""The message that a submitted password is refused with; empty when it is accepted."""
OTP_VERDICT: Point[str] = Point("otp_verdict")
TERMS: Point[bool] = Point("terms")
"""Whether terms of use are shown before the sign-in completes."""
CALLBACK: Point[Mapping[str, str]] = Point("callback")
"""Parameters of the authorization response."""
TOKEN_REQUEST: Point[Reply | None] = Point("token_request")
"""An answer in place of the token endpoint's."""
TOKEN_RESPONSE: Point[Reply] = Point("token_response")
ID_TOKEN: Point[Draft] = Point("id_token")
ACCESS_TOKEN: Point[Draft] = Point("access_token")
USERINFO: Point[Reply] = Point("userinfo")


@dataclass(frozen=True, slots=True)
class Situation:
    """What a fault may know about the moment at which it strikes."""

    issuer: str
    keys: KeyRing
    client_id: str = ""
    grant_type: str = ""
    request: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Fault(Generic[T]):
    """One row of the fault table: what goes wrong, where, and with which parameters unless told otherwise."""

    name: str
    point: Point[T]
    summary: str
    effect: Callable[[T, Situation], T]
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    grant: str = ""
    """Only for this grant type; empty means every one."""


class UnknownFaultError(ValueError):
    """No such fault, or no such parameter; the message lists what there is."""


@dataclass(frozen=True, slots=True)
class Active:
    """A fault that is switched on."""

    fault: Fault[Any]
    params: Mapping[str, Any]
    client_id: str = ""
    """Only for this client; empty means every one."""
    times: int | None = None
    """How often it still strikes; None means until it is cleared."""


class FaultBoard:
    """The faults that are switched on. Thread-safe."""

    def __init__(self, table: Iterable[Fault[Any]]) -> None:
        self._table = {fault.name: fault for fault in table}
        self._lock = threading.Lock()
        self._active: dict[str, Active] = {}

    def set(self, name: str, params: Mapping[str, Any], *, client_id: str = "", times: int | None = None) -> None:
        """Switch a fault on, replacing its earlier setting. Raises UnknownFaultError."""
        fault = self._table.get(name)
        if fault is None:
            raise UnknownFaultError(f"unknown fault {name!r}: expected one of {', '.join(sorted(self._table))}")
        unknown = set(params) - set(fault.defaults)
        if unknown:
            expected = ", ".join(fault.defaults) or "none"
            raise UnknownFaultError(f"{name}: unknown parameter {', '.join(sorted(unknown))}; expected {expected}")
        with self._lock:
            self._active[name] = Active(fault, MappingProxyType({**fault.defaults, **params}), client_id, times)

    def clear(self, name: str | None = None) -> None:
        """Switch one fault off, or all."""
        with self._lock:
            if name is None:
                self._active.clear()
            else:
                self._active.pop(name, None)

    def describe(self) -> dict[str, dict[str, Any]]:
        """The active faults with their parameters."""
        with self._lock:
            return {
                name: {"params": dict(active.params), "client_id": active.client_id, "times": active.times}
                for name, active in self._active.items()
            }

    def apply(self, point: Point[T], value: T, situation: Situation) -> T:
        """The value after every active fault of that point, in the order in which they were set."""
        for active in self._striking(point, situation):
            at = Situation(
                situation.issuer,
                situation.keys,
                situation.client_id,
                situation.grant_type,
                situation.request,
                active.params,
            )
            value = active.fault.effect(value, at)
        return value

    def _striking(self, point: Point[Any], situation: Situation) -> list[Active]:
        with self._lock:
            striking = [active for active in self._active.values() if _applies(active, point, situation)]
            for active in striking:
                if active.times == 1:
                    del self._active[active.fault.name]
                elif active.times is not None:
                    name = active.fault.name
                    self._active[name] = Active(active.fault, active.params, active.client_id, active.times - 1)
        return striking


def _applies(active: Active, point: Point[Any], situation: Situation) -> bool:
    return (
        active.fault.point == point
        and active.fault.grant in ("", situation.grant_type)
        and active.client_id in ("", situation.client_id)
    )
