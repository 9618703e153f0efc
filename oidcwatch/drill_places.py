"""Where a drill happens: an issuer of the configuration, or a provider that is started for it; and where it is kept."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from drills.claim import state_folder
from drills.scenario import Hold, Scenario
from drills.target import Target
from drills.verifiers import Verifier
from oidcwatch.config_verifiers import table_with
from oidcwatch.drill_call import CallError, DrillCall, Lab
from oidcwatch.settings import Settings

DRILLS = "drills"
"""Folder of drills in `agent.data_dir`."""
_BRIEF_TOKENS = 60  # seconds: for drills that wait until the old key's last token has expired


@dataclass(frozen=True, slots=True)
class Place:
    """A provider to drill on."""

    target: Target
    table: Mapping[str, Verifier]
    """Every row that a verifier may be named by."""
    environ: Mapping[str, str] = field(repr=False)
    """Has the secrets that the target refers to."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Those that this process has made itself: no log may show them."""
    practice: bool = False
    """It was started for this drill and ends with it."""


@contextlib.contextmanager
def lab_place(lab: Lab, environ: Mapping[str, str], scenario: Scenario) -> Iterator[Place]:
    """Starts the provider for the length of the block.

    Raises sandbox.launch.SandboxError, sandbox.peers.peer.PeerFailed or OSError when it does not start.
    """
    from drills.lab import TOKEN_LIFETIME, start_sandbox_lab

    waits = any(move.hold is Hold.OVERLAP for move in scenario.moves)
    lifetime = _BRIEF_TOKENS if waits else TOKEN_LIFETIME
    with contextlib.ExitStack() as parts:
        if lab is Lab.SANDBOX:
            started = parts.enter_context(start_sandbox_lab(environ, lifetime))
        else:
            from drills.lab_keycloak import start_keycloak_lab

            folder = parts.enter_context(tempfile.TemporaryDirectory(prefix="oidcwatch-drill-"))
            started = parts.enter_context(start_keycloak_lab(Path(folder), environ, lifetime))
        secrets = tuple(value for name, value in started.environ.items() if environ.get(name) != value)
        yield Place(started.target, table_with(()), started.environ, secrets, practice=True)


def issuer_place(call: DrillCall, settings: Settings, environ: Mapping[str, str]) -> Place:
    """Raises CallError when the configuration has no such issuer, or says nothing of drills on it."""
    names = [issuer.name for issuer in settings.issuers]
    if call.issuer not in names:
        raise CallError(f"there is no issuer {call.issuer!r} in this configuration; there are: {', '.join(names)}")
    if call.issuer not in settings.drills:
        raise CallError(
            f"{call.issuer} has no section `drill`, which says how its provider is driven; see docs/drills.md"
        )
    return Place(settings.drills[call.issuer], table_with(settings.verifiers), environ)


def aimed(place: Place, call: DrillCall) -> Target:
    """The target with what the call says instead."""
    target = place.target
    return replace(
        target,
        prometheus=call.prometheus or target.prometheus,
        alertmanager=call.alertmanager or target.alertmanager,
    )


def lab_root(environ: Mapping[str, str]) -> Path:
    """Where drills on labs are kept (XDG Base Directory Specification: $XDG_STATE_HOME)."""
    return state_folder(environ) / DRILLS


def issuer_root(settings: Settings) -> Path:
    """Where drills on the issuers of a configuration are kept."""
    return settings.agent.data_dir / DRILLS
