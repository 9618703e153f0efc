"""Tables: one row for each set of labels, one column for each query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from grafana_foundation_sdk.builders import table as build
from grafana_foundation_sdk.models import dashboard as model

from dashboards.grafana import Tile
from dashboards.style import PLAIN, Look, Query, framed, mapping, ref_ids, targets, thresholds


@dataclass(frozen=True, slots=True)
class Column:
    """One column of numbers and how they are shown."""

    title: str
    expr: str
    look: Look = PLAIN


_NO_LINKS: Mapping[str, tuple[str, str]] = MappingProxyType({})


def table(
    id: int, title: str, about: str, labels: Mapping[str, str], columns: tuple[Column, ...],
    *, links: Mapping[str, tuple[str, str]] = _NO_LINKS, no_value: str = "", width: int = 12, height: int = 8,
) -> Tile:  # fmt: skip
    """Now, as a table. `labels` are columns of words by their heading; `links` are (title, URL) by heading."""
    panel = framed(build.Panel(), id, title, about, Look("string", low=None, no_value=no_value))
    for target in targets((Query(column.expr) for column in columns), instant=True, table=True):
        panel.with_target(target)
    # Grafana names the values of a lone query `Value`, and of several `Value #A` and so on.
    names = [f"Value #{letter}" for letter in ref_ids()] if len(columns) > 1 else ["Value"]
    shown = {**labels, **{name: column.title for name, column in zip(names, columns, strict=False)}}
    panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        model.DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {"Time": True},
                "indexByName": {name: index for index, name in enumerate(shown)},
                "renameByName": shown,
            },
        )
    )
    for column in columns:
        panel.override_by_name(column.title, _properties(column.look))
    for heading, (name, url) in links.items():
        link = {"title": name, "url": url, "targetBlank": True}
        panel.override_by_name(heading, [model.DynamicConfigValue("links", [link])])
    return Tile(panel.build(), width, height)


def _properties(look: Look) -> list[model.DynamicConfigValue]:
    properties = [
        model.DynamicConfigValue("unit", look.unit),
        model.DynamicConfigValue("thresholds", thresholds(look.steps).build()),
    ]
    if look.decimals is not None:
        properties.append(model.DynamicConfigValue("decimals", look.decimals))
    if look.words:
        properties.append(model.DynamicConfigValue("mappings", [mapping(look.words)]))
    if len(look.steps) > 1 or look.words:
        properties.append(model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    return properties
