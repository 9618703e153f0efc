"""The table of Chromium's error codes."""

from __future__ import annotations

import pytest
from playwright.async_api import Error, TimeoutError

from probes.browser_errors import NET_ERRORS, reason_of, reason_of_code, summary_of
from probes.model import Reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Page.goto: net::ERR_NAME_NOT_RESOLVED at https://op.test/", Reason.DNS_FAILURE),
        ("Page.goto: net::ERR_DNS_TIMED_OUT at https://op.test/", Reason.DNS_FAILURE),
        ("Page.goto: net::ERR_CONNECTION_REFUSED at https://op.test/", Reason.CONNECT_FAILURE),
        ("Page.goto: net::ERR_CONNECTION_RESET at https://op.test/", Reason.CONNECT_FAILURE),
        ("Page.goto: net::ERR_CERT_DATE_INVALID at https://op.test/", Reason.TLS_INVALID),
        ("Page.goto: net::ERR_SSL_PROTOCOL_ERROR at https://op.test/", Reason.TLS_INVALID),
        ("Page.goto: net::ERR_CONNECTION_TIMED_OUT at https://op.test/", Reason.TIMEOUT),
        ("Page.goto: net::ERR_EMPTY_RESPONSE at https://op.test/", Reason.BAD_RESPONSE),
        ("Page.goto: net::ERR_TOO_MANY_REDIRECTS at https://op.test/", Reason.BAD_RESPONSE),
        ("Page.goto: net::ERR_INTERNET_DISCONNECTED at https://op.test/", Reason.PROBE_ERROR),
        ("Page.goto: net::ERR_PROXY_CONNECTION_FAILED at https://op.test/", Reason.PROBE_ERROR),
        ("Page.goto: Target page, context or browser has been closed", Reason.PROBE_ERROR),
        ("Page.evaluate: Target crashed", Reason.PROBE_ERROR),
        ("Browser has been closed", Reason.PROBE_ERROR),
        ("Page.fill: something that nobody has seen", None),
    ],
)
def test_each_message_of_playwright_has_its_reason(message: str, reason: Reason | None) -> None:
    assert reason_of(Error(message)) is reason


def test_a_playwright_timeout_is_a_timeout() -> None:
    assert reason_of(TimeoutError("Page.goto: Timeout 1000ms exceeded.")) is Reason.TIMEOUT


def test_an_unknown_code_has_no_reason() -> None:
    assert reason_of_code("net::ERR_OF_TOMORROW") is None


def test_every_row_of_the_table_is_found_by_its_own_name() -> None:
    for name, reason in NET_ERRORS.items():
        assert reason_of_code(name.replace("*", "ANYTHING")) is reason


def test_a_summary_holds_neither_what_was_typed_nor_a_query() -> None:
    typed = TimeoutError('Page.fill: Timeout 10ms exceeded.\nCall log:\n  - fill("password-canary")')
    led = Error(
        'Page.goto: Navigation is interrupted by another navigation to "https://rp.test/cb?code=canary#x=canary"'
    )

    said = summary_of(typed) + summary_of(led)

    assert "canary" not in said
    assert "https://rp.test/cb" in said
