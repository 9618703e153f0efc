"""A configuration, a key ledger with a rotation in it, and the program's command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from exporters.ledger import KEYS, LedgerStore
from oidcwatch.cli import make_app
from probes.ledger import KeyFacts, SetSeen, TokenSeen
from probes.memory import Memory
from probes.subjects import Issuer

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://login.acme.example"
CONFIG = f"""
region: {{name: eu}}
agent: {{data_dir: data}}
issuers:
  - {{name: acme, url: "{URL}", probes: [jwks]}}
  - {{name: idle, url: "https://idle.example", probes: [jwks]}}
"""

Keys = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the configuration, and no ledger yet."""
    (tmp_path / "oidcwatch.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def rotated(folder: Path) -> Path:
    """The old key signed for two minutes, the new one was published after one, and the old one left after three."""
    old = KeyFacts("AAAAthumbprint-of-the-old-key", "old", "RSA", "RS256", "sig", "", 2048)
    new = KeyFacts("BBBBthumbprint-of-the-new-key", "[red]new", "RSA", "RS256", "sig", "", 2048)
    issuer, store = Issuer("acme", URL), LedgerStore(folder / "data" / KEYS)
    memory = Memory(keep=store.keep)
    memory.observe(issuer, SetSeen(_at(0), "eu", (old,), 60))
    memory.observe(issuer, TokenSeen(_at(0), old, _at(5)))
    edges = {"192.0.2.1": frozenset({old.thumbprint, new.thumbprint}), "2001:db8::1": frozenset({old.thumbprint})}
    memory.observe(issuer, SetSeen(_at(1), "eu", (old, new), 60, addresses=edges))
    memory.observe(issuer, TokenSeen(_at(2), new, _at(7)))
    memory.observe(issuer, SetSeen(_at(3), "eu", (new,), 60))
    store.close()
    return folder


@pytest.fixture
def keys(folder: Path) -> Keys:
    """Runs `oidcwatch keys`."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(make_app(), ["keys", *arguments, "-c", str(folder / "oidcwatch.yaml")])

    return run


@pytest.fixture
def keys_json(keys: Keys) -> Callable[..., Any]:
    """What `oidcwatch keys ... --json` prints."""

    def run(*arguments: str) -> Any:
        done = keys(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


def _at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)
