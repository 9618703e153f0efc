"""What a failed visit leaves behind, and what must never be in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from probes.authorize import AuthorizationRequest, Credentials, authorize
from probes.browser import BrowserPool
from probes.browser_session import SessionOptions
from probes.egress_guard import Callback, RequestRecord
from probes.login_pages_otp import OneTimeCodes, TimedCode
from probes.probe import Steps, utc_now
from probes.redact import Redactor
from probes.subjects import LoginForm

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]
Visit = Callable[..., Awaitable[Any]]

SEED = "JBSWY3DPEHPK3PXP"
ALICE = Credentials("alice", "password-canary-4711", SEED)
FORM = (
    "<title>Sign in</title><form method=post action=/login?session=session-canary-4711>"
    "<input name=login type=text><input name=password type=password><button>Sign in</button></form>"
)


def everything(done: Any) -> str:
    """All text that leaves the run."""
    texts = [artifact.content.decode("latin-1") for artifact in done.steps.artifacts]
    attributes = [f"{step.name} {dict(step.attributes)}" for step in done.steps.done]
    return "\n".join([*texts, *attributes, repr(done), repr(done.failure)])


async def test_a_failed_login_leaves_picture_requests_and_console(pool: BrowserPool, visit: Visit, site: Any) -> None:
    site.on("GET /authorize", FORM)
    site.on("POST /login", "<title>Sorry</title><script>console.error('it broke')</script><p>error: invalid_scope</p>")

    done = await visit(pool, f"{site.url}/authorize?client_id=portal", user=ALICE)

    kept = {artifact.name: artifact for artifact in done.steps.artifacts}
    assert kept["page.png"].content.startswith(b"\x89PNG")
    assert "it broke" in kept["console.txt"].content.decode()
    requests = json.loads(kept["requests.json"].content)["requests"]
    assert [(entry["method"], entry["status"]) for entry in requests] == [("GET", 200), ("POST", 200)]
    assert requests[0]["url"] == f"{site.url}/authorize?client_id"


async def test_no_secret_is_in_anything_that_a_failed_login_leaves(pool: BrowserPool, visit: Visit, site: Any) -> None:
    echo = "<title>Sorry</title><p>You typed password-canary-4711. invalid_request</p>"
    script = "<script>console.log('typed password-canary-4711', document.cookie); document.cookie = 's=cookie-canary-4711'</script>"
    site.on("GET /authorize", script + FORM)
    site.on("POST /login", script + echo)

    done = await visit(pool, f"{site.url}/authorize?nonce=nonce-canary-4711", user=ALICE)

    assert done.failure is not None
    assert "canary-4711" not in everything(done)
    assert SEED not in everything(done)


async def test_a_page_that_shows_a_secret_is_not_pictured(pool: BrowserPool, visit: Visit, site: Any) -> None:
    site.on("GET /authorize", FORM)
    site.on("POST /login", "<p>You typed password-canary-4711. invalid_request</p>")

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert [artifact.name for artifact in done.steps.artifacts] == ["requests.json"]


async def test_a_code_is_in_nothing_that_a_failed_callback_leaves(pool: BrowserPool, visit: Visit, site: Any) -> None:
    site.on(
        "GET /authorize", location="https://portal.example.test/callback?code=code-canary-4711&code=other-canary-4711"
    )

    done = await visit(pool, f"{site.url}/authorize")

    assert done.why == ("callback", "bad_response")
    assert "canary-4711" not in everything(done)


async def test_a_login_that_works_leaves_nothing(pool: BrowserPool, visit: Visit, site: Any, callback: str) -> None:
    site.on("GET /authorize", location=callback)

    done = await visit(pool, f"{site.url}/authorize")

    assert done.failure is None
    assert done.steps.artifacts == []
    assert done.parameters["code"] in done.steps.secrets


async def test_a_run_whose_time_is_up_still_leaves_its_picture(
    pool: BrowserPool, options: SessionOptions, site: Any
) -> None:
    site.on("GET /authorize", "<p>Please wait</p>")
    request, steps = AuthorizationRequest(f"{site.url}/authorize", "https://portal.example.test/cb"), Steps()

    async with pool.session(options) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await authorize(session, request, ALICE, LoginForm(), steps, utc_now)

    assert [artifact.name for artifact in steps.artifacts] == ["page.png", "requests.json"]


async def test_a_page_that_never_answers_does_not_hold_up_the_failure(
    pool: BrowserPool, visit: Visit, site: Any
) -> None:
    site.on(
        "GET /authorize",
        "<button onclick='for(;;);'>Continue</button><script>setTimeout(() => {for(;;);}, 600)</script>",
    )

    done = await visit(pool, f"{site.url}/authorize", user=ALICE, call_seconds=1.0)

    assert done.failure is not None
    assert [artifact.name for artifact in done.steps.artifacts] == ["requests.json"]


@pytest.mark.parametrize(
    "value",
    [
        ALICE,
        AuthorizationRequest("https://op.test/a?x=canary-4711", "https://rp.test/cb"),
        Callback("GET", (("code", "canary-4711"),)),
        TimedCode("canary-4711", 0.0),
        RequestRecord("GET", "https://rp.test/cb?code=canary-4711", "Document", 0.0),
        SessionOptions(frozenset(), Redactor(), proxy="http://u:canary-4711@p"),
        OneTimeCodes(),
    ],
)
async def test_no_value_prints_its_secret(value: object) -> None:
    printed = f"{value!r} {value}"

    assert "canary-4711" not in printed
    assert SEED not in printed
