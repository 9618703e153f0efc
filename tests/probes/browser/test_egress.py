"""What the browser may reach, and who gets the code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from probes.browser import BrowserPool
from probes.browser_session import SessionOptions

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]
Visit = Callable[..., Awaitable[Any]]
NewSite = Callable[[], Any]


async def test_the_relying_party_never_sees_the_code(pool: BrowserPool, visit: Visit, new_site: NewSite) -> None:
    provider, party = new_site(), new_site()
    redirect_uri = f"{party.url}/callback"
    provider.on("GET /authorize", location="/hop")
    provider.on("GET /hop", location=f"{redirect_uri}?code=c-1&state=state-of-this-test")

    done = await visit(pool, f"{provider.url}/authorize", redirect_uri=redirect_uri)
    await asyncio.sleep(0.3)

    assert done.parameters == {"code": "c-1", "state": "state-of-this-test"}
    assert party.hits == []


async def test_a_redirect_uri_whose_host_does_not_exist_is_answered(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    site.on("GET /authorize", location=callback)

    done = await visit(pool, f"{site.url}/authorize")

    assert done.parameters["code"] == "code-canary-4711"


async def test_parameters_of_the_redirect_uri_itself_are_not_the_answer(
    pool: BrowserPool, visit: Visit, site: Any
) -> None:
    redirect_uri = "https://portal.example.test/callback?tenant=7"
    site.on("GET /authorize", location=f"{redirect_uri}&code=c&state=state-of-this-test")

    done = await visit(pool, f"{site.url}/authorize", redirect_uri=redirect_uri)

    assert done.parameters == {"code": "c", "state": "state-of-this-test"}


async def test_a_form_post_is_taken_with_its_body_however_long(
    pool: BrowserPool, visit: Visit, new_site: NewSite
) -> None:
    provider, party = new_site(), new_site()
    long = "x" * 70_000
    provider.on(
        "GET /authorize",
        f"<body onload='document.forms[0].submit()'><form method=post action='{party.url}/cb'>"
        f"<input type=hidden name=code value=c><input type=hidden name=state value=state-of-this-test>"
        f"<input type=hidden name=id_token value={long}><noscript><button>Continue</button></noscript></form>",
    )

    done = await visit(pool, f"{provider.url}/authorize", redirect_uri=f"{party.url}/cb")

    assert done.parameters == {"code": "c", "state": "state-of-this-test", "id_token": long}
    assert party.hits == []


async def test_a_fragment_response_is_taken(pool: BrowserPool, visit: Visit, site: Any) -> None:
    site.on("GET /authorize", location="https://portal.example.test/callback#code=c&state=state-of-this-test")

    done = await visit(pool, f"{site.url}/authorize")

    assert done.parameters["code"] == "c"


async def test_a_parameter_given_twice_is_a_bad_response(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    site.on("GET /authorize", location=f"{callback}&code=second")

    done = await visit(pool, f"{site.url}/authorize")

    assert done.why == ("callback", "bad_response")


async def test_another_path_on_the_redirect_host_is_refused(pool: BrowserPool, visit: Visit, site: Any) -> None:
    site.on("GET /authorize", location="https://portal.example.test/callback/evil?code=c")

    done = await visit(pool, f"{site.url}/authorize")

    assert done.why == ("authorize", "bad_response")
    assert done.failure.detail.startswith("the provider led to https://portal.example.test/callback/evil")
    assert "code=" not in done.failure.detail


@pytest.mark.parametrize(
    "element",
    [
        "<img src='{other}/x.png'>",
        "<link rel=stylesheet href='{other}/x.css'>",
        "<script src='{other}/x.js'></script>",
        "<iframe src='{other}/frame'></iframe>",
        "<script>fetch('{other}/api').catch(() => 0)</script>",
        "<script>navigator.sendBeacon('{other}/beacon')</script>",
        "<script>window.open('{other}/popup')</script>",
        "<script>new Worker(URL.createObjectURL(new Blob([`fetch('{other}/w').catch(() => 0)`])))</script>",
        "<iframe srcdoc=\"<script>fetch('{other}/inner').catch(() => 0)</script>\"></iframe>",
        "<img src='/redirect'>",
    ],
)
async def test_a_page_reaches_no_host_that_the_check_does_not_allow(
    pool: BrowserPool, visit: Visit, new_site: NewSite, callback: str, element: str
) -> None:
    provider, other = new_site(), new_site()
    leave = f"<script>setTimeout(() => {{ location = '{callback}' }}, 400)</script>"
    provider.on("GET /authorize", f"<body>Please wait{element.replace('{other}', other.url)}{leave}")
    provider.on("GET /redirect", location=f"{other.url}/image")
    own = frozenset({provider.url.removeprefix("http://")})

    done = await visit(pool, f"{provider.url}/authorize", allowed_hosts=own)

    assert "code" in done.parameters
    assert other.hits == []


async def test_a_frame_of_an_allowed_host_may_load(pool: BrowserPool, visit: Visit, site: Any, callback: str) -> None:
    site.on("GET /authorize", "<iframe src='/frame'></iframe>")
    site.on("GET /frame", "<script src='/inside.js'></script>")
    site.on("GET /inside.js", f"setTimeout(() => {{ top.location = '{callback}' }}, 10)//")

    done = await visit(pool, f"{site.url}/authorize")

    assert site.hits == ["GET /authorize", "GET /frame", "GET /inside.js"]
    assert done.steps.done[0].name == "authorize"


async def test_what_was_blocked_is_in_the_request_list(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    leave = f"<script>setTimeout(() => {{ location = '{callback}' }}, 300)</script>"
    site.on("GET /authorize", f"<body>wait<link rel=stylesheet href='https://fonts.example.test/f.css'>{leave}")

    done = await visit(pool, f"{site.url}/authorize")

    blocked = {record.url: record.blocked for record in done.egress.requests if record.blocked}
    assert blocked["https://fonts.example.test/f.css"] == "host"
    assert blocked["https://portal.example.test/callback"] == "callback"


async def test_two_sessions_at_once_keep_their_limits_apart(
    pool: BrowserPool, options: SessionOptions, new_site: NewSite
) -> None:
    one, two = new_site(), new_site()
    for site in (one, two):
        site.on("GET /", "<p>here</p>")
    hosts = [frozenset({site.url.removeprefix("http://")}) for site in (one, two)]

    async with (
        pool.session(replace(options, allowed_hosts=hosts[0])) as first,
        pool.session(replace(options, allowed_hosts=hosts[1])) as second,
    ):
        await asyncio.gather(first.open(f"{one.url}/"), second.open(f"{two.url}/"))
        crossed = await first.page.evaluate(
            "url => fetch(url, {mode: 'no-cors'}).then(() => 'in', () => 'out')", two.url
        )

    assert crossed == "out"
    assert [hit for hit in two.hits if hit != "GET /"] == []
    assert len(two.hits) == 1
