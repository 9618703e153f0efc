"""Verifies with a module of Apache, in a resource server of its own that ends with this process."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from drills.canaries.protocol import Target, Verify, serve, target_of_arguments

_TEMPLATES = Path(__file__).parent / "apache"
_MODULES = Path("/usr/lib/apache2/modules")
_CA_FILE = "ca.pem"
_START_SECONDS = 20.0
_GRACE_SECONDS = 2.0
_POLL_SECONDS = 0.05
_REQUEST_SECONDS = 35.0
_UNSAFE = re.compile(r"[\s\"'\\<>]")  # would end a word of the configuration


@dataclass(frozen=True, slots=True)
class Module:
    """A module of Apache that verifies tokens."""

    name: str
    """Of its file, of its part of the configuration in `apache/`, and in its own text, where its version follows."""
    options: Callable[[Target, Path | None], str]
    """What stands for `{options}` in its part: the settings of the target, and that it trusts the CA in the file if
    there is one. Raises ValueError for a target that it does not take.
    """

    @property
    def file(self) -> Path:
        """Where Debian puts it."""
        return _MODULES / f"{self.name}.so"

    def version(self) -> str:
        """As it names itself in its own text; the package manager is not asked, it may not be Debian's."""
        found = re.search(rf"{self.name}-(\d[\d.]*)".encode(), self.file.read_bytes())
        return found[1].decode() if found else "unknown"


def configuration(module: Module, target: Target, directory: Path, port: int) -> str:
    """The text of httpd.conf. Raises ValueError for what the module would not take, or would misread."""
    for value in (target.issuer, target.jwks_uri, target.audience, *target.settings):
        if _UNSAFE.search(value):
            raise ValueError(f"this cannot stand in a configuration of Apache: {value!r}")
    parts = ("httpd.conf", f"{module.name}.conf")
    return "\n".join((_TEMPLATES / part).read_text(encoding="utf-8") for part in parts).format(
        directory=directory,
        port=port,
        modules=_MODULES,
        # Apache gives up root's rights for the account that Debian made for it.
        privileges="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
        jwks_uri=target.jwks_uri,
        issuer=target.issuer,
        audience=target.audience,
        options=module.options(target, directory / _CA_FILE if target.ca_file else None),
    )


@contextlib.contextmanager
def apache(module: Module, target: Target) -> Iterator[str]:
    """The address of a resource server that lives for the length of the block. Raises RuntimeError when it does not start."""
    program = shutil.which("apache2", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if program is None or not module.file.exists():
        raise RuntimeError(f"apache2 or {module.name} is not installed")
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="oidcwatch-canary-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # for the account that Apache changes to, which may not reach the CA where it is
        if target.ca_file:
            (directory / _CA_FILE).write_bytes(target.ca_file.read_bytes())
        (directory / "htdocs").mkdir()
        (directory / "htdocs" / "index.txt").write_text("accepted\n")
        (directory / "httpd.conf").write_text(configuration(module, target, directory, port))
        command = [program, "-f", str(directory / "httpd.conf"), "-DFOREGROUND"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:  # noqa: S603 - a constant program and a file of ours
            try:
                _wait(server, port)
                yield f"http://127.0.0.1:{port}/index.txt"
            finally:
                _stop(server)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        time.sleep(_POLL_SECONDS)
    raise RuntimeError(f"apache2 did not start, its exit code is {server.poll()}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()


def verifier(address: str) -> Verify:
    client = httpx.Client(trust_env=False, timeout=_REQUEST_SECONDS)

    def verify(token: str) -> None:
        answer = client.get(address, headers={"Authorization": f"Bearer {token}"})
        if answer.status_code != httpx.codes.OK:
            raise PermissionError(f"HTTP {answer.status_code}")

    return verify


def run(module: Module) -> int:
    """The exit code: 1 with the reason on standard error when Apache does not start."""
    try:
        with apache(module, target_of_arguments()) as address:
            serve(module.name, verifier(address), module.version())
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
