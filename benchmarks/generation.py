"""How long `oidcwatch generate all` takes, from the start of the process to its end: one issuer, and two hundred."""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.figures import BenchmarkError, Block, Figure, Goal, alternate, summary

_ROOT = Path(__file__).parent.parent
_EXAMPLE = _ROOT / "examples" / "keycloak.yaml"
_ISSUERS, _CLIENTS = 200, 5
_ROUNDS, _QUICK_ROUNDS = 5, 1


def measure_one(*, quick: bool) -> Figure:
    """Wall time for an example of one issuer, into an empty folder. Raises BenchmarkError."""
    return _measure("generate_one_issuer_seconds", Goal(2), lambda _: _EXAMPLE, str(_EXAMPLE.relative_to(_ROOT)), quick)


def measure_many(*, quick: bool) -> Figure:
    """Wall time for 200 issuers with 5 clients each, into an empty folder. Raises BenchmarkError."""
    what = f"{_ISSUERS} issuers with {_CLIENTS} clients each"
    return _measure("generate_200_issuers_seconds", Goal(10), _fleet, what, quick)


def _measure(name: str, goal: Goal, config: Callable[[Path], Path], what: str, quick: bool) -> Figure:
    with tempfile.TemporaryDirectory(prefix="oidcwatch-bench-") as place:
        out, written = Path(place) / "out", config(Path(place))
        blocks = alternate({name: (partial(_generate, written, out), 1)}, _QUICK_ROUNDS if quick else _ROUNDS)[name]
        sizes = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
    return Figure(
        name,
        statistics.median(block.wall for block in blocks),
        goal,
        {
            "measured": f"seconds of `oidcwatch generate all` for {what}, into an empty folder",
            **summary(blocks),
            "files": len(sizes),
            "bytes": sum(sizes),
        },
    )


def _generate(config: Path, out: Path, _runs: int) -> Block:
    """One run, into a folder that is not there before."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "oidcwatch", "generate", "all", "-c", str(config), "-o", str(out)]
    before, begun = _spent(), time.perf_counter()
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - begun
    if done.returncode != 0:
        raise BenchmarkError(f"oidcwatch generate ended with {done.returncode}: {done.stderr[-2000:]}")
    return Block(1, _spent() - before, wall)


def _spent() -> float:
    """CPU seconds of all children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _fleet(folder: Path) -> Path:
    """Every kind of probe from three regions, at every issuer."""
    path = folder / "oidcwatch.yaml"
    document = {
        "region": {"name": "eu-west"},
        "other_regions": [{"name": "us-east"}, {"name": "ap-south"}],
        "issuers": [_issuer(number) for number in range(_ISSUERS)],
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def _issuer(number: int) -> dict[str, Any]:
    host = f"login-{number}.example"
    web = [_web(f"web-{each}", host) for each in range(_CLIENTS - 1)]
    machine = {
        "name": "machine",
        "client_id": "machine",
        "auth": {"method": "client_secret_basic", "secret": {"env": "SECRET"}},
        "probes": [{"type": "client_credentials"}],
    }
    return {
        "name": f"issuer-{number}",
        "url": f"https://{host}",
        "owner": f"team-{number % 20}",
        "clients": [*web, machine],
        "probes": [{"type": "discovery"}, {"type": "jwks"}],
    }


def _web(name: str, host: str) -> dict[str, Any]:
    return {
        "name": name,
        "client_id": name,
        "auth": {"method": "client_secret_basic", "secret": {"env": "SECRET"}},
        "scopes": ["openid", "offline_access"],
        "redirect_uri": f"https://{name}.{host}/callback",
        "user": {"username": "synthetic", "password": {"env": "PASSWORD"}},
        "probes": [{"type": "login"}, {"type": "refresh"}],
    }
