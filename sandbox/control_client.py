"""A small synchronous client of the control APIs, for tests, demo and drills."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


class ControlError(RuntimeError):
    """The control API refused; the message is its own."""


@dataclass(frozen=True, slots=True)
class Control:
    """Steers one running sandbox. Every method raises ControlError when the sandbox refuses."""

    url: str
    fault_url: str = ""
    """The fault proxy's control port; empty without a proxy."""
    timeout: float = 10.0

    def fault(self, name: str, *, client_id: str = "", times: int | None = None, **params: Any) -> None:
        """Switch a row of `sandbox.faults` on, for one client only or the next `times` occasions only if given."""
        body = {"name": name, "params": params, "client_id": client_id, "times": times}
        self._call("POST", f"{self.url}/faults", body)

    def clear(self, name: str = "") -> None:
        """Switch one fault off, or all of the provider's and of the proxy's."""
        self._call("DELETE", f"{self.url}/faults/{quote(name)}" if name else f"{self.url}/faults")
        if not name and self.fault_url:
            self.proxy_rules([])
            self.certificate("good")

    def rotate(self, mode: str, *, alg: str | None = None, kid: str = "") -> dict[str, Any]:
        """Rotate the signing keys (see `sandbox.keys.KeyRing.rotate`); gives the key ids by algorithm."""
        answer = self._call("POST", f"{self.url}/keys", {"mode": mode, "alg": alg, "kid": kid})
        return dict(answer["algorithms"])

    def place(self, alg: str, active: str, published: Sequence[str]) -> None:
        """Put the keys of one algorithm into this state, by thumbprint (see `sandbox.keys.KeyRing.place`)."""
        self._call("PUT", f"{self.url}/keys", {"alg": alg, "active": active, "published": list(published)})

    def keys(self) -> dict[str, Any]:
        """Key ids by algorithm: active, announced, published; `thumbprints` has the same by thumbprint."""
        return dict(self._call("GET", f"{self.url}/keys")["algorithms"])

    def clock(self, seconds: float | None = None, *, date: float | None = None) -> None:
        """How many seconds tokens, and the Date header, are ahead of the real time; None leaves one as it is."""
        self._call("POST", f"{self.url}/clock", {"tokens": seconds, "date": date})

    def settings(self, **values: Any) -> None:
        """Change settings of `sandbox.realm.Settings`."""
        self._call("POST", f"{self.url}/settings", values)

    def set_password(self, username: str, password: str) -> None:
        self._call("POST", f"{self.url}/password", {"username": username, "password": password})

    def reset(self) -> None:
        """Forget sessions, consents, codes, tokens and counters."""
        self._call("POST", f"{self.url}/reset", {})

    def state(self) -> dict[str, Any]:
        """Active faults, keys, clock, settings and hits."""
        return self._call("GET", f"{self.url}/state")

    def hits(self) -> dict[str, int]:
        """How often each endpoint of the provider was asked."""
        return dict(self.state()["hits"])

    def resources(self) -> dict[str, Any]:
        """Cache policy, key ids held and number of fetches of each resource server."""
        return self._call("GET", f"{self.url}/resources")

    def resource(self, name: str, **durations: float) -> None:
        """Change `cooldown` or `period` of a resource server's key cache, in seconds."""
        self._call("POST", f"{self.url}/resources/{quote(name)}", durations)

    def restart_resource(self, name: str) -> None:
        """Make a resource server forget the keys that it holds."""
        self._call("POST", f"{self.url}/resources/{quote(name)}/restart", {})

    def proxy_hits(self) -> dict[str, int]:
        """How often each path was asked of the fault proxy."""
        return dict(self._call("GET", f"{self.fault_url}/hits"))

    def rules(self) -> list[dict[str, Any]]:
        """The rules of the fault proxy, as `proxy_rules` takes them."""
        return list(self._call("GET", f"{self.fault_url}/rules")["rules"])

    def proxy_rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Replace the rules of the fault proxy (see `sandbox.proxyrules`)."""
        self._call("PUT", f"{self.fault_url}/rules", {"rules": list(rules)})

    def certificate(self, kind: str) -> None:
        """Choose what the proxy's TLS listener shows (see `sandbox.certificates`); without TLS only `good` is accepted."""
        self._call("PUT", f"{self.fault_url}/certificate", {"kind": kind})

    def _call(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the URL is the sandbox's own
            url, data, {"Content-Type": "application/json"}, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is never behind a proxy
        try:
            with opener.open(request, timeout=self.timeout) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            with error:
                detail = error.read(4096).decode(errors="replace")
            raise ControlError(f"{method} {url}: HTTP {error.code}: {detail}") from error
