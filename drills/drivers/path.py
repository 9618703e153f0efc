"""What a fault proxy in front of a provider can do for a drill: answers fail, are late, are old, or say something else."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from drills.driver import DriverFailed, Ready
from drills.outside import Outside
from drills.scenario import SLOW_SECONDS, Action, Move
from probes.metadata import require_endpoint
from probes.model import ProbeFailure
from sandbox.control_client import Control, ControlError

Rule = Mapping[str, Any]
"""One of `sandbox.proxyrules`, as JSON."""

_DISCOVERY = r"/\.well-known/(openid-configuration|oauth-authorization-server)$"
_EDGES = 3  # every third answer is an old one; two would stay in step with a verifier that fetches twice a round


def _body(document: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "body", "base64": base64.b64encode(json.dumps(document).encode()).decode()}


_HANG: Rule = MappingProxyType({"kind": "hang"})
_UNAVAILABLE: Rule = MappingProxyType({"kind": "status", "status": 503})

_KEY_SET: Mapping[str, Rule] = MappingProxyType(
    {
        # Without a body: who does not look at the status finds no JSON, as in the pages of most gateways.
        "5xx": MappingProxyType({**_UNAVAILABLE, "form": "empty"}),
        "timeout": _HANG,
        "html": MappingProxyType({"kind": "html"}),
        "error_body": MappingProxyType(_body({"error": "server_error", "error_description": "try again later"})),
        "empty": MappingProxyType(_body({"keys": []})),
        "slow": MappingProxyType({"kind": "delay", "seconds": SLOW_SECONDS}),
    }
)
_TOKEN_ENDPOINT: Mapping[str, Rule] = MappingProxyType(
    {
        "5xx": MappingProxyType({**_UNAVAILABLE, "error": "server_error"}),
        "429": MappingProxyType({"kind": "status", "status": 429, "error": "slow_down", "retry_after": 1}),
        "slow": MappingProxyType({"kind": "delay", "seconds": SLOW_SECONDS}),
    }
)


@dataclass(frozen=True, slots=True)
class PathFaults:
    """Steers the fault proxy whose control port is `control.fault_url`. Every method raises DriverFailed."""

    control: Control
    outside: Outside
    used: bool = True
    """Whether the drill makes such moves. One that does not leaves the proxy as it is, also when that is gone."""

    @property
    def can(self) -> frozenset[Action]:
        """All of it, or nothing where there is no proxy."""
        return PATH_ACTIONS if self.control.fault_url else frozenset()

    def ready(self) -> tuple[Ready, ...]:
        """Whether the proxy's control port answers."""
        if not self.control.fault_url:
            return ()
        try:
            rules = self.rules()
        except DriverFailed as failure:
            return (Ready("fault proxy", False, str(failure)),)
        return (Ready("fault proxy", True, f"answers at {self.control.fault_url}, with {len(rules)} rules of others"),)

    def rules(self) -> list[dict[str, Any]]:
        """Those that are in force; none where there is no proxy."""
        return told("the fault proxy", self.control.rules) if self.control.fault_url else []

    def do(self, move: Move) -> None:
        """Make one of the moves in `can`; the same again changes nothing."""
        rule = _RULES[move.action](self.outside, move.params)
        standing = self.rules()
        if any(rule.items() <= other.items() for other in standing):
            return
        told("the fault proxy", lambda: self.control.proxy_rules([rule, *standing]))
        if move.action is Action.STALE_EDGE:
            self._remember()

    def _remember(self) -> None:
        """Asks for the key set: the first answer under the rule is the one that the stale edge keeps."""
        try:
            self.outside.keys()
        except (ProbeFailure, OSError) as error:
            raise DriverFailed(f"the key set cannot be read before it is made stale: {error}") from error

    def restore(self, rules: list[dict[str, Any]]) -> None:
        """The rules of before, and no other."""
        if self.used and self.control.fault_url and self.rules() != rules:
            told("the fault proxy", lambda: self.control.proxy_rules(rules))


def told(whom: str, action: Callable[[], Any]) -> Any:
    """What it answers. Raises DriverFailed when it refuses or cannot be reached."""
    try:
        return action()
    except ControlError as error:
        raise DriverFailed(f"{whom} refused: {error}") from error
    except (OSError, ValueError) as error:  # urllib's errors are OSErrors; no JSON is a ValueError
        raise DriverFailed(f"{whom} cannot be reached: {error}; is it running?") from error


def _key_set(outside: Outside, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": _path_of(outside.jwks_uri), **_kind(_KEY_SET, params)}


def _token_endpoint(outside: Outside, params: Mapping[str, Any]) -> dict[str, Any]:
    url = require_endpoint(outside.metadata.token_endpoint, "token_endpoint")
    return {"path": _path_of(url), "method": "POST", **_kind(_TOKEN_ENDPOINT, params)}


def _stale_edge(outside: Outside, _params: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": _path_of(outside.jwks_uri), "kind": "stale", "every": _EDGES}


def _cache_control(outside: Outside, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": _path_of(outside.jwks_uri), "kind": "header", "set": {"Cache-Control": str(params["value"])}}


def _issuer(outside: Outside, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": _DISCOVERY, "kind": "json", "set": {"issuer": f"{outside.issuer.url}{params['suffix']}"}}


_RULES: Mapping[Action, Callable[[Outside, Mapping[str, Any]], dict[str, Any]]] = MappingProxyType(
    {
        Action.JWKS: _key_set,
        Action.TOKEN_ENDPOINT: _token_endpoint,
        Action.STALE_EDGE: _stale_edge,
        Action.CACHE_CONTROL: _cache_control,
        Action.ISSUER: _issuer,
    }
)


PATH_ACTIONS = frozenset(_RULES)
"""What a fault proxy can do."""


def _kind(rows: Mapping[str, Rule], params: Mapping[str, Any]) -> Rule:
    kind = str(params.get("kind", ""))
    if kind not in rows:
        raise DriverFailed(f"unknown kind {kind!r}: expected one of {', '.join(rows)}")
    return {**rows[kind], **({"seconds": params["seconds"]} if "seconds" in params else {})}


def _path_of(url: str) -> str:
    return f"^{re.escape(urlsplit(url).path)}$"
