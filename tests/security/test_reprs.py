"""Values that hold a secret do not show it when they are printed."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

PACKAGES = ("probes", "exporters", "oidcwatch")
CANARY = "canary-4711"
SECRET = re.compile(
    r"(?:^|_)(?:password|secret|secrets|\w*token|code|verifier|nonce|totp|seed|parameters|body|headers)$"
)
HOLDS_TEXT = re.compile(r"str|bytes|Headers|JsonObject")
HARMLESS = {
    ("probes.login_pages", "Preset", "password"),  # a selector
    ("exporters.slis", "Sli", "seed"),  # which request it came from
}


def _classes() -> Iterator[type[Any]]:
    for package in PACKAGES:
        found = importlib.import_module(package)
        for entry in pkgutil.walk_packages(found.__path__, f"{package}."):
            if entry.name.endswith("__main__"):
                continue
            module = importlib.import_module(entry.name)
            for value in vars(module).values():
                if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__:
                    yield value


def _secret_fields(kind: type[Any]) -> list[str]:
    """By name and type: a reference to a secret, or what reads one, is none."""
    return [
        field.name
        for field in dataclasses.fields(kind)
        if SECRET.search(field.name)
        and HOLDS_TEXT.search(str(field.type))
        and "Callable" not in str(field.type)
        and (kind.__module__, kind.__name__, field.name) not in HARMLESS
    ]


HOLDERS = {f"{kind.__module__}.{kind.__name__}": kind for kind in _classes() if _secret_fields(kind)}


def test_the_known_holders_of_secrets_are_among_those_that_are_examined() -> None:
    expected = {
        "probes.token_endpoint.Tokens",
        "probes.memory.Session",
        "probes.login_pages_walk.Credentials",
        "probes.http.Response",
        "probes.checks.callback.Callback",
        "probes.login_pages_otp.TimedCode",
    }

    assert expected <= set(HOLDERS)


@pytest.mark.parametrize("name", HOLDERS)
def test_a_repr_shows_no_field_that_holds_a_secret(name: str) -> None:
    kind = HOLDERS[name]
    value = object.__new__(kind)
    for field in dataclasses.fields(kind):
        object.__setattr__(value, field.name, CANARY if field.name in _secret_fields(kind) else None)

    assert CANARY not in repr(value)
