"""Makes the driver that a target asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drills.driver import Driver
from drills.drivers.command import CommandDriver
from drills.drivers.keycloak import KeycloakDriver
from drills.drivers.keycloak_admin import AdminApi
from drills.drivers.manual import ManualDriver
from drills.drivers.path import PathFaults
from drills.drivers.sandbox import SandboxDriver
from drills.outside import Outside
from drills.target import Command, KeycloakAdmin, Manual, SandboxControl, Target
from probes.secrets import secrets_from
from sandbox.control_client import Control


def driver_for(target: Target, outside: Outside, environ: Mapping[str, str], ask: Callable[[str], None]) -> Driver:
    """The driver of the target's provider. `environ` has the secrets that it refers to; `ask` tells a person what to do.

    Nothing is connected to yet.
    """
    provider = target.provider
    match provider:
        case SandboxControl():
            control = Control(provider.control, provider.fault_control)
            return SandboxDriver(PathFaults(control, outside), target.client.client_id)
        case KeycloakAdmin():
            api = AdminApi(provider, secrets_from(environ), target.issuer.ca_file)
            return KeycloakDriver(api, PathFaults(Control("", provider.fault_control), outside))
        case Command():
            return CommandDriver(provider, target.issuer.url, environ)
        case Manual():
            return ManualDriver(outside, ask, provider.timeout)
