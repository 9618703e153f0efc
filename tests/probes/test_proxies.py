"""Regions behind proxies: real ones are gone through, and one that is broken is our own fault, not the provider's."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import which

import pytest

from probes.classify import classify
from probes.http import make_http
from probes.model import Reason
from sandbox.certificates import Certificates, write_certificates

pytestmark = pytest.mark.process
Serve = Callable[..., Awaitable[int]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def start(*command: str, port: int) -> subprocess.Popen[bytes]:
    """A proxy that is ready to be used."""
    assert which(command[0]), f"install it: apt-get install -y {command[0]}"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30  # a loaded machine starts slowly, and a closed port answers at once
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        assert process.poll() is None, f"{command[0]} ended"
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise AssertionError(f"{command[0]} does not listen")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def tinyproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    configuration = tmp_path_factory.mktemp("tinyproxy") / "tinyproxy.conf"
    configuration.write_text(
        f"Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 30\nMaxClients 20\nBasicAuth region canary\n"
    )
    process = start("tinyproxy", "-d", "-c", str(configuration), port=port)
    yield f"127.0.0.1:{port}"
    stop(process)


@pytest.fixture(scope="module")
def microsocks() -> Iterator[str]:
    port = free_port()
    process = start("microsocks", "-i", "127.0.0.1", "-p", str(port), "-u", "region", "-P", "canary", port=port)
    yield f"127.0.0.1:{port}"
    stop(process)


@pytest.fixture
def proxies(tinyproxy: str, microsocks: str) -> dict[str, str]:
    """By scheme, with the right password."""
    return {
        "http": f"http://region:canary@{tinyproxy}",
        "socks5": f"socks5://region:canary@{microsocks}",
    }


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"), datetime.now(UTC))


class Origin:
    """A server that counts its visitors."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


def tls(certificates: Certificates, kind: str = "good") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.chains[kind])
    return context


async def reason_of_get(url: str, proxy: str, ca_file: Path | None = None) -> Reason:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what classify is asked
        await make_http(ca_file, proxy)("GET", url)
    assert "canary" not in str(caught.value)
    return classify(caught.value).reason


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_plain_http_goes_through_the_proxy(serve: Serve, proxies: dict[str, str], scheme: str) -> None:
    origin = Origin()
    port = await serve(origin)

    response = await make_http(proxy=proxies[scheme])("GET", f"http://127.0.0.1:{port}/a")

    assert (response.status, response.body) == (200, b"{}")
    assert b"canary" not in origin.asked[0]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_tls_is_with_the_provider_and_not_with_the_proxy(
    serve: Serve, proxies: dict[str, str], certificates: Certificates, scheme: str
) -> None:
    port = await serve(Origin(), tls=tls(certificates))

    response = await make_http(certificates.ca_file, proxies[scheme])("GET", f"https://127.0.0.1:{port}/")

    assert response.status == 200
    assert response.phases.tls > 0
    assert response.phases.certificate_expiry is not None


@pytest.mark.parametrize(("scheme", "known"), [("", "127.0.0.1"), ("http", ""), ("socks5", "")])
async def test_the_address_that_answered_is_known_unless_a_proxy_chose_it(
    serve: Serve, proxies: dict[str, str], certificates: Certificates, scheme: str, known: str
) -> None:
    port = await serve(Origin(), tls=tls(certificates))

    response = await make_http(certificates.ca_file, proxies.get(scheme))("GET", f"https://127.0.0.1:{port}/")

    assert response.phases.remote == known


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_bad_certificate_behind_a_proxy_is_the_providers(
    serve: Serve, proxies: dict[str, str], certificates: Certificates, scheme: str
) -> None:
    port = await serve(Origin(), tls=tls(certificates, "expired"))

    reason = await reason_of_get(f"https://127.0.0.1:{port}/", proxies[scheme], certificates.ca_file)

    assert reason is Reason.TLS_INVALID


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_provider_that_the_proxy_cannot_reach_is_a_connect_failure(
    proxies: dict[str, str], scheme: str
) -> None:
    assert await reason_of_get(f"https://127.0.0.1:{free_port()}/", proxies[scheme]) is Reason.CONNECT_FAILURE


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_where_nobody_listens_is_our_own_fault(scheme: str) -> None:
    proxy = f"{scheme}://region:canary@127.0.0.1:{free_port()}"

    assert await reason_of_get("https://127.0.0.1:9/", proxy) is Reason.PROBE_ERROR


async def test_a_proxy_whose_name_does_not_resolve_is_our_own_fault() -> None:
    assert await reason_of_get("https://127.0.0.1:9/", "http://proxy.invalid:3128") is Reason.PROBE_ERROR


async def test_a_proxy_that_refuses_our_password_is_our_own_fault(tinyproxy: str, microsocks: str) -> None:
    assert await reason_of_get("https://127.0.0.1:9/", f"http://region:canary-2@{tinyproxy}") is Reason.PROBE_ERROR
    assert await reason_of_get("https://127.0.0.1:9/", f"socks5://region:canary-2@{microsocks}") is Reason.PROBE_ERROR


async def test_what_does_not_speak_socks_is_our_own_fault(serve: Serve) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")

    port = await serve(greet)

    assert await reason_of_get("https://127.0.0.1:9/", f"socks5://127.0.0.1:{port}") is Reason.PROBE_ERROR
