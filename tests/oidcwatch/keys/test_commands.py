"""`oidcwatch keys` tells people and programs what the ledger holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.oidcwatch.keys.conftest import Keys


def table(text: str) -> list[list[str]]:
    """The cells of a printed table; two spaces or more stand between columns."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines() if line.strip()]


def test_keys_are_listed_with_their_states_the_newest_first(rotated: Path, keys: Keys) -> None:
    done = keys("list", "acme")

    assert done.exit_code == 0
    assert table(done.stdout) == [
        ["state", "kid", "alg", "published", "first token", "last token", "expires", "thumbprint"],
        ["active", "[red]new", "RS256", "2026-03-01T12:01:00Z", "2026-03-01T12:02:00Z", "2026-03-01T12:02:00Z",
         "2026-03-01T12:07:00Z", "BBBBthumbpri"],
        ["removed", "old", "RS256", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z",
         "2026-03-01T12:05:00Z", "AAAAthumbpri"],
    ]  # fmt: skip


def test_the_list_is_there_for_programs(rotated: Path, keys_json: Callable[..., Any]) -> None:
    listed = keys_json("list", "acme")

    assert [key["state"] for key in listed] == ["active", "removed"]
    assert listed[1] == {
        "state": "removed",
        "kid": "old",
        "alg": "RS256",
        "published": "2026-03-01T12:00:00Z",
        "first_token": "2026-03-01T12:00:00Z",
        "last_token": "2026-03-01T12:00:00Z",
        "expires": "2026-03-01T12:05:00Z",
        "thumbprint": "AAAAthumbprint-of-the-old-key",
    }


@pytest.mark.parametrize("name", ["old", "AAAAthumb"])
def test_a_key_is_shown_by_its_kid_or_the_beginning_of_its_thumbprint(
    rotated: Path, keys_json: Callable[..., Any], name: str
) -> None:
    shown = keys_json("show", "acme", name)

    assert (shown["kid"], shown["kty"], shown["bits"]) == ("old", "RSA", 2048)
    assert shown["regions"] == [
        {
            "region": "eu",
            "first": "2026-03-01T12:00:00Z",
            "last": "2026-03-01T12:01:00Z",
            "gone": "2026-03-01T12:03:00Z",
        }
    ]
    seen = "2026-03-01T12:01:00Z"
    assert shown["addresses"] == [
        {"address": "192.0.2.1", "region": "eu", "first": seen, "last": seen, "gone": None},
        {"address": "2001:db8::1", "region": "eu", "first": seen, "last": seen, "gone": None},
    ]


def test_a_key_is_shown_to_people_with_its_lead_and_its_regions(rotated: Path, keys: Keys) -> None:
    done = keys("show", "acme", "[red]new")

    assert done.exit_code == 0
    assert "state: active\n" in done.stdout
    assert "lead seconds: 60.0\n" in done.stdout
    regions, addresses = [row for row in table(done.stdout) if row and row[0] in ("eu", "192.0.2.1")]
    assert regions == ["eu", "2026-03-01T12:01:00Z", "2026-03-01T12:03:00Z", "-"]
    assert addresses == ["192.0.2.1", "eu", "2026-03-01T12:01:00Z", "2026-03-01T12:01:00Z", "-"]


def test_the_history_tells_what_happened(rotated: Path, keys: Keys) -> None:
    done = keys("history", "acme")

    assert [row[:3] for row in table(done.stdout)[1:]] == [
        ["2026-03-01T12:00:00Z", "found", "old"],
        ["2026-03-01T12:00:00Z", "signed", "old"],
        ["2026-03-01T12:01:00Z", "published", "[red]new"],
        ["2026-03-01T12:02:00Z", "signed", "[red]new"],
        ["2026-03-01T12:03:00Z", "removed", "old"],
    ]


def test_the_history_is_there_for_programs(rotated: Path, keys_json: Callable[..., Any]) -> None:
    assert keys_json("history", "acme")[-1] == {
        "at": "2026-03-01T12:03:00Z",
        "event": "removed",
        "kid": "old",
        "alg": "RS256",
        "region": "eu",
        "thumbprint": "AAAAthumbprint-of-the-old-key",
    }


def test_an_issuer_of_which_nothing_was_seen_has_no_keys(rotated: Path, keys_json: Callable[..., Any]) -> None:
    assert keys_json("list", "idle") == []
    assert keys_json("history", "idle") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "acne"), "there is no issuer 'acne'; there are: acme, idle"),
        (("show", "acme", "older"), "there is no key 'older'; there are: [red]new, old"),
        (("show", "acme", "AAA"), "there is no key 'AAA'; there are: [red]new, old"),
        (("show", "idle", "old"), "there is no key 'old'; there are: none"),
    ],
)
def test_a_name_that_is_unknown_is_a_bad_call(
    rotated: Path, keys: Keys, arguments: tuple[str, ...], message: str
) -> None:
    done = keys(*arguments)

    assert done.exit_code == 2
    assert done.stderr == f"oidcwatch: {message}\n"


@pytest.mark.parametrize("command", ["list", "history"])
def test_before_an_agent_has_run_there_is_no_ledger(keys: Keys, command: str) -> None:
    done = keys(command, "acme")

    assert done.exit_code == 2
    assert "there is no key ledger; an agent keeps one in its data_dir" in done.stderr
