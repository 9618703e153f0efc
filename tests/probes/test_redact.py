"""Secrets leave neither in text nor in log records, in whatever spelling they appear."""

from __future__ import annotations

import io
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.redact import MASK, RedactingFilter, Redactor

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        JWT,
        f"token {JWT} was refused",
        "https://a.example/cb?code=canary&state=1",
        "https://a.example/cb#access_token=canary",
        "redirect=https%3A%2F%2Fa.example%2Fcb%3Fcode%3Dcanary%26state%3D1",
        "username=alice&password=canary",
        '{"access_token": "canary", "token_type": "Bearer"}',
        "{'refresh_token': 'canary'}",
        '{"client_secret":"can\\"canary"}',
        "Authorization: Basic canarycanary",
        "authorization: Bearer canary",
        "{'Authorization': 'DPoP canary'}",
        "Bearer canarycanarycanary",
        "Cookie: session=canary; other=canary",
        "Set-Cookie: AUTH_SESSION=canary; Path=/",
        "otpauth://totp/acme:alice?secret=canary",
        "socks5://user:canary@proxy.example:1080",
        "id_token_hint=canary",
        "CODE_VERIFIER=canary",
    ],
)
def test_what_has_the_form_of_a_secret_is_masked_although_nobody_named_it(text: str) -> None:
    clean = Redactor()(text)

    assert "canary" not in clean
    assert "eyJ" not in clean
    assert MASK in clean


@pytest.mark.parametrize(
    "text",
    [
        "HTTP status 503, expected 200",
        "kid 'key-1' with alg RS256 is not among [key-2]",
        "https://login.acme.example/.well-known/openid-configuration",
        "error_code=17 status_code=200",
        "the code is missing",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor()(text) == text


@pytest.mark.parametrize("spelling", [str, quote, lambda value: quote(value, safe=""), quote_plus, json.dumps])
def test_a_known_secret_is_masked_in_every_spelling(spelling: object) -> None:
    secret = 'p@ss w/"ord" \u00fc+&='
    redact = Redactor()
    redact.learn([secret])

    clean = redact(f"before {spelling(secret)} after")  # type: ignore[operator] # one of five functions

    assert "ord" not in clean
    assert clean.startswith("before")
    assert clean.endswith("after")


def test_a_secret_within_another_leaves_nothing_of_the_longer_one() -> None:
    redact = Redactor()
    redact.learn(["canary", "canary-and-more"])

    assert redact("x canary-and-more y") == f"x {MASK} y"


def test_very_short_values_mask_nothing() -> None:
    redact = Redactor()
    redact.learn(["", "a", "123"])

    assert redact("a 123") == "a 123"


def test_a_variable_that_is_not_utf_8_is_learnt_like_any_other() -> None:
    secret = b"caf\xe9-canary".decode("utf-8", "surrogateescape")
    redact = Redactor()

    redact.learn([secret])

    assert redact(f"x {secret} y") == f"x {MASK} y"


def test_only_the_newest_values_are_remembered() -> None:
    redact = Redactor()

    redact.learn(f"value-{number}" for number in range(5000))

    assert redact("value-4999") == MASK
    assert redact("value-0") == "value-0"
    assert repr(redact) == "Redactor(2048 known)"


def test_long_values_do_not_grow_its_memory_without_end() -> None:
    redact = Redactor()

    for number in range(20):
        redact.learn([f"{number:08d}" + "x" * 1_000_000])

    assert redact("00000019" + "x" * 1_000_000) == MASK
    assert repr(redact) == "Redactor(16 known)"


def test_a_value_learnt_again_counts_once() -> None:
    redact = Redactor()

    for _ in range(20):
        redact.learn(["y" * 1_000_000, "short-canary"])

    assert redact("short-canary") == MASK
    assert repr(redact) == "Redactor(2 known)"


def test_its_repr_shows_no_secret() -> None:
    redact = Redactor()
    redact.learn(["canary-value"])

    assert "canary" not in repr(redact)


@given(st.text(min_size=4, max_size=60), st.text(max_size=30), st.text(max_size=30))
def test_no_known_secret_is_ever_left_in_a_text(secret: str, before: str, after: str) -> None:
    redact = Redactor()
    redact.learn([secret])

    assert secret not in redact(f"{before}\0{secret}\0{after}").replace(MASK, "\0")


@pytest.fixture
def logged() -> tuple[logging.Logger, io.StringIO]:
    """A logger whose only handler redacts, and what it wrote."""
    redact, stream = Redactor(), io.StringIO()
    redact.learn(["canary-value"])
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(redact))
    logger = logging.getLogger("tests.probes.redacted")
    logger.setLevel(logging.DEBUG)
    logger.propagate, logger.handlers = False, [handler]
    return logger, stream


def test_arguments_of_a_log_line_are_redacted(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = logged

    logger.debug("asked with %s and %r", "canary-value", {"code": "another"})

    assert stream.getvalue() == f"asked with {MASK} and {{'code': '{MASK}'}}\n"


def test_a_traceback_is_redacted_with_its_causes(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = logged

    try:
        raise RuntimeError("sent canary-value") from ValueError(f"header {JWT}")
    except RuntimeError:
        logger.exception("broke on %s", "canary-value")

    assert "canary" not in stream.getvalue()
    assert "eyJ" not in stream.getvalue()
    assert "RuntimeError: sent" in stream.getvalue()
