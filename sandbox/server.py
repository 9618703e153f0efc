"""Puts one sandbox together in one process: provider, control and what stands around them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.accounts import Directory, generate_directory
from sandbox.control import create_control
from sandbox.faults import FAULTS
from sandbox.points import FaultBoard
from sandbox.provider import create_provider
from sandbox.realm import Realm
from sandbox.serving import WebServer, only_loopback_host, pretend_https

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Options:
    """How to start: the issuer's address and what stands in front of the provider."""

    bind: str = LOOPBACK
    port: int = 0
    tls: bool = False
    proxy: bool = True


def describe_accounts(directory: Directory) -> dict[str, Any]:
    """Clients and users with their secrets, for the one who started the sandbox."""
    return {
        "clients": {
            client.client_id: {
                "client_id": client.client_id,
                "client_secret": client.secret,
                "auth_method": client.auth_method,
                "redirect_uri": next(iter(client.redirect_uris), ""),
                "post_logout_redirect_uri": next(iter(client.post_logout_redirect_uris), ""),
                "scopes": list(client.scopes),
                "id_token_alg": client.id_token_alg,
                "audience": client.audience,
            }
            for client in directory.clients.values()
        },
        "users": {
            user.username: {
                "username": user.username,
                "subject": user.subject,
                "password": user.password,
                "totp_seed": user.totp_seed,
            }
            for user in directory.users.values()
        },
    }


@contextlib.contextmanager
def running(options: Options) -> Iterator[dict[str, Any]]:
    """A sandbox that answers; yields its description. Raises OSError when the port is taken."""
    logging.getLogger("authlib").setLevel(logging.WARNING)  # at debug level it writes tokens
    with contextlib.ExitStack() as stack:
        directory = generate_directory()
        realm = Realm("", directory, FaultBoard(FAULTS))
        provider = WebServer(
            pretend_https(create_provider(realm)), options.bind, options.port, date=realm.clock.date
        )
        realm.issuer = f"http://{options.bind}:{provider.port}"
        control = WebServer(only_loopback_host(create_control(realm)), LOOPBACK)
        for server in (provider, control):
            server.start()
            stack.callback(server.stop)
        yield {
            "issuer": realm.issuer,
            "provider": realm.issuer,
            "control": f"http://{LOOPBACK}:{control.port}",
            "fault_control": None,
            "resources": {},
            "ca_file": None,
            **describe_accounts(directory),
        }

