"""Makes the driver that a target asks for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial

from drills.driver import Driver, DriverFailed
from drills.drivers.command import CommandDriver
from drills.drivers.keycloak import KeycloakDriver
from drills.drivers.keycloak_admin import AdminApi
from drills.drivers.manual import ManualDriver
from drills.drivers.path import PATH_ACTIONS, PathFaults
from drills.drivers.sandbox import SandboxDriver
from drills.outside import Outside
from drills.scenario import Action
from drills.target import Command, KeycloakAdmin, Manual, SandboxControl, Target
from probes.model import ProbeFailure
from probes.redact import Redactor
from probes.secrets import Secrets, secrets_from
from probes.subjects import SecretRef
from sandbox.control_client import Control
from sandbox.peers.process import child_environ


def driver_for(
    target: Target,
    outside: Outside,
    environ: Mapping[str, str],
    ask: Callable[[str], None],
    *,
    stopped: Callable[[], bool] = lambda: False,
    insisted: Callable[[], bool] = lambda: False,
    actions: frozenset[Action] = frozenset(Action),
) -> Driver:
    """The driver of the target's provider. `environ` has the secrets that it refers to; `ask` tells a person what to do.

    A command's secrets are read by what `outside` reads them by, which may remember them so that no log shows them.
    `stopped` is looked at while a person or a command is waited for, and ends that, except in a rollback; `insisted` ends
    the wait for a person in a rollback too. `actions` are those that the drill makes. Nothing is connected to yet.
    """
    provider = target.provider
    uses_path = bool(actions & PATH_ACTIONS)
    match provider:
        case SandboxControl():
            control = Control(provider.control, provider.fault_control)
            return SandboxDriver(PathFaults(control, outside, uses_path), target.client.client_id)
        case KeycloakAdmin():
            api = AdminApi(provider, secrets_from(environ), target.issuer.ca_file)
            return KeycloakDriver(api, PathFaults(Control("", provider.fault_control), outside, uses_path))
        case Command():
            clean = partial(_redacted, secrets=outside.secrets, refs=_references(target))
            return CommandDriver(
                provider,
                target.issuer.url,
                child_environ(environ, {}),
                partial(_given, provider, outside.secrets),
                redact=clean,
                stopped=stopped,
            )
        case Manual():
            return ManualDriver(outside, ask, provider.timeout, stopped=stopped, insisted=insisted)


def _given(command: Command, secrets: Secrets) -> Mapping[str, str]:
    values = {}
    for name, ref in command.environment:
        try:
            values[name] = asyncio.run(_value(secrets, ref))
        except ProbeFailure as failure:
            raise DriverFailed(f"drill.provider.environment.{name}: {failure}") from failure
    return values


def _references(target: Target) -> tuple[SecretRef, ...]:
    """Every secret that the target names: a command may find them where we do, and say them."""
    clients = {target.client.name: target.client, **{client.name: client for client in target.issuer.clients}}.values()
    users = [user for client in clients for user in (client.user, *client.users_by_region.values()) if user]
    named = (
        *(client.secret for client in clients),
        *(user.password for user in users),
        *(user.totp for user in users),
        *(ref for _, ref in (target.provider.environment if isinstance(target.provider, Command) else ())),
    )
    return tuple(dict.fromkeys(ref for ref in named if ref is not None))


def _redacted(text: str, secrets: Secrets, refs: tuple[SecretRef, ...]) -> str:
    """Without the secrets as they are now, and without what has the form of one."""
    redact = Redactor()
    for ref in refs:
        with contextlib.suppress(ProbeFailure):  # one that cannot be read cannot have been said
            redact.learn((asyncio.run(_value(secrets, ref)),))
    return redact(text)


async def _value(secrets: Secrets, ref: SecretRef) -> str:
    return await secrets(ref)
