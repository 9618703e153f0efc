"""`oidcwatch slo backtest` over a run history and over a real Prometheus: both tell of the same outage."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from exporters import metrics as m
from oidcwatch.backtest import span

if TYPE_CHECKING:
    from tests.oidcwatch.slo.conftest import History, Run

pytestmark = pytest.mark.process

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
FROM, TO = "2026-03-01", "2026-03-01T08:00Z"


@pytest.fixture
def prometheus(tmp_path: Path, history: History) -> Iterator[str]:
    """A Prometheus that has scraped the history; gives its address."""
    for tool in ("prometheus", "promtool"):
        assert shutil.which(tool), f"{tool} is missing: apt-get install prometheus"
    data, port = tmp_path / "tsdb", _free_port()
    (tmp_path / "history.om").write_text("\n".join((*_exposed(history), "# EOF", "")))
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "history.om"), str(data)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    (tmp_path / "prometheus.yml").write_text("{}")
    command = [
        *("prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={data}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=20y", "--log.level=error"),
    ]
    with (tmp_path / "prometheus.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            _until(lambda: httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200)
            yield url
        finally:
            server.terminate()


def test_a_run_history_tells_of_its_outage(run: Run, config: Path, history: History, tmp_path: Path) -> None:
    store = history.write(tmp_path / "runs.sqlite")

    done = run("backtest", "--json", "-c", str(config), "--from", FROM, "--to", TO, "--store", str(store))

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    fast = _fast(found, "jwks-fetch")
    assert (fast["issuer"], fast["target"], fast["severity"], fast["drill"]) == ("acme", "*", "page", False)
    assert (fast["start"], fast["bad"], fast["total"]) == ("2026-03-01T05:02:00+00:00", 6, 180)
    assert found["pages"] == 3  # one of each objective
    assert found["not_replayed"] == []


def test_a_prometheus_tells_the_same_as_the_run_history(
    run: Run, config: Path, history: History, tmp_path: Path, prometheus: str
) -> None:
    store = history.write(tmp_path / "runs.sqlite")
    asked = ("backtest", "--json", "-c", str(config), "--from", FROM, "--to", TO)

    stored, scraped = (
        json.loads(run(*asked, *source).stdout) for source in (("--store", str(store)), ("--prometheus", prometheus))
    )

    assert scraped["alerts"] == stored["alerts"]
    assert len(scraped["alerts"]) > 5


def test_a_person_reads_when_what_would_have_fired(run: Run, config: Path, history: History) -> None:
    history.write(config.parent / "data" / "runs.sqlite")

    done = run("backtest", "-c", str(config), "--from", FROM, "--to", TO)

    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "jwks-fetch" in line and "fast" in line)
    assert " ".join(line.split()) == "2026-03-01 05:02 UTC 28 min page jwks-fetch fast acme 6 of 180"
    assert "3 pages in 0.3 days, 270.0 in 30 days" in done.stdout


def test_a_time_without_history_is_said_to_have_none(run: Run, config: Path, history: History) -> None:
    history.write(config.parent / "data" / "runs.sqlite")

    done = run("backtest", "-c", str(config), "--from", "2025-01-01", "--to", "2025-01-02")

    assert done.returncode == 0
    assert "There is no history of that time." in done.stdout


def test_no_run_history_at_all_is_a_bad_call(run: Run, config: Path) -> None:
    done = run("backtest", "-c", str(config))

    assert done.returncode == 2
    assert "there is no run history; an agent keeps one in its data_dir" in done.stderr


def test_two_sources_are_one_too_many(run: Run, config: Path) -> None:
    done = run("backtest", "-c", str(config), "--store", "a", "--prometheus", "http://127.0.0.1:9")

    assert (done.returncode, done.stderr) == (2, "oidcwatch: give either --store or --prometheus\n")


def test_a_prometheus_that_is_not_there_is_said_so_without_its_password(run: Run, config: Path) -> None:
    done = run("backtest", "-c", str(config), "--prometheus", "http://me:canary-7d1@127.0.0.1:9", "--from", "1h")

    assert (done.returncode, done.stdout) == (2, "")
    assert "--prometheus: Prometheus cannot be asked" in done.stderr
    assert "Connection refused" in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "status 200, and no answer of Prometheus's query_range"),
        (b"[" * 100_000, "status 200, and no answer of Prometheus's query_range"),
        (b'{"status": "error", "error": "too \\u001b[31mmany"}', "Prometheus refuses the query: 'too \\x1b[31mmany'"),
        (b'{"status": "success", "data": {"result": [1]}}', "the answer holds something else than series of samples"),
        (
            b'{"status": "success", "data": {"result": [{"metric": {}, "values": [["x", "y"]]}]}}',
            "the answer holds something else than series of samples",
        ),
        (b"x" * (65 * 1024 * 1024), "the answer is larger than 67108864 bytes"),
    ],
    ids=["html", "deep", "refused", "no-series", "no-samples", "endless"],
)
def test_an_answer_that_is_none_of_prometheus_is_refused(run: Run, config: Path, body: bytes, said: str) -> None:
    with Answering(body) as url:
        done = run("backtest", "-c", str(config), "--prometheus", url, "--from", "1h")

    assert (done.returncode, done.stderr) == (2, f"oidcwatch: --prometheus: {said}\n")


def test_a_span_is_two_times_or_how_long_ago() -> None:
    assert span("7d", "", NOW) == (NOW - timedelta(days=7), NOW)
    assert span("2026-03-01", "2026-03-02T12:00+02:00", NOW) == (
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 2, 10, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("yesterday", "", "--from: 'yesterday' is neither a time like 2026-03-01T12:00Z nor one ago like 7d"),
        ("1d", "soon", "--to: 'soon' is neither"),
        ("1d", "2d", "is not a span of up to 400 days"),
        ("2y", "", "is not a span of up to 400 days"),
        ("999999999999y", "", "--from: '999999999999y' is neither"),
    ],
)
def test_a_span_that_is_none_is_refused(since: str, until: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        span(since, until, NOW)


def _fast(found: dict[str, Any], slo: str) -> dict[str, Any]:
    return next(alert for alert in found["alerts"] if (alert["slo"], alert["tier"]) == (slo, "fast"))


def _exposed(history: History) -> Iterator[str]:
    """What agents would have shown at the end of every minute, as OpenMetrics."""
    samples: dict[str, list[str]] = {m.RUNS.name.removesuffix("_total"): [], m.SUCCESS.name: [], m.LAST_RUN.name: []}
    samples |= {m.INTERVAL.name: [], m.JWKS_LAST_FETCH.name: []}
    for region in history.regions:
        base = f'issuer="acme",target="",probe="jwks",region="{region}",drill="false"'
        counts = {"success": 0, "failure": 0, "excluded": 0}
        fetched = history.start.timestamp()
        for minute in range(history.minutes + 1):
            at = int(history.start.timestamp()) + 60 * minute
            failed = minute - 1 in history.outage
            if minute:
                counts["failure" if failed else "success"] += 1
                fetched = fetched if failed else at - 30
            for result, count in counts.items():
                samples["oidc_probe_runs"].append(f'{m.RUNS.name}{{{base},result="{result}"}} {count} {at}')
            for metric, value in (
                (m.SUCCESS, int(not failed)), (m.LAST_RUN, at - 30), (m.INTERVAL, 60), (m.JWKS_LAST_FETCH, fetched),
            ):  # fmt: skip
                samples[metric.name].append(f"{metric.name}{{{base}}} {value} {at}")
    for name, lines in samples.items():
        yield f"# TYPE {name} {'counter' if name == 'oidc_probe_runs' else 'gauge'}"
        yield from lines


class Answering:
    """A server that gives this body to whatever it is asked."""

    def __init__(self, body: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:  # the client has heard enough
                    return

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            if true():
                return
        except httpx.HTTPError:
            assert time.monotonic() < end
        time.sleep(0.1)
