"""The proxies that stand for other regions die: only those regions are without evidence."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.process


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


@contextlib.contextmanager
def _listening(port: int, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield process
        finally:
            process.kill()
            process.wait()


def _of_each(agent: Any, result: str) -> list[Callable[[], bool]]:
    """Makes the far region's checks run; conditions that each has had that result."""
    conditions = [agent.more(result, region="far", probe=probe) for probe in ("discovery", "login")]
    agent.again()
    return conditions


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_dead_proxy_excludes_the_runs_of_its_region_only(
    bench: Any, need: Callable[[str, str], str], tmp_path: Path, kind: str
) -> None:
    port = _free_port()
    settings = tmp_path / "tinyproxy.conf"
    settings.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\n")
    commands = {
        "http": ("tinyproxy", "-d", "-c", str(settings)),
        "socks5": ("microsocks", "-i", "127.0.0.1", "-p", str(port)),
    }
    command = commands[kind]
    need(command[0], command[0])
    egress = [{"region": "far", "proxy": f"{kind}://127.0.0.1:{port}"}]
    with bench.agent(bench.document("discovery", "login", every="3s", egress=egress)) as agent:
        with _listening(port, *command) as proxy:
            for region in ("here", "far"):
                for probe in ("discovery", "login"):
                    agent.until(lambda r=region, p=probe: agent.runs("success", region=r, probe=p))

            proxy.kill()
            for wanted in _of_each(agent, "excluded"):
                agent.until(wanted)
            agent.until(agent.more("success", 2, region="here", probe="discovery"))

        with _listening(port, *command):
            for wanted in _of_each(agent, "success"):
                agent.until(wanted)

        assert agent.runs("excluded", region="here") == 0
        assert agent.runs("failure", region="here") == 0
        assert agent.runs("failure", region="far") == 0
