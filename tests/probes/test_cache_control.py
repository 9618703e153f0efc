"""Cache-Control is read as a verifier reads it."""

from __future__ import annotations

import httpx
import pytest

from probes.cache_control import CacheControl, cache_control


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (None, CacheControl(present=False, max_age=None, no_cache=False, no_store=False)),
        ("", CacheControl(present=True, max_age=None, no_cache=False, no_store=False)),
        ("max-age=300", CacheControl(present=True, max_age=300, no_cache=False, no_store=False)),
        ('Public, MAX-AGE = "60"', CacheControl(present=True, max_age=60, no_cache=False, no_store=False)),
        ("no-store", CacheControl(present=True, max_age=None, no_cache=False, no_store=True)),
        ('no-cache="set-cookie", max-age=0', CacheControl(present=True, max_age=0, no_cache=True, no_store=False)),
        ("max-age=-1", CacheControl(present=True, max_age=None, no_cache=False, no_store=False)),
        ("max-age=1.5", CacheControl(present=True, max_age=None, no_cache=False, no_store=False)),
        ("max-age=" + "9" * 12, CacheControl(present=True, max_age=None, no_cache=False, no_store=False)),
        ("max-age=²", CacheControl(present=True, max_age=None, no_cache=False, no_store=False)),
        (",,=,;", CacheControl(present=True, max_age=None, no_cache=False, no_store=False)),
    ],
)
def test_directives_are_read_and_what_is_malformed_counts_as_absent(header: str | None, read: CacheControl) -> None:
    headers = httpx.Headers([] if header is None else [(b"cache-control", header.encode("latin-1"))])

    assert cache_control(headers) == read


def test_repeated_headers_are_one_list() -> None:
    headers = httpx.Headers([("Cache-Control", "max-age=300"), ("cache-control", "no-cache")])

    assert cache_control(headers) == CacheControl(present=True, max_age=300, no_cache=True, no_store=False)
