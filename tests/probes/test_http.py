"""The HTTP client: every exchange on its own connection, timed in phases, bounded in size, without redirects."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.http import MAX_BODY, HttpClient, Response, make_http
from probes.model import ProbeFailure, Reason
from probes.network import PHASES, Phases
from sandbox.certificates import write_certificates

Serve = Callable[..., Awaitable[int]]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Recorder:
    """A server that keeps what it was asked and answers one thing."""

    def __init__(self, answer: bytes, *, wait: float = 0.0) -> None:
        self.answer, self.wait = answer, wait
        self.asked: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        self.asked.append(head + await reader.readexactly(int(length.partition(b":")[2])))
        await asyncio.sleep(self.wait)
        writer.write(self.answer)


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_status_headers_and_body_arrive_as_they_were_sent(serve: Serve) -> None:
    port = await serve(Recorder(answer(b'{"a":1}', "Content-Type: Application/JSON; charset=utf-8", "X-One: 1")))

    response = await make_http()("GET", f"http://127.0.0.1:{port}/path?q=1")

    assert (response.status, response.body, response.headers["x-one"]) == (200, b'{"a":1}', "1")
    assert response.media_type == "application/json"
    assert response.url == f"http://127.0.0.1:{port}/path?q=1"
    assert response.started <= response.finished


async def test_the_request_says_who_asks_and_asks_for_plain_json(serve: Serve) -> None:
    server = Recorder(answer(b"{}"))
    port = await serve(server)

    await make_http()("GET", f"http://127.0.0.1:{port}/a?b=c", headers={"Authorization": "Bearer t"})

    request = server.asked[0].decode().lower()
    assert request.startswith("get /a?b=c http/1.1\r\n")
    assert "\r\nuser-agent: oidcwatch/" in request
    assert "\r\naccept: application/json\r\n" in request
    assert "\r\naccept-encoding: identity\r\n" in request
    assert "\r\nauthorization: bearer t\r\n" in request
    assert "cookie" not in request


async def test_a_form_is_sent_encoded(serve: Serve) -> None:
    server = Recorder(answer(b"{}"))
    port = await serve(server)

    await make_http()(
        "POST", f"http://127.0.0.1:{port}/token", form={"grant_type": "client_credentials", "scope": "a b&c"}
    )

    head, _, form = server.asked[0].partition(b"\r\n\r\n")
    assert form == b"grant_type=client_credentials&scope=a+b%26c"
    assert b"application/x-www-form-urlencoded" in head


async def test_a_redirect_is_an_answer_and_a_cookie_is_not_sent_back(serve: Serve) -> None:
    server = Recorder(answer(b"", "Location: /elsewhere", "Set-Cookie: a=b", status="302 Found"))
    url = f"http://127.0.0.1:{await serve(server)}/"
    http = make_http()

    responses = [await http("GET", url), await http("GET", url)]

    assert [response.status for response in responses] == [302, 302]
    assert len(server.asked) == 2
    assert b"cookie" not in server.asked[1].lower()


async def test_each_exchange_has_a_connection_of_its_own(serve: Serve) -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await Recorder(answer(b"{}", "Connection: keep-alive"))(reader, writer)

    url, http = f"http://127.0.0.1:{await serve(count)}/", make_http()

    for _ in range(3):
        await http("GET", url)

    assert connections == 3


async def test_every_phase_of_an_exchange_over_tls_is_timed(serve: Serve, tmp_path: Path) -> None:
    certificates = write_certificates(tmp_path, datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.chains["good"])
    port = await serve(Recorder(answer(b"{}"), wait=0.05), tls=context)

    response = await make_http(certificates.ca_file)("GET", f"https://localhost:{port}/")

    attributes = response.phases.attributes()
    assert set(attributes) == {f"http.{name}" for name in PHASES}
    assert all(attributes[f"http.{name}"] > 0 for name in ("dns", "connect", "tls", "send", "wait"))
    assert attributes["http.wait"] >= 0.05
    total = (response.finished - response.started).total_seconds()
    assert sum(attributes.values()) <= total + 0.001
    assert response.phases.certificate_expiry == pytest.approx(
        (datetime.now(UTC) + timedelta(days=30)).timestamp(), abs=60
    )


async def test_a_plain_exchange_has_neither_tls_phase_nor_certificate(serve: Serve) -> None:
    response = await make_http()("GET", f"http://127.0.0.1:{await serve(Recorder(answer(b'{}')))}/")

    assert response.phases.tls == 0
    assert response.phases.dns < response.phases.connect + 1
    assert response.phases.certificate_expiry is None


async def test_concurrent_exchanges_record_their_own_phases(serve: Serve) -> None:
    slow = f"http://127.0.0.1:{await serve(Recorder(answer(b'{}'), wait=0.2))}/"
    quick = f"http://127.0.0.1:{await serve(Recorder(answer(b'{}')))}/"
    http = make_http()

    first, second = await asyncio.gather(http("GET", slow), http("GET", quick))

    assert first.phases.wait >= 0.2 > second.phases.wait


@pytest.mark.parametrize("size", [0, 1, MAX_BODY])
async def test_a_body_up_to_the_limit_is_read(serve: Serve, size: int) -> None:
    port = await serve(Recorder(answer(b"x" * size)))

    assert len((await make_http()("GET", f"http://127.0.0.1:{port}/")).body) == size


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "deflate"])
async def test_a_compressed_body_is_read_although_nobody_asked_for_it(serve: Serve, encoding: str) -> None:
    packed = zlib.compress(b'{"a":1}') if encoding == "deflate" else gzip.compress(b'{"a":1}')
    port = await serve(Recorder(answer(packed, f"Content-Encoding: {encoding}")))

    assert (await make_http()("GET", f"http://127.0.0.1:{port}/")).body == b'{"a":1}'


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"x" * (MAX_BODY + 1), "identity"),
        (gzip.compress(b"x" * (MAX_BODY + 1)), "gzip"),
        (gzip.compress(b"{}") + b"more", "gzip"),
        (b"{}", "gzip"),
        (b"{}", "br"),
        (gzip.compress(gzip.compress(b"{}")), "gzip, gzip"),
    ],
)
async def test_a_body_beyond_the_limit_or_in_an_unknown_encoding_is_a_bad_response(
    serve: Serve, body: bytes, encoding: str
) -> None:
    port = await serve(Recorder(answer(body, f"Content-Encoding: {encoding}")))

    with pytest.raises(ProbeFailure) as caught:
        await make_http()("GET", f"http://127.0.0.1:{port}/")

    assert caught.value.reason is Reason.BAD_RESPONSE


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\0b"])
async def test_a_header_of_ours_can_never_become_two(serve: Serve, value: str) -> None:
    server = Recorder(answer(b"{}"))
    port = await serve(server)

    with pytest.raises(httpx.LocalProtocolError):
        await make_http()("GET", f"http://127.0.0.1:{port}/", headers={"Authorization": f"Bearer {value}"})

    assert server.asked == []


def test_an_unreadable_ca_file_is_told_when_the_client_is_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_http(tmp_path / "absent.pem")

    (tmp_path / "broken.pem").write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        make_http(tmp_path / "broken.pem")


def response_with(**headers: str) -> Response:
    return Response("GET", "https://a.example/", 200, httpx.Headers(headers), b"", Phases(), NOW, NOW)


@pytest.mark.parametrize(
    ("date", "read"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 14:00:00 +0200", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 12:00:00 -0000", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("now", None),
        ("", None),
    ],
)
def test_the_date_of_an_answer_is_aware_utc_or_nothing(date: str, read: datetime | None) -> None:
    assert response_with(date=date).date == read


def test_an_answer_without_date_and_type_has_neither() -> None:
    assert response_with().date is None
    assert response_with().media_type == ""


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d+:\d+:\d+ [+-]\d{1,6}"))
def test_no_date_header_makes_an_answer_raise(date: str) -> None:
    with contextlib.suppress(UnicodeEncodeError):  # a test's own: no server can send it
        assert response_with(date=date).date is None or response_with(date=date).date is not None


@given(st.binary(max_size=200), st.sampled_from(["", "gzip", "deflate", "identity", "x"]), st.integers(1, 20))
def test_no_body_makes_the_client_raise_anything_but_a_failure(body: bytes, encoding: str, size: int) -> None:
    class Stream(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def] # an asynchronous generator
            for start in range(0, len(body), size):
                yield body[start : start + size]

    async def transport(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": encoding}, stream=Stream())

    client = HttpClient(httpx.MockTransport(transport), max_body=100)

    with contextlib.suppress(ProbeFailure):
        assert len(asyncio.run(client("GET", "https://a.example/")).body) <= 100
