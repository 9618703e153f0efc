"""Regions through proxies, and private certificate authorities."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from probes.authorize import Credentials
from probes.browser import BrowserPool, PoolOptions
from probes.browser_session import SessionOptions
from probes.model import ProbeFailure, Quantity, Reason
from sandbox.launch import Sandbox

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("browser_there")]
Visit = Callable[..., Awaitable[Any]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A server process, from when its port answers."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            for _ in range(200):
                with socket.socket() as attempt:
                    if attempt.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            else:
                pytest.fail(f"{command[0]} does not listen: {log.read_text()}")
            yield
        finally:
            process.terminate()


async def test_a_region_with_an_http_proxy_sends_everything_through_it(
    visit: Visit, site: Any, callback: str, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "tinyproxy.log"
    settings = tmp_path / "tinyproxy.conf"
    settings.write_text(f"Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nLogLevel Connect\n")
    command = [str(tool("tinyproxy", "tinyproxy")), "-d", "-c", str(settings)]
    site.on("GET /authorize", location=callback)

    with running(command, port, log):
        async with BrowserPool() as pool:
            done = await visit(pool, f"{site.url}/authorize", proxy=f"http://127.0.0.1:{port}")

    assert "code" in done.parameters
    assert site.url.removeprefix("http://") in log.read_text()
    assert "portal.example.test" not in log.read_text()


async def test_an_http_proxy_may_ask_for_a_password(
    visit: Visit, site: Any, callback: str, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "tinyproxy.log"
    settings = tmp_path / "tinyproxy.conf"
    settings.write_text(f"Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nBasicAuth region secret\n")
    command = [str(tool("tinyproxy", "tinyproxy")), "-d", "-c", str(settings)]
    site.on("GET /authorize", location=callback)

    with running(command, port, log):
        async with BrowserPool() as pool:
            done = await visit(pool, f"{site.url}/authorize", proxy=f"http://region:secret@127.0.0.1:{port}")

    assert "code" in done.parameters


async def test_a_region_with_a_socks_proxy_sends_everything_through_it(
    visit: Visit, site: Any, callback: str, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "microsocks.log"
    command = [str(tool("microsocks", "microsocks")), "-i", "127.0.0.1", "-p", str(port)]
    site.on("GET /authorize", location=callback)

    with running(command, port, log):
        async with BrowserPool() as pool:
            done = await visit(pool, f"{site.url}/authorize", proxy=f"socks5://127.0.0.1:{port}")

    assert "code" in done.parameters
    assert "connected to 127.0.0.1" in log.read_text()


async def test_a_proxy_that_is_away_is_ours(visit: Visit, site: Any) -> None:
    async with BrowserPool() as pool:
        done = await visit(pool, f"{site.url}/authorize", proxy=f"http://127.0.0.1:{free_port()}")

    assert done.why == ("authorize", "probe_error")


async def test_a_private_ca_is_trusted_when_it_is_configured(
    visit: Visit, request_url: Callable[..., str], tls_sandbox: Sandbox, tool: Callable[[str, str], Path]
) -> None:
    tool("certutil", "libnss3-tools")
    assert tls_sandbox.ca_file is not None
    alice = Credentials("alice", tls_sandbox.users["alice"].password)

    async with BrowserPool(PoolOptions(ca_files=(tls_sandbox.ca_file,))) as pool:
        done = await visit(pool, request_url(tls_sandbox), user=alice)

    assert "code" in done.parameters
    (expiry,) = (each.value for each in done.steps.measurements if each.quantity is Quantity.TLS_EXPIRY)
    assert expiry > time.time()


async def test_an_authority_that_nobody_configured_is_not_trusted(
    visit: Visit, request_url: Callable[..., str], tls_sandbox: Sandbox
) -> None:
    async with BrowserPool() as pool:
        done = await visit(pool, request_url(tls_sandbox))

    assert done.why == ("authorize", "tls_invalid")


async def test_without_certutil_the_error_says_what_to_install(
    options: SessionOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n")
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "certutil" else real(name))

    async with BrowserPool(PoolOptions(ca_files=(ca_file,))) as pool:
        with pytest.raises(ProbeFailure, match="apt-get install libnss3-tools") as refused:
            async with pool.session(options):
                pass

    assert refused.value.reason is Reason.PROBE_ERROR


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("nothing", "holds no PEM certificate")])
async def test_a_ca_file_that_is_no_use_is_named(
    options: SessionOptions, tmp_path: Path, content: str | None, said: str
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)

    async with BrowserPool(PoolOptions(ca_files=(ca_file,))) as pool:
        with pytest.raises(ProbeFailure, match=said):
            async with pool.session(options):
                pass
