"""The page of a running drill, the schedule of game days, and the word to agents."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from drills.journal import Journal
from drills.progress import Progress, Standing
from drills.record import Event, EventKind, Phase, Record
from drills.report.writing import write_report
from drills.subject import Kind
from drills.target import Manual, Target
from oidcwatch.drill_agents import Agents
from oidcwatch.drill_live import Board
from oidcwatch.drill_page import page_app, serve_page
from oidcwatch.drill_places import lab_root
from oidcwatch.drill_schedule import Between, interval_of, repeat
from probes.redact import Redactor
from probes.subjects import Client, Issuer

NOW = datetime(2026, 3, 1, 9, 15, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
TARGET = Target(Issuer("staging", "https://login.acme.example"), Client("machine", "machine"), Manual(60.0))


def progress(text: str = "rotate", name: str = "pyjwt") -> Progress:
    standing = Standing(name, Kind.CANARY, 2.0, 2.4, True, False)
    return Progress("a-drill", Phase.OBSERVE, (Event(NOW, EventKind.MOVE, text),), (standing,), 12.0, 60.0)


def test_the_page_shows_the_drill_as_it_stands(tmp_path: Path) -> None:
    board = Board()
    with serve_page(page_app(board, tmp_path, Redactor()), "127.0.0.1", 0) as url:
        before = httpx.get(url, trust_env=False).text
        board.take(progress())

        after = httpx.get(url, trust_env=False).text

    assert "No drill yet" in before
    assert "observe: 12 s of at most 60 s" in after
    assert "<td>✓ accepts</td>" in after
    assert '<td class="refuses">✗ refuses</td>' in after
    assert "09:15:00 move: rotate" in after


def test_nothing_that_others_say_is_markup_or_a_secret_on_the_page(tmp_path: Path) -> None:
    board, redact = Board(), Redactor()
    redact.learn(["a-secret-of-the-provider"])
    board.take(progress(f"{HOSTILE} a-secret-of-the-provider", HOSTILE))

    with serve_page(page_app(board, tmp_path, redact), "127.0.0.1", 0) as url:
        answer = httpx.get(url, trust_env=False)

    assert HOSTILE not in answer.text
    assert "a-secret-of-the-provider" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_page_leads_to_reports_and_to_nothing_else(tmp_path: Path, record: Callable[..., Record]) -> None:
    journal = Journal.create(tmp_path, "zero-lead", NOW)
    journal.close()
    write_report(replace(record(), id=journal.id), journal.folder)

    with serve_page(page_app(Board(), tmp_path, Redactor()), "127.0.0.1", 0) as url:
        index = httpx.get(url, trust_env=False).text
        report = httpx.get(f"{url}reports/{journal.id}", trust_env=False)
        others = [httpx.get(f"{url}reports/{name}", trust_env=False) for name in ("%2e%2e", "%2e%2e%2fetc", "nothing")]

    assert f'<a href="/reports/{journal.id}">' in index
    assert (report.status_code, "A new key signs at once" in report.text) == (200, True)
    assert {answer.status_code for answer in others} == {404}


@pytest.mark.parametrize(("text", "seconds"), [("week", 604_800.0), ("1d", 86_400.0), ("90m", 5_400.0)])
def test_an_interval_is_a_word_or_a_duration(text: str, seconds: float) -> None:
    assert interval_of(text) == seconds


@pytest.mark.parametrize("text", ["30s", "", "weekly", "-1d"])
def test_another_interval_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="write week, day, hour or a duration like 12h, at least 1m"):
        interval_of(text)


def test_a_game_day_begins_at_once_and_again_and_ends_when_it_is_stopped() -> None:
    stop, runs = threading.Event(), 0
    following: list[datetime] = []

    def once() -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            stop.set()

    repeat(1.0, once, following.append, stop, Between(lambda: None, 60.0))

    assert runs == 2
    assert len(following) == 1
    assert following[0].tzinfo is not None


def test_between_game_days_what_is_left_is_looked_after_and_never_during_one() -> None:
    stop, running, looks = threading.Event(), threading.Event(), 0

    def once() -> None:
        running.set()
        time.sleep(0.3)
        running.clear()

    def tend() -> None:
        nonlocal looks
        assert not running.is_set()
        looks += 1
        if looks == 3:
            stop.set()

    repeat(60.0, once, lambda at: None, stop, Between(tend, 0.02))

    assert looks == 3


def test_agents_are_told_of_the_drill_and_of_its_end() -> None:
    asked: list[str] = []

    class Agent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Agent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        agents = Agents(replace(TARGET, agents=(f"http://127.0.0.1:{server.server_port}",)), longest=900.0)
        told = (*agents.tell(True), *agents.tell(False))
        server.shutdown()
        thread.join()

    assert asked == ["/-/drill?issuer=staging&state=on&for=2h", "/-/drill?issuer=staging&state=off"]
    assert all(ready.ok for ready in told)


def test_an_agent_that_cannot_be_told_is_named_with_what_mends_it() -> None:
    (ready,) = Agents(replace(TARGET, agents=("http://127.0.0.1:9",)), longest=900.0).tell(True)

    assert not ready.ok
    assert ready.name == "agent http://127.0.0.1:9"
    assert ready.text.endswith("; correct drill.agents, or start it")


def test_drills_on_labs_are_kept_where_the_user_keeps_state() -> None:
    assert lab_root({"XDG_STATE_HOME": "/var/state", "HOME": "/h"}) == Path("/var/state/oidcwatch/drills")
    assert lab_root({"XDG_STATE_HOME": "relative", "HOME": "/h"}) == Path("/h/.local/state/oidcwatch/drills")
