"""`oidcwatch annotate` from outside, against a small server that answers as Grafana does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytestmark = pytest.mark.process

TOKEN = "glsa_canary_token"
Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Grafana:
    """What it was asked, and what it answers."""

    url: str = ""
    status: int = 200
    body: bytes = b'{"message": "Annotation added", "id": 7}'
    location: str = ""
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    state = Grafana()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append((self.path, self.headers["Authorization"], body))
            self.send_response(state.status)
            if state.location:
                self.send_header("Location", state.location)
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, format: str, *args: object) -> None:
            """pytest shows what matters."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(grafana: Grafana) -> Run:
    """`oidcwatch annotate` with these arguments, and the token in the environment."""

    def annotate(*arguments: str, url: str = "", token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "oidcwatch", "annotate", "--grafana", url or grafana.url, *arguments],
            env={**os.environ, "GRAFANA_TOKEN": token},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return annotate


def test_a_deploy_is_a_moment_with_its_tags(run: Run, grafana: Grafana) -> None:
    begun = datetime.now(UTC).timestamp() * 1000

    done = run("Keycloak 26.4.7", "--tag", "deploy", "--issuer", "acme")

    (path, authorization, body), *others = grafana.asked
    assert (done.returncode, done.stdout) == (0, "annotation 7\n")
    assert others == []
    assert (path, authorization) == ("/api/annotations", f"Bearer {TOKEN}")
    assert begun - 1 <= body.pop("time") <= datetime.now(UTC).timestamp() * 1000
    assert body == {"text": "Keycloak 26.4.7", "tags": ["oidcwatch", "deploy", "issuer:acme"]}


def test_what_took_some_time_has_two_ends(run: Run, grafana: Grafana) -> None:
    run("new key", "--tag", "rotation", "--from", "2026-03-01T12:00:00Z", "--to", "2026-03-01T13:30:00+01:00")

    (_, _, body), *_ = grafana.asked
    assert body["time"] == 1_772_366_400_000
    assert body["timeEnd"] == 1_772_368_200_000


def test_a_duration_leads_back_from_now(run: Run, grafana: Grafana) -> None:
    run("new key", "--from", "20m", "--to", "5m")

    (_, _, body), *_ = grafana.asked
    assert body["timeEnd"] - body["time"] == 15 * 60 * 1000


def test_a_base_url_with_a_path_keeps_it(run: Run, grafana: Grafana) -> None:
    run("Keycloak 26.4.7", url=f"{grafana.url}/grafana/")

    assert grafana.asked[0][0] == "/grafana/api/annotations"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"{}", "HTTP 401: the token is not valid"),
        (403, b"{}", "annotations:create"),
        (404, b"not here", "is that the base URL of Grafana?"),
        (500, b"{}", "HTTP 500"),
        (200, b"<html>", "the answer is not Grafana's"),
        (200, b"[]", "the answer is not Grafana's"),
    ],
)
def test_a_refusal_is_told_without_the_token(run: Run, grafana: Grafana, status: int, body: bytes, said: str) -> None:
    grafana.status, grafana.body = status, body

    done = run("Keycloak 26.4.7")

    assert done.returncode == 1
    assert said in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_the_token_does_not_follow_a_redirect(run: Run, grafana: Grafana) -> None:
    grafana.status, grafana.location = 307, f"{grafana.url}/elsewhere"

    done = run("Keycloak 26.4.7")

    assert done.returncode == 1
    assert len(grafana.asked) == 1


def test_a_token_that_no_header_can_hold_is_not_shown(run: Run, grafana: Grafana) -> None:
    done = run("Keycloak 26.4.7", token="glsa_canary_tökén")

    assert done.returncode == 1
    assert grafana.asked == []
    assert "canary" not in done.stderr


def test_a_grafana_that_is_not_there_is_told(run: Run) -> None:
    done = run("Keycloak 26.4.7", url="http://127.0.0.1:9")

    assert done.returncode == 1
    assert "ConnectError" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--grafana", "grafana.example"), "--grafana: expected a URL"),
        (("--grafana", "https://me:pw@grafana.example"), "--grafana: must hold no user or password"),
        (("--token-ref", TOKEN), "--token-ref: expected env:NAME"),
        (("--token-ref", "env:OIDCWATCH_NO_SUCH"), "OIDCWATCH_NO_SUCH is not set"),
        (("--from", "yesterday"), "--from: 'yesterday' is neither"),
        (("--from", "2026-03-01T12:00:00"), "--from: a time needs its zone"),
        (("--to", "10m"), "--to: is before --from"),
    ],
)
def test_a_bad_call_is_refused_and_nothing_is_sent(
    run: Run, grafana: Grafana, arguments: tuple[str, ...], said: str
) -> None:
    done = run("Keycloak 26.4.7", *arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert grafana.asked == []
