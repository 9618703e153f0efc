"""The fault proxy: what each kind does to a client, and that it changes nothing while it has no rule."""

from __future__ import annotations

import asyncio
import base64
import email.utils
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from sandbox.control_client import ControlError
from sandbox.faultproxy import FaultProxy
from sandbox.http1 import Upstream
from sandbox.launch import Sandbox
from sandbox.loopthread import LoopThread, loop_thread
from sandbox.proxykinds import KINDS
from sandbox.proxyrules import BadRuleError, parse_rules
from sandbox.visitor import Visitor

pytestmark = pytest.mark.process

PATH = "/.well-known/openid-configuration"


def rule(kind: str, **params: Any) -> dict[str, Any]:
    return {"path": "^/.well-known/", "kind": kind, **params}


def get(sandbox: Sandbox, timeout: float = 10.0) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=timeout) as client:
        return client.get(f"{sandbox.issuer}{PATH}")


def broken_json(answer: httpx.Response) -> bool:
    try:
        answer.json()
    except ValueError:
        return True
    return False


ANSWERS: dict[str, tuple[dict[str, Any], Callable[[httpx.Response], bool]]] = {
    "status": (
        {"status": 429, "retry_after": 7},
        lambda answer: (answer.status_code, answer.headers["retry-after"]) == (429, "7"),
    ),
    "html": ({}, lambda answer: answer.text.startswith("<!doctype html>")),
    "empty": ({}, lambda answer: answer.status_code == 200 and answer.content == b""),
    "body": ({"base64": base64.b64encode(b"\x00\x01").decode()}, lambda answer: answer.content == b"\x00\x01"),
    "invalid_utf8": ({}, broken_json),
    "redirect": ({}, lambda answer: answer.headers["location"] == PATH),
    "redirect_host": ({}, lambda answer: answer.headers["location"] == f"https://other.example.test{PATH}"),
    "huge": ({"bytes": 3_000_000}, lambda answer: len(answer.content) == 3_000_000),
    "gzip_bomb": (
        {"bytes": 20 << 20},
        lambda answer: len(answer.content) == 20 << 20 and answer.num_bytes_downloaded < 100_000,
    ),
    "content_type": ({"value": "text/plain"}, lambda answer: answer.headers["content-type"] == "text/plain"),
    "json": (
        {"set": {"issuer": "x"}, "drop": ["jwks_uri"]},
        lambda answer: answer.json()["issuer"] == "x" and "jwks_uri" not in answer.json(),
    ),
    "header": (
        {"set": {"X-Edge": "7"}, "drop": ["cache-control"]},
        lambda answer: answer.headers["x-edge"] == "7" and "cache-control" not in answer.headers,
    ),
    "dateskew": (
        {"seconds": 7200},
        lambda answer: email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp() > time.time() + 7000,
    ),
    "delay": ({"seconds": 0.01}, lambda answer: "issuer" in answer.json()),
    "drip": ({"bytes": 256, "seconds": 0.001}, lambda answer: "issuer" in answer.json()),
}

FAILURES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "reset": ({}, httpx.ReadError, "reset by peer"),
    "refuse": ({}, httpx.ConnectError, "refused"),
    "close": ({}, httpx.RemoteProtocolError, "without sending a response"),
    "hang": ({"seconds": 60}, httpx.ReadTimeout, "timed out"),
    "truncate": ({}, httpx.RemoteProtocolError, "without sending complete message body"),
    "endless_headers": ({}, httpx.RemoteProtocolError, "too long"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_kind_gives_its_answer(sandbox: Sandbox, kind: str) -> None:
    params, holds = ANSWERS[kind]
    sandbox.control.proxy_rules([rule(kind, **params)])

    answer = get(sandbox)

    assert holds(answer)


@pytest.mark.parametrize("kind", FAILURES)
def test_a_kind_breaks_the_connection_in_its_way(sandbox: Sandbox, kind: str) -> None:
    params, error, message = FAILURES[kind]
    sandbox.control.proxy_rules([rule(kind, **params)])

    with pytest.raises(error, match=message):
        get(sandbox, timeout=1.0 if kind == "hang" else 10.0)


def test_every_kind_is_covered_here() -> None:
    assert {*ANSWERS, *FAILURES, "stale"} == set(KINDS)


def test_stale_serves_the_first_answer_for_ever(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.proxy_rules([{"path": "^/jwks$", "kind": "stale"}])
    first = visitor.http.get(f"{sandbox.issuer}/jwks").json()
    sandbox.control.rotate("abrupt")

    second = visitor.http.get(f"{sandbox.issuer}/jwks").json()
    sandbox.control.proxy_rules([])

    assert second == first
    assert visitor.http.get(f"{sandbox.issuer}/jwks").json() != first


def test_a_drip_never_trips_a_timeout_of_single_reads(sandbox: Sandbox) -> None:
    sandbox.control.proxy_rules([rule("drip", bytes=512, seconds=0.3)])

    answer = get(sandbox, timeout=5.0)

    assert answer.status_code == 200


def test_times_counts_down(sandbox: Sandbox) -> None:
    sandbox.control.proxy_rules([rule("status", status=503, times=2)])

    statuses = [get(sandbox).status_code for _ in range(3)]

    assert statuses == [503, 503, 200]


def test_a_rule_can_strike_the_first_of_every_few_requests_only(sandbox: Sandbox) -> None:
    sandbox.control.proxy_rules([rule("status", status=503, every=3)])

    statuses = [get(sandbox).status_code for _ in range(7)]

    assert statuses == [503, 200, 200, 503, 200, 200, 503]
    assert sandbox.control.rules()[0]["every"] == 3


def test_a_rule_can_concern_one_method(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.proxy_rules([{"path": "^/token$", "method": "post", "kind": "status", "status": 503}])

    statuses = [visitor.http.request(method, f"{sandbox.issuer}/token").status_code for method in ("POST", "OPTIONS")]

    assert statuses == [503, 200]


@pytest.mark.parametrize(
    ("form", "content_type"), [("json", "application/json"), ("html", "text/html"), ("empty", None)]
)
def test_an_error_status_comes_in_every_form(sandbox: Sandbox, form: str, content_type: str | None) -> None:
    sandbox.control.proxy_rules([rule("status", status=500, form=form)])

    answer = get(sandbox)

    assert (answer.status_code, answer.headers.get("content-type")) == (500, content_type)


def test_after_refusing_the_same_port_listens_again(sandbox: Sandbox) -> None:
    sandbox.control.proxy_rules([rule("refuse")])

    sandbox.control.proxy_rules([])

    assert get(sandbox).status_code == 200


def test_a_huge_body_is_not_held_in_memory(sandbox: Sandbox) -> None:
    sandbox.control.proxy_rules([rule("huge", bytes=1 << 30)])

    with httpx.Client(trust_env=False) as client, client.stream("GET", f"{sandbox.issuer}{PATH}") as answer:
        first = next(answer.iter_raw(1 << 20))
    status = Path(f"/proc/{sandbox.pid}/status").read_text()

    assert len(first) == 1 << 20
    assert int(status.split("VmHWM:")[1].split()[0]) < 256 * 1024


def test_a_whole_sign_in_passes_unchanged(sandbox: Sandbox, visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "bob")

    assert {"access_token", "id_token", "refresh_token"} <= set(tokens)


def test_connections_are_kept_and_closed_as_the_client_wishes(sandbox: Sandbox) -> None:
    port = urlsplit(sandbox.issuer).port
    request = f"GET /jwks HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n%s\r\n"

    with socket.create_connection(("127.0.0.1", port or 0)) as connection, connection.makefile("rb") as answers:
        connection.sendall((request % "").encode() + (request % "Connection: close\r\n").encode())
        everything = answers.read()

    assert everything.count(b"HTTP/1.1 200 OK") == 2
    assert everything.count(b"Connection: keep-alive") == 1


@pytest.mark.parametrize(
    "head",
    [
        "NONSENSE\r\n\r\n",
        "GET /jwks HTTP/1.1\r\nno colon\r\n\r\n",
        "POST /token HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /token HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_malformed_request_is_answered_with_400(sandbox: Sandbox, head: str) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(sandbox.issuer).port or 0)) as connection:
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "expected an object with a list `rules`"),
        ({"rules": [{"kind": "melt"}]}, r"rules\[0\].kind: expected one of body, "),
        ({"rules": [{"kind": "delay", "minutes": 1}]}, r"rules\[0\].minutes: expected one of seconds"),
        ({"rules": [{"kind": "delay", "seconds": "1"}]}, r"rules\[0\].seconds: expected one of seconds"),
        ({"rules": [{"kind": "close", "path": "("}]}, r"rules\[0\].path: not a regular expression"),
        ({"rules": [{"kind": "close", "times": 0}]}, r"rules\[0\].times: expected a number from 1"),
        ({"rules": [{"kind": "close", "every": 0}]}, r"rules\[0\].every: expected a number from 1"),
        ({"rules": [{"kind": "close", "path": 7}]}, r"rules\[0\]: path and method are strings"),
    ],
)
def test_a_bad_rule_is_named(document: Any, message: str) -> None:
    with pytest.raises(BadRuleError, match=message):
        parse_rules(document)


def test_the_control_port_answers_a_bad_rule_with_its_name(sandbox: Sandbox) -> None:
    with pytest.raises(ControlError, match=r"rules\[0\].kind"):
        sandbox.control.proxy_rules([{"kind": "melt"}])


def test_the_control_port_refuses_foreign_host_names(sandbox: Sandbox) -> None:
    answer = httpx.get(f"{sandbox.control.fault_url}/rules", headers={"Host": "evil.example.test"}, trust_env=False)

    assert answer.status_code == 421


# In front of another provider: a small server that tells what it received.


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with loop_thread("test-upstream") as thread:
        yield thread


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(
        (int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0
    )
    body = (await reader.readexactly(length)).decode()
    said = json.dumps({"head": head, "body": body}).encode()
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (said[:10], said[10:])) + b"0\r\n\r\n"
    cookies = b"Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/\r\n"
    writer.write(b"HTTP/1.1 200 OK\r\n" + cookies + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    await writer.drain()
    writer.close()


@pytest.fixture
def proxied(loop: LoopThread) -> Iterator[FaultProxy]:
    async def start() -> tuple[asyncio.Server, FaultProxy]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        proxy = FaultProxy(Upstream.from_url(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        await proxy.start()
        return server, proxy

    async def stop(server: asyncio.Server, proxy: FaultProxy) -> None:
        await proxy.stop()
        server.close()

    server, proxy = loop.run(start())
    yield proxy
    loop.run(stop(server, proxy))


def test_the_upstream_sees_the_proxys_address_as_its_host(proxied: FaultProxy) -> None:
    with httpx.Client(trust_env=False) as client:
        seen = client.post(f"{proxied.url}/a?b=c", data={"d": "e"}).json()

    assert f"host: 127.0.0.1:{proxied.port}" in seen["head"].lower()
    assert seen["head"].startswith("POST /a?b=c HTTP/1.1")
    assert "x-forwarded-proto: http" in seen["head"].lower()
    assert seen["body"] == "d=e"


def test_a_chunked_request_arrives_whole(proxied: FaultProxy) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one "
        yield b"two"

    with httpx.Client(trust_env=False) as client:
        seen = client.post(f"{proxied.url}/", content=chunks()).json()

    assert seen["body"] == "one two"


def test_every_cookie_of_an_answer_comes_through(proxied: FaultProxy) -> None:
    with httpx.Client(trust_env=False) as client:
        answer = client.get(f"{proxied.url}/")

    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]


def test_an_upstream_that_is_gone_is_a_bad_gateway(loop: LoopThread) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = FaultProxy(Upstream("127.0.0.1", unused.getsockname()[1]))
        loop.run(proxy.start())

        answer = httpx.get(proxy.url, trust_env=False)
        loop.run(proxy.stop())

    assert answer.status_code == 502
