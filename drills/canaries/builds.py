"""Builds the canaries of other languages into the user's cache; what is there already is left alone."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drills.canaries.failures import CanaryFailed
from sandbox.peers.parts import Part, cache_directory, installing

BUILD_COMMAND = "make canaries (or: python -m drills.canaries)"
Say = Callable[[str], None]
"""Shows one line of progress."""

_HERE = Path(__file__).parent
_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Build:
    """How the sources in one folder become programs."""

    folder: str
    install: Mapping[str, str]
    """The tools that it takes, each with the command that installs it."""
    command: tuple[str, ...]

    def part(self, environ: Mapping[str, str]) -> Part:
        """Where it is built; other sources are another place."""
        digest = hashlib.sha256()
        for file in self._sources():
            digest.update(str(file.relative_to(_HERE)).encode() + b"\0" + file.read_bytes() + b"\0")
        place = cache_directory(environ) / "canaries" / f"{self.folder}-{digest.hexdigest()[:12]}"
        return Part(f"canaries in {self.folder}", place)

    def require(self, environ: Mapping[str, str]) -> Path:
        """The folder with its programs. Raises CanaryFailed when they were not built."""
        part = self.part(environ)
        if not part.ready.exists():
            raise CanaryFailed(f"the {part.title} are not built: {BUILD_COMMAND}")
        return part.directory

    def copy_sources(self, directory: Path) -> None:
        for file in self._sources():
            target = directory / file.relative_to(_HERE / self.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)

    def _sources(self) -> list[Path]:
        return sorted(file for file in (_HERE / self.folder).rglob("*") if file.is_file())


_APT = "apt-get install --no-install-recommends"

NODE = Build(
    "node",
    {"npm": f"{_APT} npm", "node": f"{_APT} nodejs (20 or later)"},
    ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
)
GO = Build("go", {"go": f"{_APT} golang-go (1.25 or later)"}, ("go", "build", "-o", "bin/", "./..."))
JAVA = Build(
    "java",
    {"mvn": f"{_APT} maven", **dict.fromkeys(("java", "javac"), f"{_APT} openjdk-17-jdk-headless")},
    ("mvn", "--quiet", "--batch-mode", "--strict-checksums", "package"),
)
BUILDS = (NODE, GO, JAVA)


def build_all(environ: Mapping[str, str], say: Say) -> None:
    """Build what is not built yet. Raises CanaryFailed for a missing tool or a failed build."""
    with installing(environ):
        for build in BUILDS:
            part = build.part(environ)
            if part.ready.exists():
                say(f"{part.title}: already in {part.directory}")
                continue
            for tool, command in build.install.items():
                find_tool(tool, command, environ)
            say(f"{part.title}: {' '.join(build.command)}")
            with part.replaced() as directory:
                build.copy_sources(directory)
                _run(build.command, directory, environ)


def find_tool(tool: str, command: str, environ: Mapping[str, str]) -> str:
    """Path of a program. Raises CanaryFailed with the command that installs it."""
    found = shutil.which(tool, path=environ.get("PATH", ""))
    if found is None:
        raise CanaryFailed(f"{tool} is not on the PATH: {command}")
    return found


def _run(command: tuple[str, ...], directory: Path, environ: Mapping[str, str]) -> None:
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(  # noqa: S603 - constants of ours
                command, cwd=directory, env=dict(environ), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                timeout=_SECONDS, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            output.seek(0)
            tail = output.read().decode("utf-8", "replace")[-2000:]
            raise CanaryFailed(f"{' '.join(command)} failed:\n{tail}") from error
