"""A sandbox whose secrets are known, a tap that sees every secret which is exchanged, and a net that catches them."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

import pytest
import yaml

from sandbox.egress import start_http_proxy
from sandbox.launch import Sandbox, start_sandbox

ALICE = 'Kä"n\\arie/+%&<v> 7'
"""A password that every encoding changes."""

# What is secret in an exchange, as it stands on the wire.
_ON_THE_WIRE: Mapping[str, bytes] = MappingProxyType(
    {
        "authorization code": rb"(?i)\nlocation: [^\r\n]*[?&]code=([^&\s]+)",
        "access token": rb'"access_token": ?"([^"]+)"',
        "refresh token": rb'"refresh_token": ?"([^"]+)"',
        "ID token": rb'"id_token": ?"([^"]+)"',
        "cookie": rb"(?i)\nset-cookie: [^=\r\n]+=([^;\r\n]{4,})",
        "PKCE verifier": rb"[&\n]code_verifier=([^&\s]+)",
        "client authentication": rb"(?i)\nauthorization: basic (\S+)",
        "one-time code": rb"[&\n]otp=(\d{6})",
    }
)


def _forms(value: str) -> set[str]:
    octets = value.encode()
    return {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        html.escape(value),
        repr(value)[1:-1],
        repr(repr(value)[1:-1])[1:-1],
        base64.b64encode(octets).decode().rstrip("="),
        base64.urlsafe_b64encode(octets).decode().rstrip("="),
    }


@dataclass
class Net:
    """Canaries by what they are, and the outputs that were searched, by name."""

    canaries: dict[str, set[str]] = field(default_factory=dict, repr=False)
    outputs: dict[str, str] = field(default_factory=dict, repr=False)

    def add(self, kind: str, *values: str) -> None:
        """Something that must not be seen anywhere."""
        self.canaries.setdefault(kind, set()).update(value for value in values if value)

    def keep(self, name: str, text: str) -> str:
        """An output to search; gives it back."""
        self.outputs[name] = self.outputs.get(name, "") + text
        return text

    def caught(self, text: str) -> set[str]:
        """Kinds of secrets that the text holds in any form."""
        return {
            kind
            for kind, values in self.canaries.items()
            for value in values
            if any(_is_in(form, text) for form in _forms(value))
        }

    def leaks(self) -> dict[str, set[str]]:
        """Outputs that hold secrets, with the kinds of these."""
        found = {name: self.caught(text) for name, text in self.outputs.items()}
        return {name: kinds for name, kinds in found.items() if kinds}


def _is_in(form: str, text: str) -> bool:
    # Six digits are part of many a number: a code stands alone.
    return bool(re.search(rf"(?<![\w.]){form}(?![\w.])", text)) if form.isdecimal() else form in text


class Tap:
    """Relays connections to a forward proxy and keeps every byte."""

    def __init__(self, proxy: str) -> None:
        parts = urlsplit(proxy)
        self._to = (parts.hostname or "", parts.port or 0)
        self._seen: list[bytearray] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Takes no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def secrets(self) -> dict[str, set[str]]:
        """What went by, by kind; decoded."""
        streams = [bytes(stream) for stream in self._seen]
        return {
            kind: {unquote_plus(found.decode()) if b"=" not in found else found.decode() for found in matches}
            for kind, pattern in _ON_THE_WIRE.items()
            if (matches := {match for stream in streams for match in re.findall(pattern, stream)})
        }

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._to)
                for source, target in ((near, far), (far, near)):
                    stream = bytearray()
                    self._seen.append(stream)
                    threading.Thread(target=_relay, args=(source, target, stream), daemon=True).start()


def _relay(source: socket.socket, target: socket.socket, stream: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            stream += data
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """One provider for all tests of this folder."""
    with start_sandbox() as sandbox:
        sandbox.control.set_password("alice", ALICE)
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The provider without faults, before and after."""
    shared_sandbox.control.clear()
    yield shared_sandbox
    shared_sandbox.control.clear()


@pytest.fixture
def tap() -> Iterator[Tap]:
    """A region's egress proxy that is listened to."""
    with start_http_proxy() as proxy, contextlib.closing(Tap(proxy)) as made:
        yield made


@pytest.fixture
def net(sandbox: Sandbox) -> Net:
    """Knows the secrets of the configuration."""
    made = Net()
    for name, value in {**sandbox.environ, "SANDBOX_ALICE_PASSWORD": ALICE}.items():
        made.add(name.rpartition("_")[2].lower(), value)
    return made


@dataclass(frozen=True)
class Bench:
    """Runs oidcwatch on the sandbox, with every secret in its environment."""

    sandbox: Sandbox
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """Of child processes."""
        return {
            **os.environ,
            **self.sandbox.environ,
            "SANDBOX_ALICE_PASSWORD": ALICE,
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
        }

    def config(self, proxy: str, every: str = "40s") -> Path:
        """All five kinds of probes, sent through that proxy; a further client whose user has a second factor."""
        rarely = {"every": every, "timeout": "30s"}
        clients = [
            self._client("portal", "alice", [{"type": "login", **rarely}, {"type": "refresh", **rarely}]),
            self._client("portal-post", "bob", [{"type": "login", "every": "10m", "timeout": "60s"}]),
            self._client("machine", "", [{"type": "client_credentials", **rarely}]),
        ]
        document = {
            "region": {"name": "here"},
            "egress": [{"region": "tapped", "proxy": proxy}],
            "agent": {
                "listen": "127.0.0.1:0",
                "data_dir": str(self.folder / "data"),
                "start_spread": "100ms",
                "jitter": "0s",
            },
            "log": {"level": "debug"},
            "issuers": [
                {
                    "name": "sandbox",
                    "url": self.sandbox.issuer,
                    "policy": {"allow_http": True},
                    "clients": clients,
                    "probes": [{"type": kind, **rarely, "regions": ["tapped"]} for kind in ("discovery", "jwks")],
                }
            ],
        }
        path = self.folder / "oidcwatch.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    def _client(self, name: str, user: str, probes: list[dict[str, Any]]) -> dict[str, Any]:
        client = self.sandbox.clients[name]
        prefix = f"SANDBOX_{name.upper().replace('-', '_')}"
        entry: dict[str, Any] = {
            "name": name,
            "client_id": client.client_id,
            "auth": {"method": client.auth_method, "secret": {"env": f"{prefix}_SECRET"}},
            "scopes": ["openid", "profile", "offline_access"] if user else list(client.scopes),
            "probes": [{**probe, "regions": ["tapped"]} for probe in probes],
        }
        if user:
            entry["redirect_uri"] = client.redirect_uri
            entry["post_logout_redirect_uri"] = client.post_logout_redirect_uri
            entry["user"] = {"username": user, "password": {"env": f"SANDBOX_{user.upper()}_PASSWORD"}}
            if self.sandbox.users[user].totp_seed:
                entry["user"]["totp"] = {"env": f"SANDBOX_{user.upper()}_TOTP"}
        else:
            entry["audience"] = client.audience
        return entry

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One `oidcwatch` command with the most talkative log."""
        return self.python("-m", "oidcwatch", "--log-level", "debug", *arguments)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The interpreter, to its end."""
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environ, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False,
        )  # fmt: skip

    @contextlib.contextmanager
    def agent(self, config: Path, log: Path) -> Iterator[Callable[..., tuple[int, str]]]:
        """A running agent; yields what asks its pages."""
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "oidcwatch", "--log-level", "debug", "run", "-c", str(config)],
                env=self.environ, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        assert process.stdout is not None
        try:
            url = process.stdout.readline().decode().split("/ ")[0]
            assert url.startswith("http://"), log.read_text()
            yield lambda path, method="GET", accept="*/*": _ask(url + path, method, accept)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()
            process.stdout.close()


def _ask(url: str, method: str, accept: str) -> tuple[int, str]:
    request = urllib.request.Request(url, method=method, headers={"Accept": accept})  # noqa: S310 - the agent's own URL
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode("utf-8", "replace")


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Configurations and commands on the shared sandbox."""
    return Bench(sandbox, tmp_path)


@pytest.fixture
def until() -> Callable[[Callable[[], object], str], None]:
    """Waits until something is true."""

    def wait(what: Callable[[], object], why: str) -> None:
        end = time.monotonic() + 60
        while not what():
            assert time.monotonic() < end, f"did not happen within 60 s: {why}"
            time.sleep(0.2)

    return wait
