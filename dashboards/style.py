"""The house style of panels, once: a function for each kind, with units, legends, colours and words for no data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from string import ascii_uppercase
from types import MappingProxyType
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, heatmap, prometheus, stat, statetimeline, text, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as shape
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from dashboards.grafana import Tile

PROMETHEUS = shape.DataSourceRef(type_val="prometheus", uid="${datasource}")

# Okabe and Ito's palette: told apart by people with any kind of colour vision. Text says the same as the colour.
GOOD, WARN, BAD, INFO, UNKNOWN = "#009E73", "#E69F00", "#D55E00", "#0072B2", "#999999"

SHARE, SECONDS, COUNT, RATE = "percentunit", "s", "short", "reqps"
NO_DATA = "no data: see coverage"
RESOLUTION = "1m"
"""Between two points of a graph lies at least one run."""


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL query of a panel. `legend` is Grafana's legend format."""

    expr: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """How values are shown. `steps` are (lower bound, colour); the first bound is minus infinity."""

    unit: str = COUNT
    decimals: int | None = None
    low: float | None = 0
    high: float | None = None
    steps: tuple[tuple[Decimal | None, str], ...] = ((None, INFO),)
    words: Mapping[str, tuple[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    """Text and colour that stand for a value."""
    no_value: str = NO_DATA
    links: tuple[tuple[str, str], ...] = ()
    """Title and URL of what a click on a value offers."""


PLAIN = Look()


class _Framed(Protocol):
    """What builders of every kind of panel have in common."""

    def id(self, id_val: int) -> Self: ...
    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: shape.DataSourceRef) -> Self: ...
    def with_target(self, target: Builder[Dataquery]) -> Self: ...
    def interval(self, interval: str) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def decimals(self, decimals: float) -> Self: ...
    def min(self, min_val: float) -> Self: ...
    def max(self, max_val: float) -> Self: ...
    def thresholds(self, thresholds: Builder[model.ThresholdsConfig]) -> Self: ...
    def mappings(self, mappings: list[model.ValueMapping]) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def data_links(self, links: list[Builder[model.DashboardLink]]) -> Self: ...


_Panel = TypeVar("_Panel", bound=_Framed)


def framed(panel: _Panel, id: int, title: str, about: str, look: Look) -> _Panel:
    """What every panel has: a number for links, a title, what it means and what to do, and how values are shown."""
    panel.id(id).title(title).description(about).datasource(PROMETHEUS)
    panel.unit(look.unit).no_value(look.no_value).thresholds(thresholds(look.steps))
    if look.decimals is not None:
        panel.decimals(look.decimals)
    if look.low is not None:
        panel.min(look.low)
    if look.high is not None:
        panel.max(look.high)
    if look.words:
        panel.mappings([mapping(look.words)])
    if look.links:
        panel.data_links([build.DashboardLink(name).url(url) for name, url in look.links])
    return panel


def thresholds(steps: Iterable[tuple[Decimal | None, str]]) -> build.ThresholdsConfig:
    """Colours from their lower bounds."""
    colours = [model.Threshold(None if bound is None else float(bound), colour) for bound, colour in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(colours)


def mapping(words: Mapping[str, tuple[str, str]]) -> model.ValueMap:
    """Words for values, so that a state is never told by its colour alone."""
    rows = enumerate(words.items())
    return model.ValueMap(
        {value: model.ValueMappingResult(word, colour, index=n) for n, (value, (word, colour)) in rows}
    )


def at_least(good: Decimal, warn: Decimal | None = None) -> tuple[tuple[Decimal | None, str], ...]:
    """Good from this bound on; below it bad, with a warning in between when `warn` is given."""
    return ((None, BAD), *(((warn, WARN),) if warn is not None else ()), (good, GOOD))


def below(warn: Decimal, bad: Decimal) -> tuple[tuple[Decimal | None, str], ...]:
    """Good until the first bound, bad from the second on."""
    return ((None, GOOD), (warn, WARN), (bad, BAD))


def targets(queries: Iterable[Query], *, instant: bool = False, table: bool = False) -> list[prometheus.Dataquery]:
    """The queries with letters of their own, as Grafana wants them."""
    made = []
    for letter, query in zip(ref_ids(), queries, strict=False):
        target = prometheus.Dataquery().expr(query.expr).ref_id(letter).datasource(PROMETHEUS)
        if query.legend:
            target.legend_format(query.legend)
        if query.exemplars:
            target.exemplar(True)
        if instant:
            target.instant()
        made.append(target.format(PromQueryFormat.TABLE) if table else target)
    return made


def ref_ids() -> Iterable[str]:
    """A to Z, then AA to ZZ."""
    yield from ascii_uppercase
    for first in ascii_uppercase:
        yield from (f"{first}{second}" for second in ascii_uppercase)


def graph(
    id: int, title: str, about: str, queries: Iterable[Query], look: Look = Look(),
    *, stacked: bool = False, width: int = 8, height: int = 8,
) -> Tile:  # fmt: skip
    """Values over time, with a legend that shows the last and the highest."""
    return Tile(graph_builder(id, title, about, queries, look, stacked=stacked).build(), width, height)


def graph_builder(
    id: int, title: str, about: str, queries: Iterable[Query], look: Look, *, stacked: bool = False
) -> timeseries.Panel:
    """The same, to be changed before it is built."""
    panel = framed(timeseries.Panel(), id, title, about, look).interval(RESOLUTION)
    for target in targets(queries):
        panel.with_target(target)
    if stacked:
        panel.stacking(common.StackingConfig().mode(shape.StackingMode.NORMAL)).fill_opacity(40)
    legend = common.VizLegendOptions().show_legend(True).display_mode(shape.LegendDisplayMode.TABLE)
    legend.placement(shape.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    return panel.legend(legend).tooltip(_tooltip())


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(shape.TooltipDisplayMode.MULTI).sort(shape.SortOrder.DESCENDING)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")


def number(
    id: int, title: str, about: str, queries: Iterable[Query], look: Look, *, width: int = 4, height: int = 4
) -> Tile:
    """One number (or a few), large; coloured by its bounds."""
    panel = framed(stat.Panel(), id, title, about, look).reduce_options(_last())
    panel.graph_mode(shape.BigValueGraphMode.NONE).color_mode(shape.BigValueColorMode.VALUE)
    for target in targets(queries, instant=True):
        panel.with_target(target)
    return Tile(panel.build(), width, height)


def bars(
    id: int, title: str, about: str, queries: Iterable[Query], look: Look, *, width: int = 8, height: int = 8
) -> Tile:
    """One bar for each series, with its name and number."""
    panel = framed(bargauge.Panel(), id, title, about, look).reduce_options(_last())
    panel.orientation(shape.VizOrientation.HORIZONTAL).display_mode(shape.BarGaugeDisplayMode.BASIC)
    for target in targets(queries, instant=True):
        panel.with_target(target)
    return Tile(panel.build(), width, height)


def states(
    id: int, title: str, about: str, queries: Iterable[Query], words: Mapping[str, tuple[str, str]],
    *, width: int = 12, height: int = 8, links: tuple[tuple[str, str], ...] = (),
) -> Tile:  # fmt: skip
    """A band for each series, coloured and named by its state; gaps are times without data."""
    look = Look("none", low=None, words=words, steps=((None, UNKNOWN),), links=links)
    panel = framed(statetimeline.Panel(), id, title, about, look).interval(RESOLUTION)
    for target in targets(queries):
        panel.with_target(target)
    legend = common.VizLegendOptions().show_legend(True).display_mode(shape.LegendDisplayMode.LIST)
    legend.placement(shape.LegendPlacement.BOTTOM)
    return Tile(panel.show_value(shape.VisibilityMode.NEVER).legend(legend).tooltip(_tooltip()).build(), width, height)


def heat(id: int, title: str, about: str, query: Query, unit: str, *, width: int = 8, height: int = 8) -> Tile:
    """Buckets of a histogram over time."""
    panel = framed(heatmap.Panel(), id, title, about, Look(unit)).interval(RESOLUTION)
    for target in targets([query]):
        panel.with_target(target.format(PromQueryFormat.HEATMAP))
    return Tile(panel.y_axis(heatmap.YAxisConfig().unit(unit)).build(), width, height)


def words(id: int, title: str, markdown: str, *, width: int = 24, height: int = 4) -> Tile:
    """Text for the reader."""
    panel = text.Panel().id(id).title(title).mode(TextMode.MARKDOWN).content(markdown)
    return Tile(panel.build(), width, height)


def plugin(
    id: int, kind: str, title: str, about: str, options: object, *, width: int = 12, height: int = 8,
    source: shape.DataSourceRef = PROMETHEUS, queries: Iterable[Builder[Dataquery]] = (),
) -> Tile:  # fmt: skip
    """A kind of panel that the SDK has no builder for."""
    panel = build.Panel().type(kind).id(id).title(title).description(about).datasource(source).options(options)
    for query in queries:
        panel.with_target(query)
    return Tile(panel.build(), width, height)
