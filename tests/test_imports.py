"""Packages depend on one another in one direction, and commands load only what they use."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Left to right as in docs/architecture.md: what a package may import beside itself.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "sandbox": frozenset(),
    "probes": frozenset(),
    "exporters": frozenset({"probes"}),
    "alerts": frozenset({"probes", "exporters"}),
    "dashboards": frozenset({"probes", "exporters", "alerts"}),
    "runbooks": frozenset({"probes", "exporters", "alerts"}),
    "drills": frozenset({"probes", "exporters", "alerts", "dashboards", "runbooks", "sandbox"}),
    "oidcwatch": frozenset({"probes", "exporters", "alerts", "dashboards", "runbooks", "drills", "sandbox"}),
    "benchmarks": frozenset({"probes", "exporters", "alerts", "oidcwatch", "sandbox"}),
}
# The model is read by everything, so it rests on nothing but values.
MAY_IMPORT_MODULES: dict[str, frozenset[str]] = {
    "probes/subjects.py": frozenset(),
    "probes/model.py": frozenset({"probes.subjects"}),
    "probes/reasons.py": frozenset({"probes.model"}),
}
HEAVY = ("playwright", "grafana_foundation_sdk")

# Runs the command line as a person does, then says which packages it has loaded.
REPORTER = """
import json, sys
from oidcwatch.cli import make_app
try:
    make_app()(sys.argv[1:])
except SystemExit as end:
    code = end.code or 0
print(json.dumps({"code": code, "loaded": sorted({name.partition(".")[0] for name in sys.modules})}))
"""

CONFIGURATION = """
agent: {listen: "127.0.0.1:0", start_spread: 0s}
issuers:
  - name: acme
    url: http://127.0.0.1:9/realms/main
    policy: {allow_http: true}
    probes: [{type: discovery, every: 1s}, {type: jwks, every: 1s}]
    clients:
      - {name: machine, client_id: machine, auth: {secret: {env: MACHINE_SECRET}}, probes: [client_credentials]}
"""


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_those_before_it(root: Path, package: str) -> None:
    refused = [
        f"{file.relative_to(root)}:{line} imports {module}, and {package} may import only "
        f"{', '.join(sorted(MAY_IMPORT[package])) or 'itself'}"
        for file in sorted((root / package).rglob("*.py"))
        for line, module in _ours(file)
        if module.partition(".")[0] not in MAY_IMPORT[package] | {package}
    ]

    assert refused == []


@pytest.mark.parametrize("file", MAY_IMPORT_MODULES)
def test_the_model_rests_on_values_alone(root: Path, file: str) -> None:
    refused = [
        f"{file}:{line} imports {module}"
        for line, module in _ours(root / file)
        if module not in MAY_IMPORT_MODULES[file]
    ]

    assert refused == []


def test_every_package_has_its_place_in_the_order(root: Path) -> None:
    packages = {file.parent.name for file in root.glob("*/__init__.py")}

    assert packages == set(MAY_IMPORT)


@pytest.mark.process
def test_checking_a_configuration_loads_neither_browser_nor_grafana(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, "config", "check")

    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.process
def test_an_agent_with_http_checks_only_loads_neither_browser_nor_grafana(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, "run", "--for", "2")

    assert "uvicorn" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def _ours(file: Path) -> Iterator[tuple[int, str]]:
    """Every import of one of our modules, wherever in the file it is, as line and module."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        yield from ((node.lineno, module) for module in modules if module.partition(".")[0] in MAY_IMPORT)


def _loaded(folder: Path, *arguments: str) -> list[str]:
    (folder / "oidcwatch.yaml").write_text(CONFIGURATION)
    done = subprocess.run(
        [sys.executable, "-c", REPORTER, *arguments],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["code"] == 0, done.stderr
    loaded: list[str] = report["loaded"]
    return loaded
