"""The redactor against whatever text there is: a secret that it knows, or that has the form of one, does not survive."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from probes.redact import MASK, Redactor

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda value: quote(value, safe=""),
    "path": quote,
    "form": quote_plus,
    "json": lambda value: json.dumps(value)[1:-1],
    "json-utf8": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64url": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
}
# The mask's own brackets could make up a value anew together with what stands around: no secret is seen by that.
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=4, max_size=60)
TEXTS = st.text(max_size=80)
B64URL = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=16, max_size=80)
CREDENTIALS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", min_size=16, max_size=80)


@pytest.mark.parametrize("form", FORMS)
@given(value=VALUES, before=TEXTS, after=TEXTS)
def test_a_learnt_value_does_not_survive_in_any_form(form: str, value: str, before: str, after: str) -> None:
    written = FORMS[form](value)
    assume(written not in before + after and written not in MASK)
    redact = Redactor()
    redact.learn([value])

    clean = redact(f"{before}{written}{after}")

    assert written not in clean
    assert MASK in clean


@given(values=st.lists(VALUES, min_size=2, max_size=8, unique=True), form=st.sampled_from(sorted(FORMS)))
def test_many_learnt_values_do_not_survive_side_by_side(values: list[str], form: str) -> None:
    assume(not any(FORMS[form](value) in MASK for value in values))
    redact = Redactor()
    redact.learn(values)

    clean = redact("\n".join(FORMS[form](value) for value in values))

    assert not [value for value in values if FORMS[form](value) in clean]


@given(header=B64URL, claims=B64URL, signature=B64URL, before=TEXTS, after=TEXTS)
def test_a_jwt_does_not_survive_although_nobody_named_it(
    header: str, claims: str, signature: str, before: str, after: str
) -> None:
    clean = Redactor()(f"{before} eyJ{header}.{claims}.{signature} {after}")

    assert f"eyJ{header}" not in clean
    assert signature not in clean.replace(before, "").replace(after, "")


@pytest.mark.parametrize(
    "written",
    [
        "Authorization: Bearer {}",
        "authorization: basic {}",
        "'Authorization': 'DPoP {}'",
        "Proxy-Authorization: Basic {}",
        "Bearer {}",
        "Cookie: session={}",
        "set-cookie: KEYCLOAK_IDENTITY={}; Path=/; HttpOnly",
        "otpauth://totp/acme:alice?secret={}&issuer=acme",
        "https://portal.example/callback?state=1&code={}",
        "grant_type=refresh_token&refresh_token={}",
        "code_verifier={}",
        '{{"client_secret": "{}"}}',
        "http://user:{}@proxy.example:3128",
    ],
)
@given(secret=CREDENTIALS)
def test_a_credential_does_not_survive_although_nobody_named_it(written: str, secret: str) -> None:
    assume("/" not in secret or "://user" not in written)  # a URL's password has no slash (RFC 3986 §3.2.1)

    clean = Redactor()(f"GET /x failed: {written.format(secret)}\nnext line")

    assert secret not in clean
    assert clean.endswith("next line")


@given(st.text())
def test_any_text_can_be_redacted_and_learnt(text: str) -> None:
    redact = Redactor()
    redact.learn([text, f"{text}\ud800"])  # half a pair, as a broken environment variable may hold

    assert isinstance(redact(text), str)
