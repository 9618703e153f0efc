"""One sandbox for the folder, drivers for it, and what an outsider sees of a provider."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import httpx
import jwt
import pytest

from drills.driver import Driver
from drills.drivers import driver_for
from drills.lab import Lab, start_sandbox_lab
from drills.outside import Outside, look_from_outside
from drills.target import SandboxControl
from probes.http import make_http
from probes.model import ProbeFailure
from probes.secrets import secrets_from
from sandbox.control_client import Control


@dataclass(frozen=True)
class Seen:
    """What an outsider sees; empty where the provider does not answer."""

    alg: str = ""
    signs: str = ""
    """The kid in the header of a new token; empty also when there is none."""
    published: tuple[str, ...] = ()
    """Kids of RSA keys."""
    thumbprints: frozenset[str] = frozenset()
    """Of RSA keys."""
    others: frozenset[str] = frozenset()
    """Thumbprints of the keys of other algorithms."""
    token_problem: str = ""
    keys_problem: str = ""


def see(outside: Outside) -> Seen:
    seen = Seen()
    try:
        header = jwt.get_unverified_header(outside.mint())
        seen = replace(seen, alg=header["alg"], signs=header.get("kid", ""))
    except (ProbeFailure, httpx.TransportError) as error:
        seen = replace(seen, token_problem=str(error))
    try:
        keys = outside.keys().keys
    except (ProbeFailure, httpx.TransportError) as error:
        return replace(seen, keys_problem=str(error))
    ours = [key for key in keys if key.kty == "RSA" and key.signs]
    return replace(
        seen,
        published=tuple(key.kid for key in ours),
        thumbprints=frozenset(key.thumbprint for key in ours),
        others=frozenset(key.thumbprint for key in keys if key.kty != "RSA"),
    )


Look = Callable[[Outside], Seen]


@pytest.fixture(scope="session")
def look() -> Look:
    """What is seen of a provider now."""
    return see


Reach = Callable[[Lab], AbstractContextManager[Outside]]


@pytest.fixture(scope="session")
def reach() -> Reach:
    """Looks at a lab's provider from outside."""

    def outside(lab: Lab) -> AbstractContextManager[Outside]:
        http = make_http(lab.ca_file)
        return look_from_outside(lab.target.issuer, lab.target.client, http, secrets_from(lab.environ))

    return outside


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with start_sandbox_lab(os.environ) as lab:
        yield lab


@pytest.fixture(scope="session")
def outside(lab: Lab, reach: Reach) -> Iterator[Outside]:
    with reach(lab) as outside:
        yield outside


@pytest.fixture
def control(lab: Lab) -> Iterator[Control]:
    """The sandbox's, put back into its first state after the test."""
    assert isinstance(lab.target.provider, SandboxControl)
    control = Control(lab.target.provider.control, lab.target.provider.fault_control)
    first = control.keys()["RS256"]["thumbprints"]
    yield control
    control.clear()
    control.clock(0.0, date=0.0)
    control.settings(access_token_alg="RS256", jwks_cache_control="")
    control.place("RS256", first["active"], first["published"])


@pytest.fixture
def driver(lab: Lab, outside: Outside, control: Control) -> Driver:
    return driver_for(lab.target, outside, lab.environ, lambda _text: None)
