"""Reads Cache-Control as a verifier would (RFC 9111 §5.2)."""

from __future__ import annotations

from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class CacheControl:
    """The directives that matter to JWKS consumers. `max_age` in seconds, None when absent or malformed."""

    present: bool
    max_age: int | None
    no_cache: bool
    no_store: bool


def cache_control(headers: httpx.Headers) -> CacheControl:
    """Parses the header; quoted and unquoted values alike, names without regard to case."""
    raw = headers.get("cache-control")
    directives = {}
    for part in (raw or "").split(","):
        name, _, value = part.strip().partition("=")
        directives[name.strip().lower()] = value.strip().strip('"')
    age = directives.get("max-age", "")
    return CacheControl(
        present=raw is not None,
        max_age=int(age) if age.isascii() and age.isdigit() and len(age) < 12 else None,
        no_cache="no-cache" in directives,
        no_store="no-store" in directives,
    )
