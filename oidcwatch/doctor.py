"""Looks at this installation: what a run needs, whether it is there, and how to get it."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from oidcwatch.settings import Settings
from probes.model import ProbeFailure
from probes.registry import PROBES
from probes.secrets import secrets_from
from probes.subjects import SecretRef

PACKAGES = ("oidcwatch", "probes", "exporters", "alerts", "dashboards", "runbooks", "drills", "sandbox")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at. `remedy` is a command or a sentence; empty when all is well."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: the settings, when they could be loaded, and the environment."""

    settings: Settings | None
    environ: Mapping[str, str] = field(repr=False)


def _python(patient: Patient) -> Iterator[Diagnosis]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Diagnosis("python", sys.version_info >= (3, 11), version, "install Python 3.11 or later")


def _packages(patient: Patient) -> Iterator[Diagnosis]:
    """PyPI has distributions that install top-level packages of the same generic names, and pip overwrites silently."""
    owners = importlib.metadata.packages_distributions()
    foreign = {name: owners[name] for name in PACKAGES if set(owners.get(name, ["oidcwatch"])) != {"oidcwatch"}}
    found = (
        ", ".join(f"{name} is also installed by {', '.join(who)}" for name, who in foreign.items()) or "no collision"
    )
    yield Diagnosis("packages", not foreign, found, "install oidcwatch into an environment of its own")


def _browser(patient: Patient) -> Iterator[Diagnosis]:
    from probes.browser_launch import LaunchOptions, executable

    configured = patient.settings.agent.browser.executable if patient.settings else None
    path = executable(LaunchOptions(executable=configured)) or _playwright_own()
    if path and os.access(path, os.X_OK):
        yield Diagnosis("browser", True, path)
    else:
        found = f"{path} cannot be executed" if path else "none found"
        remedy = "apt-get install chromium-headless-shell (Debian), or: playwright install chromium-headless-shell"
        yield Diagnosis("browser", not _has_browser_checks(patient.settings), found, remedy)


def _playwright_own() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _certutil(patient: Patient) -> Iterator[Diagnosis]:
    if patient.settings and _has_browser_checks(patient.settings) and _authorities(patient.settings):
        found = shutil.which("certutil")
        yield Diagnosis("certutil", bool(found), found or "not found", "apt-get install libnss3-tools")


def _secrets(patient: Patient) -> Iterator[Diagnosis]:
    read = secrets_from(patient.environ)
    for ref in dict.fromkeys(_references(patient.settings)):
        name = f"secret {ref.source}:{ref.location}"
        try:
            asyncio.run(_discard(read(ref)))
        except ProbeFailure as failure:
            yield Diagnosis(name, False, failure.detail, "provide it; its value is never shown")
        else:
            yield Diagnosis(name, True, "can be read")


async def _discard(secret: object) -> None:
    await secret  # type: ignore[misc]  # an awaitable; its value is of no interest


def _data_dir(patient: Patient) -> Iterator[Diagnosis]:
    if patient.settings is None:
        return
    folder = patient.settings.agent.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Diagnosis("data_dir", False, f"{folder}: {error.strerror}", "choose agent.data_dir on a writable disk")
    else:
        free = shutil.disk_usage(folder).free // (1024 * 1024)
        yield Diagnosis("data_dir", free > 100, f"{folder}, {free} MiB free", "make room: evidence needs 200 MiB")


def _port(patient: Patient) -> Iterator[Diagnosis]:
    if patient.settings is None:
        return
    agent = patient.settings.agent
    family = socket.AF_INET6 if ":" in agent.host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((agent.host, agent.port))
        except OSError as error:
            place = f"{agent.host}:{agent.port}: {error.strerror}"
            yield Diagnosis("listen", False, place, "stop what listens there (an agent?) or change agent.listen")
        else:
            yield Diagnosis("listen", True, f"{agent.host}:{agent.port} is free")


def _files(patient: Patient) -> Iterator[Diagnosis]:
    """Each open connection is a file: a low limit looks like a broken provider."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield Diagnosis("open files", soft >= 1024, f"limit {soft}", "ulimit -n 4096")


EXAMINATIONS: tuple[Callable[[Patient], Iterator[Diagnosis]], ...] = (
    _python, _packages, _files, _browser, _certutil, _secrets, _data_dir, _port,
)  # fmt: skip


def examine(settings: Settings | None, environ: Mapping[str, str] = os.environ) -> list[Diagnosis]:
    """Every diagnosis; without settings only what does not depend on them."""
    patient = Patient(settings, environ)
    return [diagnosis for examination in EXAMINATIONS for diagnosis in examination(patient)]


def _has_browser_checks(settings: Settings | None) -> bool:
    return settings is None or any(PROBES[check.probe].browser for check in settings.checks)


def _authorities(settings: Settings) -> list[Path]:
    return [issuer.ca_file for issuer in settings.issuers if issuer.ca_file]


def _references(settings: Settings | None) -> Iterator[SecretRef]:
    for check in settings.checks if settings else ():
        client = check.client
        if client is None:
            continue
        if client.secret:
            yield client.secret
        for user in (client.user, *client.users_by_region.values()):
            if user and PROBES[check.probe].user:
                yield user.password
                if user.totp:
                    yield user.totp
