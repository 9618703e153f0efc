"""Logins, refusals and logouts at the sandbox, through a real browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from probes.authorize import Credentials, end_session
from probes.browser import BrowserPool
from probes.browser_session import SessionOptions
from probes.model import ProbeFailure
from probes.probe import Steps
from probes.subjects import LoginForm
from sandbox.launch import Sandbox

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]
Visit = Callable[..., Awaitable[Any]]
Url = Callable[..., str]


@pytest.fixture(autouse=True)
def clean(sandbox: Sandbox) -> Iterator[None]:
    """Every test starts and ends without faults, sessions and consents."""
    sandbox.control.reset()
    yield
    sandbox.control.clear()
    sandbox.control.settings(login_pages=1, confirm_logout=False)


@pytest.fixture
def alice(sandbox: Sandbox) -> Credentials:
    return Credentials("alice", sandbox.users["alice"].password)


@pytest.fixture
def bob(sandbox: Sandbox) -> Credentials:
    return Credentials("bob", sandbox.users["bob"].password, sandbox.users["bob"].totp_seed)


def id_token(sandbox: Sandbox, code: str) -> str:
    """What the relying party would do with the code: proof that nobody has used it before."""
    portal = sandbox.clients["portal"]
    answer = httpx.post(
        f"{sandbox.issuer}/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": portal.redirect_uri,
            "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",  # RFC 7636, appendix B
        },
        auth=(portal.client_id, portal.client_secret),
    )
    return str(answer.raise_for_status().json()["id_token"])


async def test_a_login_brings_code_and_state_and_each_page_is_a_step(
    pool: BrowserPool, visit: Visit, request_url: Url, sandbox: Sandbox, alice: Credentials
) -> None:
    done = await visit(pool, request_url(sandbox), user=alice)

    assert done.failure is None
    assert {"code", "state"} <= done.parameters.keys()
    assert done.stages == ["authorize", "login_form", "consent", "callback"]
    assert done.steps.done[0].attributes["http.status"] == 200


async def test_user_name_and_password_may_be_on_two_pages(
    pool: BrowserPool, visit: Visit, request_url: Url, sandbox: Sandbox, alice: Credentials
) -> None:
    sandbox.control.settings(login_pages=2)

    done = await visit(pool, request_url(sandbox), user=alice)

    assert "code" in done.parameters
    assert done.stages == ["authorize", "login_form", "consent", "callback"]


async def test_a_one_time_code_is_a_step_of_its_own(
    pool: BrowserPool, visit: Visit, request_url: Url, sandbox: Sandbox, bob: Credentials
) -> None:
    done = await visit(pool, request_url(sandbox), user=bob)

    assert "code" in done.parameters
    assert done.stages == ["authorize", "login_form", "otp", "consent", "callback"]


async def test_a_wrong_password_is_told_by_the_page_not_by_the_status(
    pool: BrowserPool, visit: Visit, request_url: Url, sandbox: Sandbox
) -> None:
    done = await visit(pool, request_url(sandbox), user=Credentials("alice", "not the password"))

    assert done.why == ("login_form", "credentials_rejected")


async def test_a_code_that_nobody_can_give_is_a_failed_second_factor(
    pool: BrowserPool, visit: Visit, request_url: Url, sandbox: Sandbox, bob: Credentials
) -> None:
    done = await visit(pool, request_url(sandbox), user=Credentials(bob.username, bob.password))

    assert done.why == ("otp", "mfa_failed")


@pytest.mark.parametrize(
    ("fault", "stage", "reason"),
    [
        ("login-terms", "login_form", "interaction_required"),
        ("login-page-changed", "authorize", "login_ui_changed"),
        ("login-page-script-error", "authorize", "login_ui_changed"),
        ("login-captcha", "authorize", "login_ui_changed"),
        ("login-submit-500", "login_form", "server_error"),
        ("password-refused", "login_form", "credentials_rejected"),
        ("account-locked", "login_form", "credentials_rejected"),
        ("otp-refused", "otp", "mfa_failed"),
        ("redirect-uri-rejected-200", "authorize", "redirect_uri_rejected"),
        ("redirect-uri-rejected-400", "authorize", "redirect_uri_rejected"),
    ],
)
async def test_each_broken_page_has_its_reason(
    pool: BrowserPool,
    visit: Visit,
    request_url: Url,
    sandbox: Sandbox,
    alice: Credentials,
    bob: Credentials,
    fault: str,
    stage: str,
    reason: str,
) -> None:
    sandbox.control.fault(fault)

    done = await visit(pool, request_url(sandbox), user=bob if fault == "otp-refused" else alice)

    assert done.why == (stage, reason)


@pytest.mark.parametrize("error", ["access_denied", "server_error", "interaction_required"])
async def test_an_error_response_is_returned_not_judged(
    pool: BrowserPool, visit: Visit, request_url: Url, sandbox: Sandbox, alice: Credentials, error: str
) -> None:
    sandbox.control.fault(error.replace("_", "-"))

    done = await visit(pool, request_url(sandbox), user=alice)

    assert done.parameters["error"] == error


async def test_a_refused_consent_comes_back_as_access_denied(
    pool: BrowserPool, visit: Visit, request_url: Url, sandbox: Sandbox, alice: Credentials
) -> None:
    done = await visit(pool, request_url(sandbox), user=alice, form=LoginForm(consent="refuse"))

    assert done.parameters["error"] == "access_denied"


async def test_a_second_request_in_the_same_session_needs_no_login(
    pool: BrowserPool,
    visit: Visit,
    request_url: Url,
    options: SessionOptions,
    sandbox: Sandbox,
    alice: Credentials,
) -> None:
    async with pool.session(options) as session:
        await visit(pool, request_url(sandbox), user=alice, session=session)
        again = await visit(pool, request_url(sandbox), session=session)

    assert "code" in again.parameters
    assert again.stages == ["authorize", "callback"]


async def test_without_a_user_a_login_page_is_an_interaction(
    pool: BrowserPool, visit: Visit, request_url: Url, sandbox: Sandbox
) -> None:
    done = await visit(pool, request_url(sandbox))

    assert done.why == ("login_form", "interaction_required")


@pytest.mark.parametrize("confirm", [False, True])
async def test_a_logout_comes_back_with_its_state(
    pool: BrowserPool,
    visit: Visit,
    request_url: Url,
    options: SessionOptions,
    sandbox: Sandbox,
    alice: Credentials,
    confirm: bool,
) -> None:
    sandbox.control.settings(confirm_logout=confirm)
    back, steps = sandbox.clients["portal"].post_logout_redirect_uri, Steps()
    async with pool.session(options) as session:
        done = await visit(pool, request_url(sandbox), user=alice, session=session)
        hint = id_token(sandbox, done.parameters["code"])
        url = f"{sandbox.issuer}/logout?id_token_hint={hint}&post_logout_redirect_uri={back}&state=bye"

        parameters = await end_session(session, url, back, steps)

    assert parameters == {"state": "bye"}
    assert [step.name for step in steps.done] == ["logout"]
    assert hint in steps.secrets


async def test_an_unregistered_post_logout_uri_is_not_followed(
    pool: BrowserPool, options: SessionOptions, sandbox: Sandbox
) -> None:
    portal, steps = sandbox.clients["portal"], Steps()
    wrong = "https://elsewhere.example.test/bye"
    url = f"{sandbox.issuer}/logout?client_id={portal.client_id}&post_logout_redirect_uri={wrong}"

    async with pool.session(options) as session:
        with pytest.raises(ProbeFailure) as refused:
            await end_session(session, url, wrong, steps)

    assert refused.value.reason in {"redirect_uri_rejected", "login_ui_changed", "request_rejected"}
