"""Every exception of the libraries below has a reason on purpose, and every real fault of a network has its own."""

from __future__ import annotations

import asyncio
import errno
import inspect
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType

import httpcore
import httpx
import jwt.exceptions
import playwright.async_api
import pytest

from probes.classify import classify
from probes.http import make_http
from probes.model import ProbeFailure, Reason, Stage
from probes.probe import utc_now
from sandbox.certificates import Certificates, write_certificates

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[..., Awaitable[int]]

OURS = {
    "httpx.PoolTimeout": "our pool had no connection left",
    "httpx.StreamError": "we read an answer twice, or not at all",
    "httpx.StreamConsumed": "we read an answer twice",
    "httpx.StreamClosed": "we read an answer after closing it",
    "httpx.ResponseNotRead": "we used a body before reading it",
    "httpx.RequestNotRead": "we used a body before reading it",
    "httpx.ProxyError": "our proxy refused us; what it says when it finds nobody is in PROXY_ERRORS",
    "httpcore.PoolTimeout": "our pool had no connection left",
    "httpcore.ConnectionNotAvailable": "our pool gave a connection twice",
    "jwt.exceptions.MissingCryptographyError": "our installation lacks a package",
    "playwright.async_api.Error": "a message that no row knows: the browser broke",
}
"""Every library exception that means our own fault, with the reason why it can be nobody else's."""


def exceptions(module: ModuleType) -> Iterator[tuple[str, type[Exception]]]:
    """The public exception classes of a module, named as in OURS."""
    for name, found in vars(module).items():
        if inspect.isclass(found) and issubclass(found, Exception) and not name.startswith("_"):
            yield f"{module.__name__}.{name}", found


def instance(kind: type[Exception]) -> Exception:
    """One of that class; without its constructor where that wants a request or a response."""
    try:
        return kind("said by a test")
    except TypeError:
        return kind.__new__(kind, "said by a test")


def test_only_the_listed_exceptions_of_the_libraries_are_our_own_fault() -> None:
    modules = (httpx, httpcore, jwt.exceptions, playwright.async_api)
    known = dict(found for module in modules for found in exceptions(module))

    ours = {name for name, kind in known.items() if classify(instance(kind)).reason is Reason.PROBE_ERROR}

    assert ours - set(OURS) == set(), "these need a row in probes.classify, or a reason here"
    assert set(OURS) - ours == set(), "these are listed without need"


def test_an_exception_of_a_later_version_has_the_reason_of_its_ancestor() -> None:
    later = type("LaterReadError", (httpx.ReadError,), {})

    assert classify(later("")).reason is Reason.CONNECT_FAILURE


def test_what_nobody_knows_is_our_own_fault() -> None:
    assert classify(KeyError("x")).reason is Reason.PROBE_ERROR
    assert classify(RecursionError()).detail == "RecursionError: RecursionError"


def test_a_failure_that_has_a_reason_keeps_it() -> None:
    failure = ProbeFailure(Reason.NONCE_MISMATCH, "why", stage=Stage.ID_TOKEN)

    assert classify(failure) is failure


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ECONNREFUSED, Reason.CONNECT_FAILURE),
        (errno.EHOSTUNREACH, Reason.CONNECT_FAILURE),
        (errno.ECONNRESET, Reason.CONNECT_FAILURE),
        (errno.ENETUNREACH, Reason.PROBE_ERROR),
        (errno.ENETDOWN, Reason.PROBE_ERROR),
        (errno.EADDRNOTAVAIL, Reason.PROBE_ERROR),
        (errno.EMFILE, Reason.PROBE_ERROR),
        (errno.ENOBUFS, Reason.PROBE_ERROR),
    ],
)
def test_what_the_system_said_below_the_library_decides_whose_fault_it_is(number: int, reason: Reason) -> None:
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = httpcore.ConnectError("wrapped")
    error.__cause__.__context__ = OSError(number, "said by the system")

    assert classify(error).reason is reason


def test_a_chain_that_leads_back_to_itself_ends() -> None:
    error = httpx.ConnectError("first")
    error.__cause__ = ValueError("second")
    error.__cause__.__context__ = error

    assert classify(error).reason is Reason.CONNECT_FAILURE


PROXY_ERRORS = [
    ("407 Proxy Authentication Required", Reason.PROBE_ERROR),
    ("401 Unauthorized", Reason.PROBE_ERROR),
    ("Invalid username/password", Reason.PROBE_ERROR),
    ("502 Bad Gateway", Reason.CONNECT_FAILURE),
    ("Proxy Server could not connect: Host unreachable.", Reason.CONNECT_FAILURE),
]


@pytest.mark.parametrize(("said", "reason"), PROXY_ERRORS)
def test_a_proxy_that_refuses_us_is_ours_and_one_that_finds_nobody_is_not(said: str, reason: Reason) -> None:
    assert classify(httpx.ProxyError(said)).reason is reason


def test_a_detail_is_bounded() -> None:
    assert len(classify(httpx.ReadError("x" * 10_000)).detail) == 500


def answering(answer: bytes, *, reset: bool = False, at_once: bool = False) -> Handler:
    """A server that answers one thing to whoever asks (or only connects), and may reset the connection then."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1) if at_once else await reader.readuntil(b"\r\n\r\n")
        if reset:
            # SO_LINGER with no time: closing sends RST instead of FIN.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        writer.write(answer)

    return handle


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"), utc_now())


async def reason_of_get(url: str, ca_file: Path | None = None) -> Reason:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what classify is asked
        await make_http(ca_file)("GET", url)
    return classify(caught.value).reason


ANSWERS = [
    (b"", Reason.BAD_RESPONSE),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", Reason.BAD_RESPONSE),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", Reason.BAD_RESPONSE),
    (b"HTTP/1.1 200 OK\r\nContent-Len", Reason.BAD_RESPONSE),
    (b"220 mail.example ESMTP\r\n", Reason.BAD_RESPONSE),
    (b"SSH-2.0-OpenSSH_9.2\r\n", Reason.BAD_RESPONSE),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, Reason.BAD_RESPONSE),
    (b"HTTP/1.1 099 Odd\r\n\r\n", Reason.BAD_RESPONSE),
    (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", Reason.BAD_RESPONSE),
    (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", Reason.BAD_RESPONSE),
    (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", Reason.BAD_RESPONSE),
]


@pytest.mark.parametrize(("answer", "reason"), ANSWERS)
async def test_an_answer_that_is_no_http_is_a_bad_response(serve: Serve, answer: bytes, reason: Reason) -> None:
    port = await serve(answering(answer))

    assert await reason_of_get(f"http://127.0.0.1:{port}/") is reason


async def test_a_reset_is_a_connect_failure(serve: Serve) -> None:
    port = await serve(answering(b"", reset=True))

    assert await reason_of_get(f"http://127.0.0.1:{port}/") is Reason.CONNECT_FAILURE


async def test_a_port_where_nobody_listens_is_a_connect_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert await reason_of_get(f"http://127.0.0.1:{port}/") is Reason.CONNECT_FAILURE


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a..b.example", "x" * 70 + ".example"])
async def test_a_name_that_does_not_resolve_is_a_dns_failure(host: str) -> None:
    assert await reason_of_get(f"http://{host}/") is Reason.DNS_FAILURE


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/", "/relative", "https://", "https://127.0.0.1:99999/", "http://127.0.0.1:0/", "http://[::1"],
)
async def test_a_url_of_the_provider_that_cannot_be_asked_for_is_a_bad_response(url: str) -> None:
    assert await reason_of_get(url) is Reason.BAD_RESPONSE


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid", "wrong_name", "untrusted", "self_signed"])
async def test_a_bad_certificate_is_invalid_tls(serve: Serve, certificates: Certificates, kind: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.chains[kind])
    port = await serve(answering(b""), tls=context)

    assert await reason_of_get(f"https://127.0.0.1:{port}/", certificates.ca_file) is Reason.TLS_INVALID


async def test_plain_http_on_a_tls_port_is_invalid_tls(serve: Serve, certificates: Certificates) -> None:
    port = await serve(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", at_once=True))

    assert await reason_of_get(f"https://127.0.0.1:{port}/", certificates.ca_file) is Reason.TLS_INVALID
