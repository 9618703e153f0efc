"""Keycloak to practise on: a realm behind our own fault proxy with TLS, started for the length of a block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from drills.drivers.keycloak_admin import AdminApi
from drills.lab import TOKEN_LIFETIME, Lab
from drills.target import KeycloakAdmin, Target
from probes.secrets import secrets_from
from probes.subjects import Client, Issuer, SecretRef
from sandbox.certificates import write_certificates
from sandbox.faultproxy import FaultProxy
from sandbox.http1 import Upstream
from sandbox.loopthread import loop_thread
from sandbox.peers import start_keycloak
from sandbox.peers.process import LOOPBACK, choose_port

_CLIENT, _OPERATOR = "KEYCLOAK_MACHINE_SECRET", "KEYCLOAK_OPERATOR_SECRET"


@contextlib.contextmanager
def start_keycloak_lab(
    workdir: Path, environ: Mapping[str, str], token_lifetime: int = TOKEN_LIFETIME
) -> Iterator[Lab]:
    """Keycloak with the realm `oidcwatch`. `workdir` is an existing directory of the caller's for database and logs;
    `token_lifetime` as in `drills.lab`.

    It takes about 15 seconds, and ends with this process, however that ends. Raises sandbox.peers.MissingPart when
    Keycloak is not installed, PeerFailed when it does not start, drills.driver.DriverFailed when it cannot be set up.
    """
    tls = workdir / "tls"
    tls.mkdir()
    certificates = write_certificates(tls, datetime.now(UTC))
    port = choose_port(0)  # the proxy must know it before Keycloak has it, and Keycloak the proxy's before it starts
    with loop_thread("fault-proxy") as loop:
        proxy = FaultProxy(Upstream(LOOPBACK, port), certificates=certificates)
        loop.run(proxy.start())
        try:
            with start_keycloak(workdir, port, public_url=proxy.url, environ=environ) as peer:
                secrets = {name: peer.environ[name] for name in (_CLIENT, _OPERATOR)}
                realm = urlsplit(peer.issuer).path.rpartition("/")[2]
                # Straight to Keycloak: what a drill does to the public path must not keep it from being undone.
                admin = KeycloakAdmin(
                    peer.address,
                    realm,
                    "operator",
                    SecretRef("env", _OPERATOR),
                    f"http://{LOOPBACK}:{proxy.control_port}",
                )
                AdminApi(admin, secrets_from(secrets)).put("", {"accessTokenLifespan": token_lifetime})
                secret = SecretRef("env", _CLIENT)
                # Its own, not the resource's: verifiers made for ID Tokens compare it with `azp` (OIDC Core §3.1.3.7).
                client = Client("machine", "machine", secret=secret, scopes=(), audience="machine")
                issuer = Issuer("keycloak", peer.issuer, clients=(client,), ca_file=certificates.ca_file)
                yield Lab(Target(issuer, client, admin), {**environ, **secrets}, certificates.ca_file)
        finally:
            loop.run(proxy.stop())
