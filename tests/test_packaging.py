"""The wheel holds all that the program needs, and works away from the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

PACKAGES = ("oidcwatch", "probes", "exporters", "alerts", "dashboards", "runbooks", "drills", "sandbox")
DATA = (
    "exporters/templates/index.html.j2",
    "exporters/templates/style.css",
    "alerts/templates/oidcwatch.tmpl",
    "runbooks/templates/page.html.j2",
    "drills/verifiers.yaml",
    "drills/report/templates/report.css",
    "drills/report/templates/report.html.j2",
    "drills/report/templates/report.md.j2",
    "oidcwatch/templates/drill.html.j2",
    "drills/canaries/go/go.mod",
    "drills/canaries/java/pom.xml",
    "drills/canaries/node/package-lock.json",
    "drills/canaries/apache/httpd.conf",
    "drills/canaries/apache/mod_auth_openidc.conf",
    "drills/canaries/apache/mod_oauth2.conf",
    "sandbox/templates/login.html",
    "sandbox/peers/node/server.mjs",
    "sandbox/peers/node/package-lock.json",
    "sandbox/peers/oidcwatch-realm.json",
)


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "pip", "wheel", str(root), "--no-deps", "--wheel-dir", str(folder), cwd=folder)
    (built,) = folder.glob("oidcwatch-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment that has the wheel, and this environment's packages for the rest.

    A path in a .pth file is searched, but the .pth files in it are not read: the checkout, which is installed here as
    editable, stays out.
    """
    environment = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment), cwd=environment)
    python = environment / "bin" / "python"
    _run(
        *(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--quiet", str(wheel)),
        cwd=environment,
    )
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def test_the_wheel_holds_every_file_of_the_packages(root: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())

    wanted = {*DATA, *(f"{package}/py.typed" for package in PACKAGES)}
    code = {str(file.relative_to(root)) for package in PACKAGES for file in (root / package).rglob("*.py")}
    assert sorted((wanted | code) - held) == []


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        strangers = [
            name
            for name in archive.namelist()
            if (name.partition("/")[0] not in PACKAGES and ".dist-info/" not in name)
            or {"node_modules", "__pycache__"} & set(name.split("/"))
        ]

    assert strangers == []


def test_the_program_runs_from_the_wheel_in_another_folder(installed: Path, tmp_path: Path) -> None:
    version = _run(str(installed / "oidcwatch"), "--version", cwd=tmp_path)
    schema = json.loads(_run(str(installed / "oidcwatch"), "config", "schema", cwd=tmp_path))
    place = _run(str(installed / "python"), "-c", "import probes; print(probes.__file__)", cwd=tmp_path)

    assert version.startswith("oidcwatch 0.")
    assert schema["title"] == "oidcwatch"
    assert Path(place.strip()).is_relative_to(installed.parent)


def test_the_provider_to_try_against_starts_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = "from sandbox.launch import start_sandbox\nwith start_sandbox() as sandbox: print(sandbox.issuer)"

    issuer = _run(str(installed / "python"), "-c", code, cwd=tmp_path)

    assert issuer.startswith("http://127.0.0.1:")


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, check=False, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
