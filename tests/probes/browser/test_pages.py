"""Pages of every kind: what the walk makes of them."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from probes.authorize import AuthorizationRequest, Credentials, authorize
from probes.browser import BrowserPool
from probes.browser_session import SessionOptions
from probes.model import ProbeFailure, Reason
from probes.probe import Steps, utc_now
from probes.subjects import LoginForm, LoginStep

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]
Visit = Callable[..., Awaitable[Any]]

ALICE = Credentials("alice", "password-canary-4711")
NAME = "<input name=login placeholder='Enter any login' type=text>"
PASSWORD = "<input name=password type=password>"
FORM = (
    f"<title>Sign-in</title><form method=post action=/login>{NAME}{PASSWORD}<button type=submit>Sign-in</button></form>"
)


async def test_fields_without_any_hint_are_found_by_their_types(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    site.on("GET /authorize", FORM)
    site.on("POST /login", location=callback)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert "code" in done.parameters
    assert site.posted == ["login=alice&password=password-canary-4711"]


async def test_a_search_box_a_captive_button_and_a_federation_link_do_not_mislead(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    extra = (
        "<form action=/search><input type=search name=q><button>Search</button></form><button>Sign in with X</button>"
    )
    cancel = "<button type=submit name=cancel value=1>Cancel</button>"
    site.on(
        "GET /authorize", f"{extra}<form method=post action=/login>{NAME}{PASSWORD}{cancel}<button>Go</button></form>"
    )
    site.on("POST /login", location=callback)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert "code" in done.parameters
    assert site.posted == ["login=alice&password=password-canary-4711"]


async def test_a_page_that_builds_itself_late_and_changes_without_navigation_is_followed(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    script = f"""<div id=app>Loading</div><script>
    const app = document.getElementById('app');
    const password = () => {{
      app.innerHTML = '<h1>Password</h1><input type=password autocomplete=current-password><button id=b>Next</button>';
      document.getElementById('b').onclick = () => setTimeout(() => {{ location = '{callback}' }}, 300);
    }};
    setTimeout(() => {{
      app.innerHTML = '<h1>Hello</h1><input autocomplete=username><button id=b>Next</button>';
      document.getElementById('b').onclick = (e) => {{ e.target.textContent = 'One moment'; setTimeout(password, 300) }};
    }}, 300);</script>"""
    site.on("GET /authorize", script)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert "code" in done.parameters
    assert done.stages == ["authorize", "login_form", "callback"]


async def test_a_slow_answer_to_the_password_is_waited_for(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    wait = "<script>document.forms[0].onsubmit = (e) => { e.submitter.disabled = true }</script>"
    site.on("GET /authorize", FORM + wait)
    site.on("POST /login", "<p>Signing you in</p>" + f"<meta http-equiv=refresh content='1;url={callback}'>")

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert "code" in done.parameters


async def test_the_password_asked_again_is_a_refusal_even_without_words(
    pool: BrowserPool, visit: Visit, site: Any
) -> None:
    site.on("GET /authorize", FORM)
    site.on("POST /login", FORM)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert done.why == ("login_form", "credentials_rejected")


async def test_an_alert_that_appears_without_navigation_is_a_refusal(
    pool: BrowserPool, visit: Visit, site: Any
) -> None:
    alert = "document.body.insertAdjacentHTML('beforeend', '<p role=alert>That did not work</p>')"
    script = (
        f"<script>document.forms[0].onsubmit = () => {{ setTimeout(() => {{ {alert} }}, 100); return false }}</script>"
    )
    site.on("GET /authorize", f"<body>{FORM}{script}")

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert done.why == ("login_form", "credentials_rejected")
    assert "That did not work" in done.failure.detail


async def test_a_form_that_does_not_react_is_a_changed_page(pool: BrowserPool, visit: Visit, site: Any) -> None:
    site.on("GET /authorize", f"{FORM}<script>document.forms[0].onsubmit = () => false</script>")

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert done.why == ("login_form", "login_ui_changed")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("<h1>We are sorry</h1><p>Invalid parameter: redirect_uri</p>", 400, "redirect_uri_rejected"),
        ("<h1>Oops</h1><p>error: invalid_redirect_uri</p><a href=/>Back</a>", 200, "redirect_uri_rejected"),
        ("<p>Mismatching redirect URI.</p><button>Go to portal</button>", 200, "redirect_uri_rejected"),
        ("<p>error: invalid_client</p>", 400, "request_rejected"),
        ("<p>Client not found.</p>", 400, "request_rejected"),
        ("<p>unsupported_response_type</p>", 200, "request_rejected"),
        ("<p>Something</p>", 400, "request_rejected"),
        ("<p>Forbidden by the firewall</p>", 403, "bad_response"),
        ("<p>Slow down</p>", 429, "rate_limited"),
        ("<p>We will be back soon</p>", 503, "server_error"),
        ("<h1>Welcome</h1><canvas width=300 height=200></canvas>", 200, "login_ui_changed"),
        ("", 200, "login_ui_changed"),
        (
            "<h1>Terms and conditions</h1><form method=post><button>I accept</button></form>",
            200,
            "interaction_required",
        ),
        ("<h1>Survey</h1><form method=post><button>Continue</button></form>", 200, "interaction_required"),
        (
            "<h1>Update password</h1><form><input type=password autocomplete=new-password><button>Save</button></form>",
            200,
            "interaction_required",
        ),
    ],
)
async def test_a_first_page_that_is_no_login_has_its_reason(
    pool: BrowserPool, visit: Visit, site: Any, body: str, status: int, reason: str
) -> None:
    site.on("GET /authorize", body, status=status)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert done.failure.stage == "authorize"
    assert done.failure.reason == reason


async def test_a_login_form_with_status_401_is_a_login_form(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    site.on("GET /authorize", FORM, status=401)
    site.on("POST /login", location=callback)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert "code" in done.parameters


async def test_consent_is_given_when_the_page_asks_for_it(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    hidden = "<input type=hidden name=prompt value=consent>"
    page = (
        f"<title>Consent</title><h1>Authorize</h1><form method=post action=/go>{hidden}<button>Continue</button></form>"
    )
    site.on("GET /authorize", page)
    site.on("POST /go", location=callback)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert done.stages == ["authorize", "consent", "callback"]
    assert site.posted == ["prompt=consent"]


async def test_keycloaks_pages_are_found_by_their_ids(
    pool: BrowserPool, visit: Visit, site: Any, callback: str
) -> None:
    site.on(
        "GET /authorize",
        "<h1>Sign in to your account</h1><form id=kc-form-login method=post action=/login>"
        "<input id=username name=username type=text><input id=password name=password type=password>"
        "<input type=hidden name=credentialId><input name=login id=kc-login type=submit value='Sign In'></form>",
    )
    grant = "<input name=accept id=kc-login type=submit value=Yes><input name=cancel id=kc-cancel type=submit value=No>"
    site.on("POST /login", f"<title>Grant Access to portal</title><form method=post action=/consent>{grant}</form>")
    site.on("POST /consent", location=callback)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE, form=LoginForm(preset="keycloak"))

    assert "code" in done.parameters
    assert site.posted[1] == "accept=Yes"


async def test_explicit_steps_replace_the_preset(pool: BrowserPool, visit: Visit, site: Any, callback: str) -> None:
    site.on("GET /authorize", "<a id=open href=/form>Enter</a>")
    site.on(
        "GET /form",
        f"<form method=post action=/login><input id=a name=a><input id=b name=b><i id=go>{'x' * 5}</i></form>"
        "<script>document.getElementById('go').onclick = () => document.forms[0].submit()</script>",
    )
    site.on("POST /login", location=callback)
    steps = (
        LoginStep("click", "#open"),
        LoginStep("wait_for", "#a"),
        LoginStep("fill", "#a", "{username}"),
        LoginStep("fill", "#b", "{password}"),
        LoginStep("click", "#go"),
    )

    done = await visit(pool, f"{site.url}/authorize", user=ALICE, form=LoginForm(steps=steps))

    assert "code" in done.parameters
    assert site.posted == ["a=alice&b=password-canary-4711"]


async def test_an_explicit_step_whose_element_is_gone_names_itself(pool: BrowserPool, visit: Visit, site: Any) -> None:
    site.on("GET /authorize", FORM)
    steps = (LoginStep("fill", "#user-field", "{username}"),)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE, form=LoginForm(steps=steps), call_seconds=1.0)

    assert done.why == ("login_form", "login_ui_changed")
    assert done.failure.detail.startswith("login step 1: fill '#user-field'")


async def test_a_preset_that_does_not_exist_is_our_mistake(pool: BrowserPool, visit: Visit, site: Any) -> None:
    done = await visit(pool, f"{site.url}/authorize", user=ALICE, form=LoginForm(preset="okta"))

    assert done.failure.reason == "probe_error"
    assert "known: generic, keycloak" in done.failure.detail


async def test_pages_without_end_are_left(pool: BrowserPool, visit: Visit, site: Any) -> None:
    page = "<title>Consent</title><form method=post action=/again><button name=accept value=1>Allow</button></form>"
    site.on("GET /authorize", page)
    site.on("POST /again", page)

    done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert done.why == ("consent", "login_ui_changed")


async def test_a_provider_that_does_not_listen_is_a_connect_failure(pool: BrowserPool, visit: Visit) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/authorize"

        done = await visit(pool, url, user=ALICE)

    assert done.why == ("authorize", "connect_failure")


async def test_a_host_that_does_not_resolve_is_a_dns_failure(pool: BrowserPool, visit: Visit) -> None:
    host = "no-such-host.invalid"

    done = await visit(pool, f"https://{host}/authorize", user=ALICE, allowed_hosts=frozenset({host}))

    assert done.why == ("authorize", "dns_failure")


async def test_a_connection_that_breaks_after_the_password_is_a_connect_failure(
    pool: BrowserPool, visit: Visit, site: Any
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        elsewhere = f"http://127.0.0.1:{unused.getsockname()[1]}/next"
        site.on("GET /authorize", FORM)
        site.on("POST /login", location=elsewhere)

        done = await visit(pool, f"{site.url}/authorize", user=ALICE)

    assert done.why == ("login_form", "connect_failure")


async def test_who_asked_judges_the_parameters_within_the_callback_step(
    pool: BrowserPool, options: SessionOptions, site: Any, callback: str
) -> None:
    def refuse(parameters: Mapping[str, str]) -> None:
        raise ProbeFailure(Reason.STATE_MISMATCH, f"{len(parameters)} parameters and another state")

    site.on("GET /authorize", location=callback)
    request, steps = AuthorizationRequest(f"{site.url}/authorize", callback.partition("?")[0]), Steps()

    async with pool.session(options) as session:
        with pytest.raises(ProbeFailure, match="2 parameters") as refused:
            await authorize(session, request, None, LoginForm(), steps, utc_now, refuse)

    assert refused.value.reason is Reason.STATE_MISMATCH
    assert steps.failed_at == "callback"
