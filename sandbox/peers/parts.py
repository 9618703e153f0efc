"""What the providers are made of: pinned versions, where they are kept, and what to run when one is missing."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sandbox.peers.peer import MissingPart

INSTALL_COMMAND = "python -m sandbox.peers install"
HERE = Path(__file__).parent
NODE_FILES = HERE / "node"
KEYCLOAK_REALM = HERE / "oidcwatch-realm.json"
KEYCLOAK_VERSION = "26.4.7"

_READY = ".ready"
_TOOLS: Mapping[str, str] = MappingProxyType(
    {
        "java": "apt-get install --no-install-recommends openjdk-17-jre-headless",
        "mvn": "apt-get install --no-install-recommends maven",
        "node": "apt-get install --no-install-recommends nodejs (20 or later)",
        "npm": "apt-get install --no-install-recommends npm",
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """A downloaded part in the cache. It is whole when `ready` exists, which is written last."""

    title: str
    directory: Path

    @property
    def ready(self) -> Path:
        """The file that says that the part is whole."""
        return self.directory / _READY

    def require(self) -> Path:
        """Its directory. Raises MissingPart when it is not installed."""
        if not self.ready.exists():
            raise MissingPart(f"{self.title} is not installed in {self.directory.parent}: run `{INSTALL_COMMAND}`")
        return self.directory

    @contextmanager
    def replaced(self) -> Iterator[Path]:
        """An empty directory to install into, marked as whole when the block succeeds."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        yield self.directory
        self.ready.touch()


def cache_directory(environ: Mapping[str, str]) -> Path:
    """`oidcwatch` under the user's cache (XDG Base Directory Specification)."""
    configured = environ.get("XDG_CACHE_HOME", "")
    base = Path(configured) if configured else Path(environ.get("HOME", "~")).expanduser() / ".cache"
    return base / "oidcwatch"


def keycloak_part(environ: Mapping[str, str]) -> Part:
    """The unpacked and built distribution. The realm is no part of it, it is imported at each start."""
    return Part(f"Keycloak {KEYCLOAK_VERSION}", cache_directory(environ) / f"keycloak-{KEYCLOAK_VERSION}")


def node_oidc_provider_part(environ: Mapping[str, str]) -> Part:
    """The packages of the lock file; another lock file is another directory."""
    lock = hashlib.sha256((NODE_FILES / "package-lock.json").read_bytes()).hexdigest()[:12]
    return Part("node-oidc-provider", cache_directory(environ) / f"node-oidc-provider-{lock}")


def find_tool(name: str, environ: Mapping[str, str]) -> str:
    """Path of a program that the system provides. Raises MissingPart with the command that installs it."""
    found = shutil.which(name, path=environ.get("PATH", ""))
    if found is None:
        raise MissingPart(f"{name} is not on the PATH: {_TOOLS[name]}")
    return found


@contextmanager
def installing(environ: Mapping[str, str]) -> Iterator[None]:
    """Held while parts are installed, so that two installers do not write into one directory."""
    directory = cache_directory(environ)
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
