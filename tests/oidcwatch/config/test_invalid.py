"""One file a mistake, with the exact words that it must be answered with beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from oidcwatch.config import ConfigError, load

FOLDER = Path(__file__).parent / "invalid"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_mistake_is_answered_with_its_place_and_what_is_allowed(path: Path) -> None:
    expected = path.with_suffix(".txt").read_text(encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert "".join(f"{problem}\n" for problem in caught.value.problems).replace(f"{FOLDER}/", "") == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_message_repeats_a_secret_that_stands_in_the_wrong_place(path: Path) -> None:
    canaries = ("hunter2", "s3cret", "8675309", "12345678")

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert not [canary for canary in canaries if canary in repr(caught.value.problems) + str(caught.value)]


def test_every_expected_message_has_its_file() -> None:
    assert [path.stem for path in sorted(FOLDER.glob("*.txt"))] == [path.stem for path in FILES]
    assert len(FILES) >= 30
