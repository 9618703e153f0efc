"""Panels are packed into rows without overlap, and never wider than the grid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.grafana import WIDTH, Tile, packed
from dashboards.style import words

sizes = st.tuples(st.integers(1, WIDTH), st.integers(1, 12))


def tile(width: int, height: int) -> Tile:
    return words(1, "Text", "", width=width, height=height)


@given(st.lists(sizes, max_size=12), st.integers(0, 100))
def test_no_two_panels_cover_the_same_place(wanted: list[tuple[int, int]], top: int) -> None:
    placed = [position for _, position in packed([tile(*size) for size in wanted], top)]

    cells = [(x, y) for at in placed for x in range(at.x, at.x + at.w) for y in range(at.y, at.y + at.h)]
    assert len(cells) == len(set(cells))
    assert all(at.x + at.w <= WIDTH and at.y >= top for at in placed)


def test_a_panel_that_does_not_fit_begins_the_next_line() -> None:
    positions = [position for _, position in packed([tile(16, 4), tile(12, 6), tile(12, 2)], 1)]

    assert [(at.x, at.y) for at in positions] == [(0, 1), (0, 5), (12, 5)]


def test_a_panel_wider_than_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="25 columns wide"):
        list(packed([tile(25, 4)], 0))
