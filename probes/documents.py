"""Reads what servers send as JSON: anything but a sound object ends in a reason, never in an exception of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from probes.http import Response
from probes.model import ProbeFailure, Reason

JsonObject = Mapping[str, Any]

_JSON_TYPES = frozenset({"application/json", "application/jwk-set+json"})
_DEEPEST = 64  # levels; a certificate chain in a key of a set is at 4


def reason_of_status(status: int) -> Reason:
    """What an unexpected HTTP status means when the body says nothing better."""
    if status == 429:
        return Reason.RATE_LIMITED
    return Reason.SERVER_ERROR if status >= 500 else Reason.BAD_RESPONSE


def problem_of_answer(response: Response, types: frozenset[str] = _JSON_TYPES) -> tuple[Reason, str] | None:
    """Why this answer is no successful JSON answer: (reason, message), or None when status and type are right."""
    if response.status != 200:
        where = f" to {host_and_path(response.headers['location'])}" if "location" in response.headers else ""
        return reason_of_status(response.status), f"HTTP status {response.status}{where}, expected 200"
    if response.media_type not in types:
        return Reason.BAD_RESPONSE, f"content type {response.media_type[:60]!r}, expected one of {sorted(types)}"
    return None


def json_object(body: bytes) -> JsonObject:
    """The JSON object in a body.

    Raises ProbeFailure(bad_response): not UTF-8, not JSON, no object, nested deeper than 64 levels, a number out of
    bounds, NaN or Infinity (RFC 8259 knows neither), half a surrogate pair (§8.2), or a member named twice.
    """
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise ProbeFailure(Reason.BAD_RESPONSE, f"the body is not UTF-8 (byte {error.start})") from error
    except RecursionError:
        raise ProbeFailure(Reason.BAD_RESPONSE, "the JSON is nested too deep") from None
    except ValueError as error:
        raise ProbeFailure(Reason.BAD_RESPONSE, f"the body is not valid JSON: {str(error)[:120]}") from None
    if not isinstance(document, dict):
        raise ProbeFailure(Reason.BAD_RESPONSE, f"the JSON is of type {type(document).__name__}, expected an object")
    # What parses at the edge of Python's stack breaks whoever compares or prints it a few calls further down.
    if body.count(b"{") + body.count(b"[") > _DEEPEST and _depth(document) > _DEEPEST:
        raise ProbeFailure(Reason.BAD_RESPONSE, f"the JSON is nested deeper than {_DEEPEST} levels")
    # Only an escape can bring one: half a pair cannot be encoded again, in a request, a log or a page.
    if _SURROGATE.search(body) and not _encodable(document):
        raise ProbeFailure(Reason.BAD_RESPONSE, "the JSON has a string with half a surrogate pair (RFC 8259 §8.2)")
    return document


def strings(document: JsonObject, member: str) -> tuple[str, ...]:
    """The strings in an array member; what is no string is left out, what is no array counts as empty."""
    value = document.get(member)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def text(document: JsonObject, member: str) -> str:
    """A string member; empty when it is absent or no string."""
    value = document.get(member)
    return value if isinstance(value, str) else ""


def number(document: JsonObject, member: str) -> float | None:
    """A numeric member (NumericDate may have a fraction, RFC 7519 §2); None when absent, boolean or out of bounds."""
    value = document.get(member)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e15 < value < 1e15:
        return None
    return float(value)


def host_and_path(url: str) -> str:
    """A URL without query, fragment and user information, bounded, fit to be shown."""
    bare = url.split("?", 1)[0].split("#", 1)[0]
    scheme, separator, rest = bare.partition("://")
    authority, slash, path = rest.partition("/") if separator else ("", "", bare)
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"[:200] if separator else bare[:200]


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def _encodable(document: JsonObject) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _depth(document: JsonObject) -> int:
    """Levels of objects and arrays, counted without recursion and no further than matters."""
    depth = 0
    level: list[Any] = [document]
    while level and depth <= _DEEPEST:
        depth += 1
        inside = [item for value in level for item in (value.values() if isinstance(value, dict) else value)]
        level = [value for value in inside if isinstance(value, dict | list)]
    return depth


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members
