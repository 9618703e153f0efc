"""The agent's web pages, asked over HTTP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client import CollectorRegistry

from exporters.artifacts import ArtifactStore
from exporters.pages import DrillError, ReloadError, View, make_app
from exporters.prometheus import PrometheusExporter
from exporters.results import ResultsBook
from probes.model import Artifact, Check, Finding, Reason, Severity
from probes.reasons import REASONS

if TYPE_CHECKING:
    from probes.subjects import Region
    from tests.exporters.conftest import Make, SetClock

FINDING = Finding("IDT-05", Severity.FAILURE, "kid is not in the key set", "OIDC Core 10.1", Reason.KID_UNKNOWN)


@dataclass(slots=True)
class Agent:
    """What stands behind the pages."""

    book: ResultsBook
    store: ArtifactStore
    exporter: PrometheusExporter
    started: bool = False
    reloads: int = 0
    problem: str = ""
    drills: dict[str, datetime] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def drill(self, issuer: str, state: str, length: str) -> str:
        if self.problem:
            raise DrillError(self.problem)
        self.asked.append((issuer, state, length))
        return "done"

    async def reload(self) -> None:
        self.reloads += 1
        if self.problem:
            raise ReloadError(self.problem)


@pytest.fixture
def agent(tmp_path: Path, exporter: PrometheusExporter, regions: tuple[Region, ...], clock: SetClock) -> Agent:
    store = ArtifactStore(
        tmp_path, max_bytes=1_000_000, max_age=timedelta(days=1), clock=clock, on_failure=lambda: None
    )
    return Agent(ResultsBook(regions[:1]), store, exporter)


@pytest.fixture
async def client(agent: Agent, registry: CollectorRegistry, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    def next_run(check: Check, region: str) -> datetime:
        return clock() + timedelta(seconds=20)

    view = View(
        book=agent.book,
        registry=registry,
        reload=agent.reload,
        ready=lambda: agent.started,
        drill=agent.drill,
        drills=lambda: agent.drills,
        artifacts=agent.store,
        next_run=next_run,
        now=clock,
        version="0.1.0",
    )
    # As a server would answer: an unexpected error becomes a response instead of leaving the application.
    transport = httpx.ASGITransport(make_app(view), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://agent.test") as client:
        yield client


async def test_the_page_says_what_failed_whose_it_is_and_what_to_do(
    client: httpx.AsyncClient, agent: Agent, make: Make
) -> None:
    check = make.check()
    agent.book.configure([check])
    agent.book.publish(make.result(check))
    agent.book.publish(make.result(check, reason=Reason.KID_UNKNOWN, findings=(FINDING,), detail="kid k2"))

    page = (await client.get("/")).text

    row = REASONS[Reason.KID_UNKNOWN]
    for part in ("acme/portal/login", "kid_unknown", row.meaning, row.owner, row.cause, row.confirm, row.runbook):
        assert part.replace("'", "&#39;") in page
    for part in ("kid k2", "IDT-05", "OIDC Core 10.1", "in 20 s", "1 of the last 2 runs succeeded", "<details open>"):
        assert part in page


async def test_a_check_that_never_ran_waits_and_one_that_stopped_is_stale(
    client: httpx.AsyncClient, agent: Agent, make: Make, clock: SetClock
) -> None:
    waits, stopped = make.check("login"), make.check("jwks", interval=15)
    agent.book.configure([waits, stopped])
    agent.book.publish(make.result(stopped))
    clock.forward(minutes=10)

    page = (await client.get("/")).text

    assert re.findall(r'class="badge (\w+)"', page) == ["stale", "waiting"]


async def test_failures_come_first(client: httpx.AsyncClient, agent: Agent, make: Make) -> None:
    good, bad, broken = make.check("login"), make.check("jwks"), make.check("refresh")
    agent.book.configure([good, broken, bad])
    agent.book.publish(make.result(good))
    agent.book.publish(make.result(broken, reason=Reason.PROBE_ERROR))
    agent.book.publish(make.result(bad, reason=Reason.JWKS_INVALID))

    page = (await client.get("/")).text

    assert re.findall(r'class="badge (\w+)"', page) == ["failed", "excluded", "ok"]


async def test_hostile_text_is_shown_and_not_run(client: httpx.AsyncClient, agent: Agent, make: Make) -> None:
    hostile = "\"'><script>alert(1)</script>"
    check = make.check(client=hostile)
    agent.book.configure([check])
    finding = replace(FINDING, message=hostile, citation=hostile)
    agent.book.publish(make.result(check, reason=Reason.BAD_RESPONSE, detail=hostile, findings=(finding,)))

    page = (await client.get("/")).text

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\"'>" not in page


async def test_the_page_needs_no_script_and_nothing_from_elsewhere(
    client: httpx.AsyncClient, agent: Agent, make: Make
) -> None:
    agent.book.configure([make.check()])

    page = (await client.get("/")).text
    css = await client.get("/style.css")

    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!/|#)[^"]*"', page) == []
    assert not re.search(r"url\(|@import", css.text)
    assert css.headers["content-type"].startswith("text/css")


async def test_the_page_refreshes_itself_until_it_is_paused(client: httpx.AsyncClient) -> None:
    live = (await client.get("/")).text
    paused = (await client.get("/?refresh=off")).text

    assert 'http-equiv="refresh"' in live
    assert 'http-equiv="refresh"' not in paused


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/-/healthy", "/-/ready", "/api/results", "/artifacts/a/b", "/nowhere"]
)
async def test_every_answer_has_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


async def test_metrics_are_openmetrics_only_when_asked_for(client: httpx.AsyncClient, agent: Agent, make: Make) -> None:
    agent.exporter.configure([make.check()])
    result = make.result()
    agent.exporter.publish(result)

    plain = await client.get("/metrics")
    rich = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"})

    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert result.run_id not in plain.text
    assert rich.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert f'# {{trace_id="{result.run_id}"}}' in rich.text
    assert rich.text.endswith("# EOF\n")


async def test_ready_only_after_the_first_run_has_started(client: httpx.AsyncClient, agent: Agent) -> None:
    before = await client.get("/-/ready")
    agent.started = True
    after = await client.get("/-/ready")

    assert (before.status_code, after.status_code) == (503, 200)
    assert (await client.get("/-/healthy")).status_code == 200


async def test_a_reload_that_is_refused_says_why(client: httpx.AsyncClient, agent: Agent) -> None:
    good = await client.post("/-/reload")
    agent.problem = "oidcwatch.yaml:3: issuers[0].url: must be https"
    bad = await client.post("/-/reload")

    assert good.status_code == 200
    assert (bad.status_code, bad.text) == (500, f"{agent.problem}\n")


async def test_a_reload_must_be_posted_and_not_by_another_site(client: httpx.AsyncClient, agent: Agent) -> None:
    got = await client.get("/-/reload")
    foreign = await client.post("/-/reload", headers={"Sec-Fetch-Site": "cross-site"})

    assert (got.status_code, foreign.status_code) == (405, 403)
    assert agent.reloads == 0


async def test_an_unexpected_error_tells_the_caller_nothing(
    client: httpx.AsyncClient, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent.book, "rows", lambda: 1 / 0)

    answer = await client.get("/")

    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_results_have_the_shape_of_the_command(client: httpx.AsyncClient, agent: Agent, make: Make) -> None:
    check = make.check()
    agent.book.configure([check, make.check("jwks")])
    agent.book.publish(make.result(check, reason=Reason.TIMEOUT))

    (document,) = (await client.get("/api/results")).json()

    assert (document["check"], document["ok"], document["reason"]) == ("acme/portal/login", False, "timeout")


async def test_artifacts_of_a_failed_run_are_linked_and_served(
    client: httpx.AsyncClient, agent: Agent, make: Make
) -> None:
    check = make.check()
    agent.book.configure([check])
    artifacts = (
        Artifact("page.png", "image/png", b"png"),
        Artifact("requests.json", "application/json", b"{}"),
        Artifact("page.html", "text/html", b"<script>"),
    )
    result = make.result(check, reason=Reason.TIMEOUT, artifacts=artifacts)
    agent.book.publish(result)
    agent.store.publish(result)

    page = (await client.get("/")).text
    served = {name: await client.get(f"/artifacts/{result.run_id}/{name}") for name in ("page.png", "page.html")}

    assert f'href="/artifacts/{result.run_id}/requests.json"' in page
    assert served["page.png"].content == b"png"
    assert served["page.png"].headers["content-type"] == "image/png"
    assert served["page.png"].headers["content-disposition"] == 'inline; filename="page.png"'
    assert served["page.html"].headers["content-type"] == "application/octet-stream"
    assert served["page.html"].headers["content-disposition"] == 'attachment; filename="page.html"'


@pytest.mark.parametrize(
    "path",
    [
        "/artifacts/../../etc/passwd",
        "/artifacts/..%2F..%2Fetc/passwd",
        "/artifacts/%2e%2e/secret.txt",
        "/artifacts/RUN/..%2Fsecret.txt",
        "/artifacts/RUN/..%2F..%2Fsecret.txt",
        "/artifacts/RUN/%2e%2e",
        "/artifacts/RUN/%00",
        "/artifacts//etc/passwd",
    ],
)
async def test_a_path_that_leads_out_of_the_store_is_refused(
    client: httpx.AsyncClient, agent: Agent, make: Make, tmp_path: Path, path: str
) -> None:
    result = make.result(reason=Reason.TIMEOUT, artifacts=(Artifact("page.png", "image/png", b"png"),))
    agent.store.publish(result)
    (tmp_path / "secret.txt").write_text("secret")

    answer = await client.get(path.replace("RUN", result.run_id))

    assert answer.status_code == 404
    assert "secret" not in answer.text


async def test_a_drill_is_asked_for_by_query_and_its_state_is_answered(
    client: httpx.AsyncClient, agent: Agent, clock: SetClock
) -> None:
    agent.drills["acme"] = clock()

    on = await client.post("/-/drill?issuer=acme&state=on&for=20m")
    state = await client.get("/-/drill")

    assert (on.status_code, on.text) == (200, "done\n")
    assert agent.asked == [("acme", "on", "20m")]
    assert state.json() == {"acme": clock().isoformat()}


async def test_a_refused_drill_says_what_is_allowed(client: httpx.AsyncClient, agent: Agent) -> None:
    agent.problem = "state: expected on or off"

    answer = await client.post("/-/drill?issuer=acme&state=maybe")

    assert (answer.status_code, answer.text) == (400, "state: expected on or off\n")


async def test_a_drill_from_another_site_is_refused(client: httpx.AsyncClient, agent: Agent) -> None:
    answer = await client.post("/-/drill?issuer=acme&state=on", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert agent.asked == []


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
async def test_a_post_of_a_page_elsewhere_is_refused_over_plain_http_too(
    client: httpx.AsyncClient, agent: Agent, origin: str
) -> None:
    answer = await client.post("/-/drill?issuer=acme&state=on", headers={"Origin": origin})

    assert answer.status_code == 403
    assert agent.asked == []


async def test_a_post_of_the_agents_own_page_is_taken(client: httpx.AsyncClient) -> None:
    origin = str(client.base_url).rstrip("/")

    answer = await client.post("/-/drill?issuer=acme&state=on", headers={"Origin": origin})

    assert answer.status_code == 200


async def test_the_page_says_which_issuers_are_under_drill_and_until_when(
    client: httpx.AsyncClient, agent: Agent, clock: SetClock
) -> None:
    agent.drills["acme"] = clock()

    page = (await client.get("/")).text

    assert "Drill on acme</b> until 2026-03-01 12:00:00 UTC" in page
