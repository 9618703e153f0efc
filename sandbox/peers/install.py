"""Downloads what the providers are made of, and prepares it so that a start takes seconds. Repeating it changes nothing."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox.peers.keycloak import keycloak_command
from sandbox.peers.parts import (
    KEYCLOAK_VERSION,
    NODE_FILES,
    find_tool,
    installing,
    keycloak_part,
    node_oidc_provider_part,
)
from sandbox.peers.peer import PeerFailed
from sandbox.peers.process import child_environ, choose_port, running, wait_for_answer

Say = Callable[[str], None]
"""Shows one line of progress."""

_KEYCLOAK_ZIP = f"keycloak-quarkus-dist-{KEYCLOAK_VERSION}.zip"
_KEYCLOAK_ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{KEYCLOAK_VERSION}:zip"
_DOWNLOAD_SECONDS = 1800
_BUILD_SECONDS = 300
_FIRST_START_SECONDS = 300


def install(environ: Mapping[str, str], say: Say) -> None:
    """Install every part that is not there yet. Raises MissingPart for a missing tool, PeerFailed when a step fails."""
    with installing(environ):
        _install_node_oidc_provider(environ, say)
        _install_keycloak(environ, say)


def _install_node_oidc_provider(environ: Mapping[str, str], say: Say) -> None:
    part = node_oidc_provider_part(environ)
    if part.ready.exists():
        say(f"{part.title}: already in {part.directory}")
        return
    npm = find_tool("npm", environ)
    say(f"{part.title}: npm ci (about 4 MB)")
    with part.replaced() as directory:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODE_FILES / name, directory)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], directory, dict(environ), _DOWNLOAD_SECONDS)
    say(f"{part.title}: installed in {part.directory}")


def _install_keycloak(environ: Mapping[str, str], say: Say) -> None:
    part = keycloak_part(environ)
    if part.ready.exists():
        say(f"{part.title}: already in {part.directory}")
        return
    maven, _ = find_tool("mvn", environ), find_tool("java", environ)
    with part.replaced() as directory:
        say(f"{part.title}: from Maven Central, or the local repository (159 MB)")
        target = f"-DoutputDirectory={directory}"
        # Outside of any Maven project, hence the directory; --strict-checksums because the default only warns.
        copy = [maven, "-q", "-B", "--strict-checksums", "dependency:copy", f"-Dartifact={_KEYCLOAK_ARTIFACT}", target]
        _run(copy, directory, dict(environ), _DOWNLOAD_SECONDS)
        say(f"{part.title}: unpacking")
        _unpack(directory / _KEYCLOAK_ZIP, directory)
        say(f"{part.title}: building (about half a minute)")
        build = [str(directory / "bin" / "kc.sh"), "build", "--db=dev-file"]
        _run(build, directory, child_environ(environ, {}), _BUILD_SECONDS)
        say(f"{part.title}: first start, for the empty database and the class archive (about half a minute)")
        _first_start(directory, environ)
    say(f"{part.title}: installed in {part.directory}")


def _unpack(archive: Path, directory: Path) -> None:
    """Into `directory` without the archive's own top folder; the archive is removed."""
    with zipfile.ZipFile(archive) as source:
        source.extractall(directory)
    top = directory / f"keycloak-{KEYCLOAK_VERSION}"
    for entry in top.iterdir():
        entry.rename(directory / entry.name)
    top.rmdir()
    for script in (directory / "bin").glob("*.sh"):
        script.chmod(0o755)  # zipfile drops the mode
    archive.unlink()


def _first_start(directory: Path, environ: Mapping[str, str]) -> None:
    """Leaves the migrated database in `data/h2` and the archive of loaded classes: most of a start's time."""
    port = choose_port(0)
    command, extra = keycloak_command(directory, directory, port, f"http://127.0.0.1:{port}", dump_classes=True)
    log = directory / "first-start.log"
    with running(command, environ=child_environ(environ, extra), cwd=directory, log=log) as process:
        answer = f"http://127.0.0.1:{port}/realms/master/.well-known/openid-configuration"
        wait_for_answer(answer, process, log=log, seconds=_FIRST_START_SECONDS)


def _run(command: Sequence[str], directory: Path, environ: Mapping[str, str], seconds: float) -> None:
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(  # noqa: S603 - constants and paths of ours
                command, cwd=directory, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                timeout=seconds, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            output.seek(0)
            tail = output.read().decode("utf-8", "replace")[-2000:]
            raise PeerFailed(f"{' '.join(command)} failed:\n{tail}") from error
