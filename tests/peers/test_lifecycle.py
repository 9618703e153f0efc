"""Starting and stopping the providers: nothing is left, nothing is printed that is secret, errors say what to do."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.peers import MissingPart, Peer, PeerFailed, start_keycloak, start_node_oidc_provider
from sandbox.peers.process import running

pytestmark = [pytest.mark.real, pytest.mark.process]

Arrive = Callable[..., Any]

NAMES = ["keycloak", "node-oidc-provider"]
STARTS = [pytest.param(start_keycloak, id="keycloak"), pytest.param(start_node_oidc_provider, id="node-oidc-provider")]
GRACE_SECONDS = 30


def processes_in(directory: Path) -> list[int]:
    """Processes with a path below the directory on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(directory) in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue  # it ended while we looked
    return found


@contextmanager
def command_line(name: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`start NAME --json` on a free port, with everything that it writes below tmp_path."""
    command = [sys.executable, "-m", "sandbox.peers", "start", name, "--json", "--port", "0"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(GRACE_SECONDS)


@pytest.mark.parametrize("start", STARTS)
def test_the_end_of_the_block_leaves_no_process(start: Callable[..., Any], workdir: Path) -> None:
    with start(workdir, port=0) as peer:
        during = processes_in(workdir)

    assert during
    assert processes_in(workdir) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(peer.pid, 0)


@pytest.mark.parametrize("start", STARTS)
def test_the_issuer_follows_the_public_url(start: Callable[..., Any], workdir: Path, arrive: Arrive) -> None:
    with start(workdir, port=0, public_url="https://login.example.test:8443") as peer:
        person = arrive(peer, base=peer.issuer.replace("https://login.example.test:8443", peer.address))

    urls = [url for name, url in person.metadata.items() if name.endswith(("_endpoint", "_uri")) or name == "issuer"]
    assert {url for url in urls if not url.startswith(peer.issuer)} == set()
    assert peer.issuer.startswith("https://login.example.test:8443")


@pytest.mark.parametrize("name", NAMES)
def test_a_terminated_command_ends_cleanly_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    with command_line(name, tmp_path) as process:
        assert process.stdout is not None
        about = json.loads(process.stdout.readline())
        running = processes_in(tmp_path)
        process.send_signal(signal.SIGTERM)
        code = process.wait(GRACE_SECONDS)

    assert about["name"] == name
    assert running
    assert code == 0
    assert processes_in(tmp_path) == []
    assert not Path(about["env_file"]).exists()


def test_a_provider_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    with command_line("node-oidc-provider", tmp_path) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["name"] == "node-oidc-provider"
        running = processes_in(tmp_path)
        process.kill()

    deadline = time.monotonic() + GRACE_SECONDS
    while (left := processes_in(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running
    assert left == []


def test_who_ends_the_leader_of_the_group_ends_the_command_and_gets_its_answer(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print(1); time.sleep(60)"
    )
    with running([sys.executable, "-u", "-c", program], environ={}, cwd=tmp_path, log=log) as process:
        while not log.read_text():
            time.sleep(0.02)

        process.terminate()

        assert process.wait(GRACE_SECONDS) == 7


def test_a_command_that_is_interrupted_while_the_provider_starts_leaves_nothing(tmp_path: Path) -> None:
    with command_line("keycloak", tmp_path) as process:
        deadline = time.monotonic() + GRACE_SECONDS
        while not (starting := processes_in(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        code = process.wait(GRACE_SECONDS)

    assert starting
    assert code == 0
    assert processes_in(tmp_path) == []


def test_secrets_are_in_a_private_file_and_only_their_names_are_printed(tmp_path: Path) -> None:
    with command_line("node-oidc-provider", tmp_path) as process:
        assert process.stdout is not None
        printed = process.stdout.readline()
        about = json.loads(printed)
        env_file = Path(about["env_file"])
        mode = stat.S_IMODE(env_file.stat().st_mode)
        values = dict(line.split("=", 1) for line in shlex.split(env_file.read_text()))

    assert mode == 0o600
    assert sorted(values) == about["env"]
    assert {
        name for name in values if name.endswith(("_SECRET", "_PASSWORD", "_TOKEN")) and values[name] in printed
    } == set()


@pytest.mark.parametrize("start", STARTS)
def test_a_provider_that_is_not_installed_names_the_command_that_installs_it(
    start: Callable[..., Any], workdir: Path, tmp_path: Path
) -> None:
    environ = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path)}

    with pytest.raises(MissingPart, match=r"run `python -m sandbox\.peers install`"), start(workdir, environ=environ):
        raise AssertionError("started without being installed")


@pytest.mark.parametrize(
    ("start", "package"),
    [(start_keycloak, "openjdk-17-jre-headless"), (start_node_oidc_provider, "nodejs")],
)
def test_a_missing_tool_names_the_package_that_has_it(
    start: Callable[..., Any], package: str, workdir: Path, tmp_path: Path
) -> None:
    with (
        pytest.raises(MissingPart, match=f"apt-get install --no-install-recommends {package}"),
        start(workdir, environ={"PATH": str(tmp_path)}),
    ):
        raise AssertionError("started without its runtime")


def test_a_taken_port_is_an_error_before_anything_starts(workdir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PeerFailed, match=rf"port {port} on 127\.0\.0\.1"), start_keycloak(workdir, port=port):
            raise AssertionError("started on a taken port")


def test_the_repr_of_a_peer_shows_no_secret(node_oidc_provider: Peer) -> None:
    text = repr(node_oidc_provider)

    secrets = {v for k, v in node_oidc_provider.environ.items() if k.endswith(("_SECRET", "_PASSWORD", "_TOKEN"))}
    assert {value for value in secrets if value in text} == set()
    assert len(secrets) == 5


def test_each_start_has_new_secrets(node_oidc_provider: Peer, workdir: Path) -> None:
    with start_node_oidc_provider(workdir, port=0) as other:
        shared = {name for name, value in other.environ.items() if node_oidc_provider.environ[name] == value}

    assert shared == set()


@pytest.mark.parametrize("start", STARTS)
def test_neither_log_nor_imported_realm_holds_a_secret(start: Callable[..., Any], workdir: Path) -> None:
    with start(workdir, port=0) as peer:
        written = [path.read_text() for path in workdir.rglob("*") if path.suffix in (".log", ".json", ".mjs")]

    secrets = {name: value for name, value in peer.environ.items() if not name.endswith(("_ISSUER", "_CA"))}
    assert written
    assert {name for name, value in secrets.items() for text in written if value in text} == set()
