"""The table of verifiers: how programs that check tokens cache an issuer's keys, read from drills/verifiers.yaml."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field, Strict, TypeAdapter, ValidationError, with_config

TABLE = Path(__file__).with_suffix(".yaml")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # five times as fast, and not everywhere


class Word(StrEnum):
    """What stands where there is no number of seconds."""

    NEVER = "never"
    """There is no such limit."""
    UNKNOWN = "unknown"
    """Neither documentation nor source that was read says so."""


Span = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
"""Seconds."""
Seconds = Span | Word
Text = Annotated[str, Field(min_length=1)]


class VerifierClass(StrEnum):
    """How a verifier comes to know a new key."""

    A = "A"
    """It refetches at an unknown kid."""
    B = "B"
    """It refetches at an unknown kid, after a cooldown."""
    C = "C"
    """It refetches periodically only."""
    D = "D"
    """It refetches when the HTTP cache lifetime has passed."""
    E = "E"
    """It never refetches."""


class UnknownKid(StrEnum):
    """What it does with a token whose kid it has no key for."""

    REFETCH = "refetch"
    BACKGROUND = "background"
    """It refuses this token and refetches meanwhile."""
    DENY = "deny"
    UNKNOWN = "unknown"


class Anchor(StrEnum):
    """What the cooldown counts from."""

    LAST_SUCCESS = "last_success"
    LAST_ATTEMPT = "last_attempt"
    LAST_FORCED = "last_forced"
    """The last refetch for an unknown kid."""
    LAST_FAILED_LOOKUP = "last_failed_lookup"
    """The last refetch that did not bring the key."""


class OnFetchError(StrEnum):
    """What becomes of the keys that it holds when a fetch fails."""

    KEEP = "keep"
    DENY = "deny"
    """They serve until their time is over, then every token is refused."""
    CLEAR = "clear"
    """They are dropped at once."""
    UNKNOWN = "unknown"


class ErrorBody(StrEnum):
    """What it makes of an error answer whose body is JSON."""

    FAILURE = "failure"
    EMPTY = "empty"
    """With status 200 a key set without keys, which replaces the one it has."""
    EMPTY_AT_ANY_STATUS = "empty_at_any_status"
    """The same, and it does not look at the status."""


class Scope(StrEnum):
    """What shares one cache: failures after a rotation are partial where there are several."""

    THREAD = "thread"
    PROCESS = "process"
    CLUSTER = "cluster"


class Evidence(StrEnum):
    """How it is known."""

    SOURCE = "S"
    DOCUMENTATION = "D"
    ISSUE = "I"
    KNOWLEDGE = "K"
    MEASURED = "M"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Headers:
    """How `max-age` of the key set counts (RFC 9111 §5.2.2.1). Seconds."""

    min: Span = 0.0
    max: Seconds = Word.NEVER
    default: Seconds = Word.UNKNOWN
    """Without a max-age."""
    early: Span = 0.0
    """It counts as over this much sooner."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Verifier:
    """One configuration of one product. Durations in seconds."""

    name: Text
    product: Text
    class_: Annotated[VerifierClass, Field(alias="class")]
    ttl: Seconds | Literal["max-age"]
    """How long a key that it holds is used without a new fetch; for class C the time between fetches."""
    unknown_kid: UnknownKid
    on_fetch_error: OnFetchError
    version: Text
    """Release or commit that was read, or what was read instead."""
    source: Text
    evidence: Annotated[tuple[Evidence, ...], Field(min_length=1)]
    cooldown: Seconds = 0.0
    anchor: Anchor | None = None
    headers: Headers | None = None
    """None: it does not look at them."""
    fetch_timeout: Seconds = Word.UNKNOWN
    """Its own; a key set that takes longer is no key set."""
    keeps_for: Seconds = Word.NEVER
    """How long `keep` keeps without a successful fetch."""
    retains: Span = 0.0
    """How long a key is used that a fetched set no longer holds."""
    error_body: ErrorBody = ErrorBody.FAILURE
    leeway: Seconds = Word.UNKNOWN
    """After `exp`."""
    leeway_future: Seconds = Word.UNKNOWN
    """Before `nbf`, and for an `iat` that is ahead."""
    per: Scope = Scope.PROCESS
    caches: Literal["set", "kid"] = "set"
    """`set`: a fetch replaces all keys, so that an unknown kid flushes removed ones; `kid`: each key by itself."""
    note: str = ""


class TableError(ValueError):
    """The table cannot be used. The message names the file, the row and the field of each mistake."""


_Rule = tuple[str, Callable[[Verifier], bool], str]

# What the fields of a row must be to each other: the field to blame, when it is right, what is wanted.
_RULES: tuple[_Rule, ...] = (
    ("cooldown", lambda row: row.class_ is not VerifierClass.B or row.cooldown not in (0, Word.NEVER),
     "class B has a cooldown"),
    ("anchor", lambda row: (row.anchor is None) == (row.cooldown == 0), "a cooldown and what it counts from belong together"),
    ("headers", lambda row: row.class_ is not VerifierClass.D or row.headers is not None, "class D reads headers"),
    ("headers", lambda row: row.ttl != "max-age" or row.headers is not None, "ttl: max-age needs them"),
    ("ttl", lambda row: row.class_ is not VerifierClass.C or row.ttl is not Word.NEVER, "class C fetches periodically"),
    ("ttl", lambda row: row.class_ is not VerifierClass.E or row.ttl is Word.NEVER, "class E keeps its keys: never"),
    ("unknown_kid", lambda row: row.class_ not in "AB" or row.unknown_kid in (UnknownKid.REFETCH, UnknownKid.BACKGROUND),
     "classes A and B refetch"),
    ("unknown_kid", lambda row: row.class_ not in "CE" or row.unknown_kid in (UnknownKid.DENY, UnknownKid.UNKNOWN),
     "classes C and E do not refetch"),
    ("keeps_for", lambda row: row.keeps_for is Word.NEVER or row.on_fetch_error is OnFetchError.KEEP,
     "goes with on_fetch_error: keep"),
)  # fmt: skip


@cache
def verifiers() -> Mapping[str, Verifier]:
    """The table that ships with the product, by name, in the order of the file."""
    return parse_verifiers(TABLE.read_text(encoding="utf-8"), TABLE.name)


def parse_verifiers(text: str, file: str) -> Mapping[str, Verifier]:
    """The rows of a table. Raises TableError with every mistake; `file` is its name in messages."""
    try:
        data = yaml.load(text, _LOADER)  # noqa: S506 - either of the two is a safe loader
    except yaml.YAMLError as error:
        raise TableError(f"{file}: {error}") from None
    if not isinstance(data, dict):
        raise TableError(f"{file}: must be a mapping of names to rows")
    rows: dict[str, Verifier] = {}
    problems: list[str] = []
    for name, fields in data.items():
        try:
            row = _ROW.validate_python({**fields, "name": name} if isinstance(fields, dict) else fields)
        except ValidationError as error:
            problems += _messages(error, f"{file}: {name}")
        else:
            problems += [f"{file}: {name}: {problem}" for problem in contradictions(row)]
            rows[row.name] = row
    if problems:
        raise TableError("\n".join(problems))
    return MappingProxyType(rows)


def contradictions(row: Verifier) -> Iterator[str]:
    """What the fields of a row say against each other: the field, and what is wanted."""
    return (f"{field}: {wanted}" for field, right, wanted in _RULES if not right(row))


_ROW = TypeAdapter(Verifier)


def _messages(error: ValidationError, place: str) -> Iterator[str]:
    """One message a field: a value that may be of several types is refused once for each of them."""
    by_field: dict[str, list[str]] = {}
    for details in error.errors(include_url=False, include_input=False):
        field = str(details["loc"][0]) if details["loc"] else "row"
        by_field.setdefault(field, []).append(details["msg"])
    return (f"{place}: {field}: {'; or '.join(dict.fromkeys(said))}" for field, said in by_field.items())
