"""Puts one sandbox together in one process: provider, fault proxy, resource servers and control."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.accounts import Directory, generate_directory
from sandbox.certificates import Certificates, write_certificates
from sandbox.control import create_control
from sandbox.faultproxy import LOOPBACK, FaultProxy, base_url, server_context
from sandbox.faults import FAULTS
from sandbox.http1 import Upstream
from sandbox.loopthread import loop_thread
from sandbox.metadata import ENDPOINTS
from sandbox.points import FaultBoard
from sandbox.provider import create_provider
from sandbox.realm import Realm
from sandbox.resources import POLICIES, KeyCache, Verifier, create_resources, fetch_over_http
from sandbox.serving import WebServer, WsgiApp, only_loopback_host, pretend_https


@dataclass(frozen=True, slots=True)
class Options:
    """How to start: the issuer's address and what stands in front of the provider."""

    bind: str = LOOPBACK
    host: str = ""
    """The name in the issuer's URL; empty means the address."""
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
    """A sandbox that answers; yields its description. Raises OSError when a port is taken."""
    logging.getLogger("authlib").setLevel(logging.WARNING)  # at debug level it writes tokens
    with contextlib.ExitStack() as stack:
        realm = Realm("", generate_directory(), FaultBoard(FAULTS))
        certificates = _certificates(stack, options)
        tls = server_context(certificates.chains["good"]) if certificates else None
        app = pretend_https(create_provider(realm))
        fault_control = None
        if options.proxy:
            provider = _serve(stack, app, realm)
            proxy = stack.enter_context(_proxy_thread(options, provider, certificates))
            realm.issuer, fault_control = proxy.url, f"http://{LOOPBACK}:{proxy.control_port}"
        else:
            provider = _serve(stack, app, realm, host=options.bind, port=options.port, tls=tls)
            realm.issuer = base_url(tls is not None, options.host or options.bind, provider.port)
        caches = _caches(realm.issuer, certificates)
        verifiers = {name: Verifier(realm.issuer, cache) for name, cache in caches.items()}
        resources = _serve(stack, create_resources(verifiers), tls=tls)
        control = _serve(stack, only_loopback_host(create_control(realm, caches)))
        yield {
            "issuer": realm.issuer,
            "provider": realm.issuer if fault_control is None else f"http://{LOOPBACK}:{provider.port}",
            "control": f"http://{LOOPBACK}:{control.port}",
            "fault_control": fault_control,
            "resources": {name: f"{base_url(tls is not None, LOOPBACK, resources.port)}/{name}" for name in caches},
            "ca_file": str(certificates.ca_file) if certificates else None,
            **describe_accounts(realm.directory),
        }


def _certificates(stack: contextlib.ExitStack, options: Options) -> Certificates | None:
    if not options.tls:
        return None
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-"))
    return write_certificates(Path(directory), dt.datetime.now(dt.UTC), (options.host or options.bind,))


def _serve(
    stack: contextlib.ExitStack,
    app: WsgiApp,
    realm: Realm | None = None,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> WebServer:
    server = WebServer(app, host, port, tls=tls, date=realm.clock.date if realm else None)
    server.start()
    stack.callback(server.stop)
    return server


def _caches(issuer: str, certificates: Certificates | None) -> Mapping[str, KeyCache]:
    jwks_uri = f"{issuer}{ENDPOINTS['jwks_uri']}"
    tls = ssl.create_default_context(cafile=str(certificates.ca_file)) if certificates else None
    return {name: KeyCache(policy, lambda: fetch_over_http(jwks_uri, tls)) for name, policy in POLICIES.items()}


@contextlib.contextmanager
def _proxy_thread(options: Options, provider: WebServer, certificates: Certificates | None) -> Iterator[FaultProxy]:
    """The proxy on an event loop of its own, in a thread: everything else here is synchronous."""
    with loop_thread("fault-proxy") as loop:
        proxy = FaultProxy(
            Upstream(LOOPBACK, provider.port),
            bind=options.bind,
            port=options.port,
            host=options.host,
            certificates=certificates,
        )
        loop.run(proxy.start())
        try:
            yield proxy
        finally:
            loop.run(proxy.stop())
