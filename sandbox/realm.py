"""Everything that one provider consists of, in one value that its parts are given."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sandbox.accounts import Directory
from sandbox.clock import Clock
from sandbox.keys import ALGORITHMS, KeyRing
from sandbox.points import FaultBoard, Situation
from sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator of a provider would configure. Durations in seconds."""

    jwks_max_age: int = 300
    jwks_cache_control: str = ""
    """The key set's Cache-Control; empty: `public` with that max-age."""
    access_token_alg: str = "RS256"
    """One of `sandbox.keys.ALGORITHMS`."""
    login_pages: int = 1
    """1: user name and password on one page; 2: one after the other."""
    confirm_logout: bool = False
    code_lifetime: int = 60
    access_token_lifetime: int = 300
    id_token_lifetime: int = 600
    refresh_token_lifetime: int = 8 * 3600

    def changed(self, values: Mapping[str, Any]) -> Settings:
        """A copy with these values. Raises ValueError for an unknown name, another type or an unknown algorithm."""
        known = {item.name: type(getattr(self, item.name)) for item in fields(self)}
        for name, value in values.items():
            if name not in known or type(value) is not known[name]:
                raise ValueError(f"settings.{name}: expected one of {', '.join(known)} with its type, got {value!r}")
        if values.get("access_token_alg", self.access_token_alg) not in ALGORITHMS:
            raise ValueError(f"settings.access_token_alg: expected one of {', '.join(ALGORITHMS)}")
        return replace(self, **values)


class Hits:
    """How often each endpoint was asked. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, endpoint: str) -> None:
        with self._lock:
            self._counts[endpoint] += 1

    def clear(self) -> None:
        with self._lock:
            self._counts.clear()

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


@dataclass(slots=True)
class Realm:
    """One provider. Every part is thread-safe; `settings` is replaced as a whole."""

    issuer: str
    directory: Directory
    faults: FaultBoard
    keys: KeyRing = field(default_factory=KeyRing)
    clock: Clock = field(default_factory=Clock)
    store: Store = field(default_factory=Store)
    hits: Hits = field(default_factory=Hits)
    settings: Settings = field(default_factory=Settings)

    def situation(
        self, *, client_id: str = "", grant_type: str = "", request: Mapping[str, str] | None = None
    ) -> Situation:
        """What faults are told about the present moment."""
        return Situation(self.issuer, self.keys, client_id, grant_type, request or {})
