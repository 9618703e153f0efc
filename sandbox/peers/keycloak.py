"""Starts Keycloak with the realm `oidcwatch`, on loopback http, with new secrets."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from sandbox.peers.parts import KEYCLOAK_REALM, find_tool, keycloak_part
from sandbox.peers.peer import Peer, random_secrets, random_totp_seed
from sandbox.peers.process import LOOPBACK, child_environ, choose_port, running, wait_for_answer

KEYCLOAK_PORT = 28080
"""The port in the issuer of examples/keycloak.yaml."""

_SECRETS = (
    "KEYCLOAK_PORTAL_SECRET",
    "KEYCLOAK_PORTAL_ES256_SECRET",
    "KEYCLOAK_MACHINE_SECRET",
    "KEYCLOAK_OPERATOR_SECRET",
    "KEYCLOAK_ALICE_PASSWORD",
    "KEYCLOAK_BOB_PASSWORD",
    "KEYCLOAK_SYNTHETIC_EU_WEST_PASSWORD",
    "KEYCLOAK_SYNTHETIC_US_EAST_PASSWORD",
    "KEYCLOAK_SYNTHETIC_AP_SOUTH_PASSWORD",
)
_TOTP = "KEYCLOAK_BOB_TOTP"
_SHARED = ("conf", "lib", "providers", "themes")
_CLASSES = "classes.jsa"
# The first compiler tier only: a short-lived server spends more time compiling than it gains from the second.
_JAVA_OPTIONS = ("-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Xlog:cds=off", "-Xlog:cds+dynamic=off")


@contextmanager
def start_keycloak(
    workdir: Path,
    port: int = KEYCLOAK_PORT,
    *,
    public_url: str = "",
    environ: Mapping[str, str] = os.environ,
    seconds: float = 180.0,
) -> Iterator[Peer]:
    """Run Keycloak until the block ends. `workdir` is an existing directory of the caller's that keeps database and log.

    `port` 0 takes a free one. `public_url` is the address that clients use, such as a proxy's; the issuer follows it.
    Raises MissingPart when something is not installed and PeerFailed when there is no answer within `seconds`.
    """
    find_tool("java", environ)
    distribution = keycloak_part(environ).require()
    port = choose_port(port)
    address = f"http://{LOOPBACK}:{port}"
    public = public_url.rstrip("/") or address
    home = _prepare_home(distribution, workdir / "keycloak")
    secrets = random_secrets(_SECRETS) | {_TOTP: random_totp_seed()}
    command, extra = keycloak_command(distribution, home, port, public)
    log = workdir / "keycloak.log"
    with running(command, environ=child_environ(environ, extra | secrets), cwd=home, log=log) as process:
        path = "/realms/oidcwatch"
        wait_for_answer(f"{address}{path}/.well-known/openid-configuration", process, log=log, seconds=seconds)
        variables = MappingProxyType({"KEYCLOAK_ISSUER": f"{public}{path}", **secrets})
        yield Peer("keycloak", f"{public}{path}", address, process.pid, log, variables)


def keycloak_command(
    distribution: Path, home: Path, port: int, public_url: str, *, dump_classes: bool = False
) -> tuple[list[str], dict[str, str]]:
    """The command and the variables that start a built distribution with its data in `home`.

    With `dump_classes` it also archives the classes that it loaded when it ends (JEP 350).
    """
    command = [
        str(distribution / "bin" / "kc.sh"),
        f"-Dkc.home.dir={home}",
        "start",
        "--optimized",
        "--import-realm",
        "--cache=local",
        f"--http-host={LOOPBACK}",
        f"--http-port={port}",
        "--http-enabled=true",
        f"--hostname={public_url}",
    ]
    archive = f"-XX:{'ArchiveClassesAtExit' if dump_classes else 'SharedArchiveFile'}={distribution / _CLASSES}"
    return command, {"JAVA_OPTS_KC_HEAP": " ".join((*_JAVA_OPTIONS, archive))}


def _prepare_home(distribution: Path, home: Path) -> Path:
    """A home of its own for this start: programs shared, the migrated database copied, the realm to import.

    The realm's file refers to variables, which Keycloak replaces: no secret is written to disk by us.
    """
    (home / "data" / "import").mkdir(parents=True)
    for name in _SHARED:
        (home / name).symlink_to(distribution / name)
    shutil.copytree(distribution / "data" / "h2", home / "data" / "h2")
    shutil.copy(KEYCLOAK_REALM, home / "data" / "import")
    return home
