"""One command starts a Keycloak, drills on it with real verifiers, and finds each where the prediction has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drills.canaries.registry import CANARIES

pytestmark = [pytest.mark.real, pytest.mark.process]

_SECONDS = 300.0
_TOLERANCE = 2.0  # one poll, and what an answer and the fetch for it may take on a busy machine
_SHORT = ("--ttl", "6s", "--cooldown", "2s", "--longest", "25s")
# Every real one but openid-client, whose minute of cooldown nothing shortens, and the one with static keys.
_REAL = tuple(name for name in CANARIES if name not in ("openid-client", "static-keys"))
# Those whose own settings can be made so short; Spring, openid-client and Apache keep their five minutes.
_SHORTENED = ("pyjwt", "jose", "node-jwks-rsa", "nimbus-jwk-source", "keyfunc", "go-oidc", "authlib")


def drilled(folder: Path, scenario: str, *arguments: str) -> dict[str, Any]:
    """The record of a drill on a Keycloak of its own, which must have passed."""
    ended = subprocess.run(
        [sys.executable, "-m", "oidcwatch", "drill", "run", scenario, "--keycloak", "--json", "--out", str(folder), *arguments],
        env={**os.environ}, capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    record: dict[str, Any] = json.loads(ended.stdout or "{}")
    assert ended.returncode == 0, (record.get("because"), record.get("preflight"), ended.stderr)
    return record


def named(verifiers: tuple[str, ...]) -> list[str]:
    """As options."""
    return [word for name in verifiers for word in ("--verifier", name)]


def unexplained(record: dict[str, Any]) -> list[str]:
    """Verifiers whose time differs from the prediction without a word about it."""
    measure = record["measure"]
    odd = []
    for each in record["verifiers"]:
        predicted, observed = each["predicted"][measure], each["observed"][measure]
        same = predicted == observed or (None not in (predicted, observed) and abs(predicted - observed) <= _TOLERANCE)
        if not same and "sooner" not in each["said"] and "later" not in each["said"]:
            odd.append(each["said"])
    return odd


def test_every_real_verifier_accepts_keycloaks_new_key_when_predicted(tmp_path: Path) -> None:
    record = drilled(tmp_path, "zero-lead", "--cooldown", "2s", *named(_REAL))

    real = [each for each in record["verifiers"] if each["kind"] == "canary"]
    assert len(real) >= 10
    assert len({each["language"] for each in real}) >= 5  # with Apache's module
    assert any(each["name"].startswith("mod-auth-openidc") for each in real)
    assert all(each["observed"]["accept"] is not None for each in real)
    assert unexplained(record) == []


@pytest.mark.parametrize(("scenario", "never"), [
    ("early-removal", {"go-oidc", "authlib"}),
    ("jwks-outage-5xx", {"go-oidc", "authlib", "keyfunc"}),
])  # fmt: skip
def test_verifiers_give_up_keycloaks_keys_when_predicted(tmp_path: Path, scenario: str, never: set[str]) -> None:
    record = drilled(tmp_path, scenario, *_SHORT, *named(_SHORTENED))

    measure = record["measure"]
    assert {each["name"] for each in record["verifiers"] if each["observed"][measure] is None} == never
    assert unexplained(record) == []
