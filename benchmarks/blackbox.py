"""Starts Prometheus's blackbox_exporter and counts what it spends on fetching a URL so many times."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import yaml

from benchmarks.cpu import tree_cpu_seconds
from benchmarks.figures import BenchmarkError, Block, Run
from sandbox.peers.process import LOOPBACK, choose_port, running

INSTALL = "apt-get install prometheus-blackbox-exporter"

_PROGRAM = "prometheus-blackbox-exporter"
_START_SECONDS = 10.0


@contextmanager
def started_blackbox(url: str, ca_file: Path, folder: Path) -> Iterator[Run]:
    """Probes of this URL with the plain `http` prober, which opens a new connection for each.

    Raises BenchmarkError when the exporter is missing or does not start.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise BenchmarkError(f"{_PROGRAM} is not on the PATH: {INSTALL}")
    config = folder / "blackbox.yml"
    module = {"prober": "http", "http": {"preferred_ip_protocol": "ip4", "tls_config": {"ca_file": str(ca_file)}}}
    config.write_text(yaml.safe_dump({"modules": {"jwks": module}}))
    port = choose_port(0)
    command = [program, f"--config.file={config}", f"--web.listen-address={LOOPBACK}:{port}"]
    path = "/probe?" + urlencode({"target": url, "module": "jwks"})
    with running(command, environ={}, cwd=folder, log=folder / "blackbox.log") as process:
        _wait(port, process)

        def run(runs: int) -> Block:
            # One connection for all: what is asked over it costs the exporter as little as can be.
            with closing(http.client.HTTPConnection(LOOPBACK, port)) as connection:
                before, begun = tree_cpu_seconds(process.pid), time.monotonic()
                for _ in range(runs):
                    _probe(connection, path)
                return Block(runs, tree_cpu_seconds(process.pid) - before, time.monotonic() - begun)

        yield run


def _probe(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    metrics = connection.getresponse().read()
    if b"\nprobe_success 1\n" not in metrics:
        raise BenchmarkError("blackbox_exporter's probe failed; its /probe page with &debug=true says why")


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with closing(http.client.HTTPConnection(LOOPBACK, port)) as connection:
                connection.request("GET", "/-/healthy")
                connection.getresponse().read()
                return
        except OSError:
            time.sleep(0.1)
    raise BenchmarkError(f"{_PROGRAM} did not start within {_START_SECONDS:g} s")
