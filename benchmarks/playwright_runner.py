"""Installs Playwright's test runner, and counts what a login costs when a run of it is started for each."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import BenchmarkError, Block, Run
from benchmarks.provider import CLIENT_ID, PASSWORD, POST_LOGOUT_REDIRECT_URI, REDIRECT_URI, SCOPES, SECRET, USERNAME
from probes.redact import Redactor
from sandbox.peers import Peer, PeerFailed
from sandbox.peers.parts import Part, cache_directory, find_tool, installing

NPX = ("npx", "--no-install", "playwright", "test")
BARE = ("node", "node_modules/@playwright/test/cli.js", "test")
"""The same without npx, which starts npm first."""

_FILES = Path(__file__).parent / "playwright_test"
_PACKAGES = ("package.json", "package-lock.json")
_INSTALL_SECONDS = 600.0
_RUN_SECONDS = 120.0


def installed_runner(environ: Mapping[str, str], say: Callable[[str], None]) -> Path:
    """The folder with the runner and our test, in the cache; another lock file is another folder.

    Raises BenchmarkError when npm is missing or fails.
    """
    lock = hashlib.sha256((_FILES / "package-lock.json").read_bytes()).hexdigest()[:12]
    part = Part("Playwright's test runner", cache_directory(environ) / f"playwright-test-{lock}")
    try:
        with installing(environ):
            if not part.ready.exists():
                say(f"{part.title}: npm ci (about 15 MB)")
                with part.replaced() as folder:
                    _npm_ci(folder, environ)
    except PeerFailed as error:
        raise BenchmarkError(str(error)) from error
    for file in _FILES.glob("*.mjs"):
        shutil.copy(file, part.directory)
    return part.directory


def runner(
    folder: Path, command: Sequence[str], browser: str, peer: Peer, environ: Mapping[str, str], output: Path
) -> Run:
    """Logins, each by a new start of the runner with a new browser, as it is when a scheduler starts a test."""
    variables = {
        "BENCH_BROWSER": browser,
        "BENCH_CLIENT_ID": CLIENT_ID,
        "BENCH_CLIENT_SECRET": peer.environ[SECRET],
        "BENCH_ISSUER": peer.issuer,
        "BENCH_OUTPUT": str(output),
        "BENCH_PASSWORD": peer.environ[PASSWORD],
        "BENCH_POST_LOGOUT_REDIRECT_URI": POST_LOGOUT_REDIRECT_URI,
        "BENCH_REDIRECT_URI": REDIRECT_URI,
        "BENCH_SCOPE": " ".join(SCOPES),
        "BENCH_USERNAME": USERNAME,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_FILES.parent.parent), environ.get("PYTHONPATH")])),
    }

    def run(runs: int) -> Block:
        blocks = [_once(command, folder, {**environ, **variables}) for _ in range(runs)]
        return Block(runs, sum(block.cpu for block in blocks), sum(block.wall for block in blocks))

    return run


def _once(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Block:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.counted", *command],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{' '.join(command)} did not end within {_RUN_SECONDS:g} s") from error
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)} failed:\n{Redactor()(done.stderr[-2000:])}")
    return Block(**json.loads(done.stdout))


def _npm_ci(folder: Path, environ: Mapping[str, str]) -> None:
    for name in _PACKAGES:
        shutil.copy(_FILES / name, folder)
    try:
        subprocess.run(
            [find_tool("npm", environ), "ci", "--no-audit", "--no-fund"],
            cwd=folder,
            env={**environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"},  # it is measured with Debian's Chromium
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError(f"npm ci: {error}") from error
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"npm ci failed:\n{error.stderr[-2000:]}") from error
