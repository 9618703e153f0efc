"""What servers send as JSON is an object that can be trusted to be one, or a reason."""

from __future__ import annotations

import json

import pytest

from probes.documents import host_and_path, json_object, number, reason_of_status, strings, text
from probes.model import ProbeFailure, Reason


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not valid JSON"),
        (b"<!doctype html>", "not valid JSON"),
        (b'{"a":1', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8 (byte 0)"),
        (b'{"a":"\xc3\x28"}', "not UTF-8 (byte 6)"),
        ("{}".encode("utf-16-le"), "not valid JSON"),
        (b"[]", "of type list"),
        (b"null", "of type NoneType"),
        (b'"text"', "of type str"),
        (b'{"a":NaN}', "NaN is no JSON value"),
        (b'{"a":-Infinity}', "-Infinity is no JSON value"),
        (b'{"a":1,"a":2}', "a member is named twice"),
        (b'{"b":{"a":1,"a":2}}', "a member is named twice"),
        (b'{"a":' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 64 levels"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
        (b'{"a":"\\ud800"}', "half a surrogate pair"),
        (b'{"\\uDFFF":1}', "half a surrogate pair"),
        (b'{"a":["\\udc00\\ud800"]}', "half a surrogate pair"),
    ],
)
def test_anything_but_a_sound_object_is_a_bad_response(body: bytes, message: str) -> None:
    with pytest.raises(ProbeFailure) as caught:
        json_object(body)

    assert caught.value.reason is Reason.BAD_RESPONSE
    assert message in caught.value.detail


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"a": "\U0001f600", "b": None},
        {"keys": [{"x5c": ["a", "b"]} for _ in range(200)]},
        {"a": [[]] * 500},
    ],
)
def test_sound_objects_are_read_whatever_their_width(document: object) -> None:
    assert json_object(json.dumps(document).encode()) == document


def test_sixty_four_levels_are_still_read() -> None:
    body = b'{"a":' + b"[" * 63 + b"]" * 63 + b',"b":[]}'

    assert set(json_object(body)) == {"a", "b"}


def test_members_of_the_wrong_type_count_as_absent() -> None:
    document = {"text": 1, "list": "a", "mixed": ["a", 1, None, "b"], "flag": True, "word": "12"}

    assert (text(document, "text"), text(document, "absent")) == ("", "")
    assert (strings(document, "list"), strings(document, "mixed")) == ((), ("a", "b"))
    assert (number(document, "flag"), number(document, "word"), number(document, "absent")) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "read"),
    [(0, 0.0), (1.5, 1.5), (-3, -3.0), (10**15, None), (10**400, None), (float("inf"), None), (float("nan"), None)],
)
def test_numbers_are_read_within_bounds(value: float, read: float | None) -> None:
    assert number({"n": value}, "n") == read


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (301, Reason.BAD_RESPONSE),
        (404, Reason.BAD_RESPONSE),
        (429, Reason.RATE_LIMITED),
        (500, Reason.SERVER_ERROR),
        (503, Reason.SERVER_ERROR),
        (999, Reason.SERVER_ERROR),
    ],
)
def test_a_status_says_whose_fault_it_is(status: int, reason: Reason) -> None:
    assert reason_of_status(status) is reason


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/cb?code=secret#x", "https://a.example/cb"),
        ("https://user:password@a.example/cb", "https://a.example/cb"),
        ("/cb?code=secret", "/cb"),
        ("https://a.example/" + "x" * 500, "https://a.example/" + "x" * 182),
        ("not a url", "not a url"),
    ],
)
def test_a_shown_url_has_no_query_no_user_information_and_an_end(url: str, shown: str) -> None:
    assert host_and_path(url) == shown
