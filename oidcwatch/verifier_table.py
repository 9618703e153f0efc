"""Shows the table of verifiers: on the terminal, as JSON, and as a page of the reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drills.verifiers import ErrorBody, Evidence, Headers, Seconds, Verifier, VerifierClass, Word, verifiers
from oidcwatch.config_duration import format_duration
from oidcwatch.documentation_markdown import anchor, code, link, table

if TYPE_CHECKING:
    from rich.console import Console

_CLASSES: tuple[tuple[VerifierClass, str], ...] = (
    (VerifierClass.A, "refetches at an unknown kid"),
    (VerifierClass.B, "refetches at an unknown kid, after a cooldown"),
    (VerifierClass.C, "refetches periodically only"),
    (VerifierClass.D, "refetches when the key set's max-age has passed"),
    (VerifierClass.E, "never refetches"),
)
_EVIDENCE: tuple[tuple[Evidence, str], ...] = (
    (Evidence.SOURCE, "source code read at the version named"),
    (Evidence.DOCUMENTATION, "the vendor's documentation"),
    (Evidence.ISSUE, "an issue thread"),
    (Evidence.KNOWLEDGE, "known of the product, not confirmed: measure before you rely on it"),
    (Evidence.MEASURED, "measured against a running instance"),
)
_EMPTY = "taken for a key set without keys"
_ERROR_BODY: Mapping[ErrorBody, str] = MappingProxyType(
    {
        ErrorBody.FAILURE: "",
        ErrorBody.EMPTY: _EMPTY,
        ErrorBody.EMPTY_AT_ANY_STATUS: f"{_EMPTY}, whatever the status",
    }
)


def facts(row: Verifier) -> dict[str, Any]:
    """A row as JSON: durations in seconds, or one of the words `never`, `unknown` and `max-age`."""
    fields = asdict(row)
    return {("class" if name == "class_" else name): value for name, value in fields.items()}


def print_table(rows: Iterable[Verifier], out: Console) -> None:
    """A line for each row."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False)
    for title in ("name", "class", "keeps a key", "cooldown", "failed fetch", "evidence", "product"):
        shown.add_column(title, overflow="fold")
    for row in rows:
        cells = (row.name, row.class_, _span(row.ttl), _cooldown(row), row.on_fetch_error, "".join(row.evidence))
        shown.add_row(*map(Text, (*cells, row.product)))
    out.print(shown)


def print_row(row: Verifier, out: Console) -> None:
    """Every field of one row."""
    from rich.text import Text

    for name, value in _described(row):
        out.print(Text.assemble((f"{name:<16}", "bold"), value))


def verifiers_page() -> Iterator[str]:
    """The page of the reference: what the classes mean, then every row with its source."""
    yield from (
        "How programs that verify tokens cache an issuer's keys. `oidcwatch drill predict` computes from this table when",
        "each of them takes a new key, gives up a removed one, and stops when the key set cannot be fetched. A",
        "configuration names them at `issuers[].verifiers`, and describes its own at `verifiers`.",
        "",
    )
    yield from table(("class", "meaning"), ((code(each), meaning) for each, meaning in _CLASSES))
    yield from table(("evidence", "meaning"), ((code(each), meaning) for each, meaning in _EVIDENCE))
    for each, meaning in _CLASSES:
        yield from (f"## Class {each}: {meaning}", "")
        for row in verifiers().values():
            if row.class_ is each:
                yield from (anchor(row.name), "", f"### {row.name}", "")
                yield from table(("", ""), ((name, _linked(value)) for name, value in _described(row)[1:]))


def _described(row: Verifier) -> list[tuple[str, str]]:
    cooldown = f"{_cooldown(row)} after the {row.anchor.replace('_', ' ')}" if row.anchor else "none"
    pairs = (
        ("name", row.name),
        ("product", row.product),
        ("class", f"{row.class_}: {dict(_CLASSES)[row.class_]}"),
        ("keeps a key", _span(row.ttl) + (f", and a removed one {_span(row.retains)} more" if row.retains else "")),
        ("max-age", _headers(row.headers) if row.headers else ""),
        ("unknown kid", row.unknown_kid),
        ("cooldown", cooldown),
        ("fetch timeout", _span(row.fetch_timeout)),
        ("failed fetch", row.on_fetch_error + ("" if row.keeps_for is Word.NEVER else f" for {_span(row.keeps_for)}")),
        ("JSON error", _ERROR_BODY[row.error_body]),
        ("leeway", f"exp {_span(row.leeway)}, nbf and iat {_span(row.leeway_future)}"),
        ("one cache", f"a {row.per}, by {row.caches}"),
        ("version read", row.version),
        ("source", row.source),
        ("evidence", ", ".join(dict(_EVIDENCE)[each] for each in row.evidence)),
        ("note", row.note),
    )
    return [(name, value) for name, value in pairs if value]


def _headers(headers: Headers) -> str:
    parts = (
        (f"at least {_span(headers.min)}", headers.min > 0),
        (f"at most {_span(headers.max)}", headers.max is not Word.NEVER),
        (f"{_span(headers.default)} without one", True),
        (f"over {_span(headers.early)} early", headers.early > 0),
    )
    return ", ".join(text for text, said in parts if said)


def _cooldown(row: Verifier) -> str:
    return _span(row.cooldown) if row.cooldown else ""


def _span(span: Seconds | str) -> str:
    match span:
        case float() | int():
            return format_duration(span)
        case Word.NEVER:
            return "no limit"
        case _:
            return str(span)


def _linked(value: str) -> str:
    return link(value.removeprefix("https://"), value) if value.startswith("https://") else value
