"""Asks an issuer how long its key set may be cached, and tells what its verifiers will make of the next rotation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from drills.prediction import Bound, Observed, Prediction
from drills.prediction_rotation import Impact, SafeRotation, next_rotation, safe_rotation, verdict
from drills.verifiers import Verifier
from oidcwatch.config_duration import format_duration
from probes.subjects import Issuer

if TYPE_CHECKING:
    from rich.console import Console

_TIMES = ("accept", "reject", "outage")


@dataclass(frozen=True, slots=True)
class Terms:
    """How the issuer rotates. Durations in seconds."""

    lead: float | None
    """From publishing a key to signing with it; None: nobody promises any."""
    token_lifetime: float
    """Of the longest-lived thing that is signed."""
    edge_ttl: float = 0.0
    """How long a cache in front of the issuer may serve an old key set."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the verifiers of one issuer will make of its next rotation."""

    issuer: str
    observed: Observed
    terms: Terms
    safe: SafeRotation
    impacts: tuple[Impact, ...]
    verdict: tuple[str, ...]

    @property
    def breaks(self) -> bool:
        """Whether tokens of the new key may be refused somewhere."""
        return any(impact.breaks for impact in self.impacts)


def forecast(issuer: Issuer, table: Mapping[str, Verifier], observed: Observed, terms: Terms) -> Forecast:
    """The forecast for the verifiers that the issuer names; `table` has them all."""
    rows = [table[name] for name in issuer.verifiers]
    safe = safe_rotation(rows, observed, token_lifetime=terms.token_lifetime, edge_ttl=terms.edge_ttl)
    impacts = next_rotation(rows, observed, terms.lead or 0.0)
    return Forecast(issuer.name, observed, terms, safe, impacts, verdict(impacts, observed))


def as_json(told: Forecast) -> dict[str, Any]:
    """The document of `--json`: seconds, null for no bound and for one that nobody knows."""
    observed = told.observed
    return {
        "issuer": told.issuer,
        "observed": {
            "max_age": observed.max_age,
            "headers_seen": observed.headers_seen,
            "fetch_seconds": observed.fetch_seconds,
        },
        **asdict(told.terms),
        "verifiers": [_row(impact) for impact in told.impacts],
        "safe": asdict(told.safe),
        "breaks": [impact.prediction.verifier.name for impact in told.impacts if impact.breaks],
        "verdict": list(told.verdict),
    }


def print_forecast(told: Forecast, out: Console) -> None:
    """A table of three times and of what the next rotation does to each verifier, what one needs, and the verdict."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("verifier", "class", "time", "at most", "why"):
        table.add_column(title, overflow="fold")
    for impact in told.impacts:
        row, bounds = impact.prediction.verifier, _bounds(impact.prediction)
        for name, bound in bounds.items():
            first = name == _TIMES[0]
            cells = (row.name if first else "", row.class_ if first else "", f"T_{name}", _cell(bound), bound.why)
            table.add_row(*map(Text, cells))
        table.add_row("", "", "refused", *map(Text, (_window(impact), impact.window.why)))
    out.print(Text.assemble((told.issuer, "bold"), f": {_seen(told.observed)}; {_lead(told.terms)}"))
    out.print(table)
    for line in (*_needs(told), *told.verdict):
        out.print(Text(line))


def _row(impact: Impact) -> dict[str, Any]:
    row, bounds = impact.prediction.verifier, _bounds(impact.prediction)
    return {
        "name": row.name,
        "product": row.product,
        "version": row.version,
        "class": row.class_,
        "predicted": {name: bound.seconds for name, bound in bounds.items()},
        "known": {name: bound.known for name, bound in bounds.items()},
        "why": {name: bound.why for name, bound in bounds.items()},
        "breaks": impact.breaks,
        "window": impact.window.seconds,
    }


def _bounds(prediction: Prediction) -> dict[str, Bound]:
    return dict(zip(_TIMES, (prediction.accept, prediction.reject, prediction.outage), strict=True))


def _cell(bound: Bound) -> str:
    if bound.seconds is None:
        return "no bound" if bound.known else "unknown"
    return format_duration(bound.seconds) if bound.seconds else "at once"


def _window(impact: Impact) -> str:
    """How long the next rotation has tokens refused."""
    if not impact.breaks:
        return "never"
    return _cell(impact.window) if impact.window.seconds != 0 else "first ones"


def _seen(observed: Observed) -> str:
    if not observed.headers_seen:
        return "nobody looked at the key set"
    age = "no max-age" if observed.max_age is None else f"max-age {format_duration(observed.max_age)}"
    return f"{age}, fetched in {observed.fetch_seconds:.2f} s" if observed.fetch_seconds else age


def _lead(terms: Terms) -> str:
    if terms.lead is None:
        return "no lead is promised (policy.min_key_lead), so a new key may sign at once"
    return f"a key is published {format_duration(terms.lead)} before it signs"


def _needs(told: Forecast) -> Iterator[str]:
    safe = told.safe
    lead = f"{format_duration(safe.lead_of_others)}{f' ({safe.slowest})' if safe.slowest else ''}"
    others = " for the others" if safe.without_bound else ""
    if safe.slowest:
        yield f"Safe lead{others}: {lead}."
    yield f"Safe overlap: {format_duration(safe.overlap)} from the last token of the old key to its removal."
