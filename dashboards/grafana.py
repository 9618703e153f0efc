"""Dashboards as JSON that Grafana 10 to 13 read: rows packed without overlap, and only keys of the classic schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

WIDTH = 24
"""Columns of Grafana's grid."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A panel with its size on the grid: columns of 24, and rows of 30 pixels."""

    panel: model.Panel
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Section:
    """A row with its panels. `id` is unique among rows and panels of the dashboard; a folded row asks no queries."""

    id: int
    title: str
    tiles: tuple[Tile, ...]
    folded: bool = False


def packed(tiles: Iterable[Tile], top: int) -> Iterator[tuple[Tile, model.GridPos]]:
    """Left to right, and into the next line when the grid is full. ValueError if a panel is wider than the grid."""
    x, line = 0, 0
    for tile in tiles:
        if not 0 < tile.width <= WIDTH:
            raise ValueError(f"panel {tile.panel.title!r} is {tile.width} columns wide, the grid has {WIDTH}")
        if x + tile.width > WIDTH:
            x, top, line = 0, top + line, 0
        yield tile, model.GridPos(h=tile.height, w=tile.width, x=x, y=top)
        x, line = x + tile.width, max(line, tile.height)


def rendered(dashboard: build.Dashboard, sections: Iterable[Section]) -> str:
    """The JSON text, the same at every call. Sections without panels are left out."""
    document = dashboard.build()
    document.panels = list(_laid_out(section for section in sections if section.tiles))
    plain = json.loads(JSONEncoder().encode(document))
    return json.dumps(_classic(plain), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


# The builder's own layout lets panels overflow the grid and gives every row the id 0, so panels are placed here. Grafana
# wants the panels of a folded row inside it, and drops those that are inside an open one.
def _laid_out(sections: Iterable[Section]) -> Iterator[model.Panel | model.RowPanel]:
    top = 0
    for section in sections:
        row = model.RowPanel(section.folded, section.title, None, model.GridPos(1, WIDTH, 0, top), section.id)
        bottom, panels = top + 1, []
        for tile, position in packed(section.tiles, top + 1):
            tile.panel.grid_pos = position
            bottom = max(bottom, position.y + position.h)
            panels.append(tile.panel)
        yield row
        if section.folded:
            row.panels = panels
            top += 1
        else:
            yield from panels
            top = bottom


_DATA_LINK = frozenset({"title", "url", "targetBlank"})


def _classic(value: Any, key: str = "") -> Any:
    """Without what the SDK adds for later schemas: `placement`, and keys of dashboard links in links of data."""
    match value:
        case dict():
            # `repeatDirection` says nothing where nothing is repeated.
            dropped = {"placement", *(() if "repeat" in value else ("repeatDirection",))}
            return {name: _classic(item, f"{key}.{name}") for name, item in value.items() if name not in dropped}
        case list() if key.endswith(".defaults.links"):
            return [{name: item for name, item in link.items() if name in _DATA_LINK} for link in value]
        case list():
            return [_classic(item, key) for item in value]
        case _:
            return value
