"""RP-initiated logout."""

from __future__ import annotations

import pytest

from sandbox.launch import Sandbox
from sandbox.visitor import Visitor, callback_of, inputs_of

pytestmark = pytest.mark.process

AFTER = "https://portal.example.test/signed-out"


def test_logout_ends_the_session_and_returns_with_state(sandbox: Sandbox, visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER, "state": "s1"}

    answer = visitor.http.get(f"{sandbox.issuer}/logout", params=hint)

    silent = visitor.http.get(visitor.attempt("portal", prompt="none").url)
    assert answer.headers["location"] == f"{AFTER}?state=s1"
    assert callback_of(silent)["error"] == "login_required"


def test_a_hint_from_before_a_rotation_still_works(sandbox: Sandbox, visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")
    sandbox.control.rotate("abrupt")
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER}

    answer = visitor.http.get(f"{sandbox.issuer}/logout", params=hint)

    assert answer.headers["location"] == AFTER


def test_an_unregistered_address_is_not_followed(sandbox: Sandbox, visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://evil.example.test/"}

    answer = visitor.http.get(f"{sandbox.issuer}/logout", params=hint)

    assert "location" not in answer.headers
    assert "signed out" in answer.text


def test_a_forged_hint_is_refused(sandbox: Sandbox, visitor: Visitor) -> None:
    answer = visitor.http.get(f"{sandbox.issuer}/logout", params={"id_token_hint": "e30.e30.e30"})

    assert answer.status_code == 400


def test_without_a_hint_the_person_is_asked(sandbox: Sandbox, visitor: Visitor) -> None:
    visitor.sign_in("spa", "alice")

    asked = visitor.http.get(f"{sandbox.issuer}/logout")
    still_in = visitor.http.get(visitor.attempt("spa", prompt="none").url)
    visitor.http.post(f"{sandbox.issuer}/logout", data={"confirm": "yes"})
    out = visitor.http.get(visitor.attempt("spa", prompt="none").url)

    assert 'name="confirm"' in asked.text
    assert "code" in callback_of(still_in)
    assert callback_of(out)["error"] == "login_required"


def test_the_confirmation_can_be_required_always(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.settings(confirm_logout=True)
    tokens = visitor.sign_in("portal", "alice")
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER, "state": "s1"}

    page = visitor.http.get(f"{sandbox.issuer}/logout", params=hint)
    answer = visitor.http.post(f"{sandbox.issuer}/logout", data={**inputs_of(page.text), "confirm": "yes"})

    assert answer.headers["location"] == f"{AFTER}?state=s1"
