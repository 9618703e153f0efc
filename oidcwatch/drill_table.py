"""Shows the table of drills: on the terminal, as JSON, and as a page of the reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drills.scenario import Hold, Judge, Measure, Move, Scenario
from drills.scenarios import SCENARIOS
from oidcwatch.documentation_markdown import anchor, code, codes, link, table

if TYPE_CHECKING:
    from rich.console import Console

_JUDGED: Mapping[Judge, str] = MappingProxyType(
    {
        Judge.NO_IMPACT: "no verifier refuses any token at any time, and nobody is paged",
        Judge.AS_PREDICTED: "every verifier does what was predicted for it",
        Judge.DETECTED: "the probes name the reason and the owner; verifiers are watched, not judged",
    }
)
_MEASURED: Mapping[Measure, str] = MappingProxyType(
    {
        Measure.ACCEPT: "T_accept: until each verifier takes the new key",
        Measure.REJECT: "T_reject: until each verifier gives up the old key",
        Measure.OUTAGE: "T_outage: until each verifier stops without a key set",
    }
)
_HELD: Mapping[Hold, str] = MappingProxyType(
    {
        Hold.NONE: "",
        Hold.ADOPTED: "wait until every verifier can know the key (the safe lead)",
        Hold.OVERLAP: "wait until no token of the old key is valid",
        Hold.OBSERVED: "watch until what was predicted has come, or the window is over",
    }
)
NOBODY = "nothing"
"""What users notice of a drill without a caution."""


def facts(scenario: Scenario) -> dict[str, Any]:
    """A drill as JSON."""
    detects = scenario.detects
    return {
        "name": scenario.name,
        "title": scenario.title,
        "why": scenario.why,
        "incident": scenario.incident,
        "caution": scenario.caution,
        "needs": sorted(scenario.actions),
        "moves": [
            {
                "action": move.action,
                "params": dict(move.params),
                "hold": move.hold,
                "starts": move.starts,
            }
            for move in scenario.moves
        ],
        "judge": scenario.judge,
        "measures": scenario.measures,
        "polls": sorted(scenario.polls),
        "detects": detects
        and {"reasons": sorted(detects.reasons), "owner": detects.owner, "findings": sorted(detects.findings)},
        "alerts": sorted(scenario.alerts),
        "verifiers": list(scenario.verifiers),
        "keeps": scenario.keeps,
    }


def print_table(scenarios: Iterable[Scenario], out: Console) -> None:
    """A line for each drill."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False)
    for title in ("name", "what happens", "incident", "needs", "what users would notice"):
        shown.add_column(title, overflow="fold")
    for each in scenarios:
        needs = ", ".join(sorted(each.actions))
        shown.add_row(*map(Text, (each.name, each.title, each.incident or "-", needs, each.caution or NOBODY)))
    out.print(shown)


def print_scenario(scenario: Scenario, out: Console) -> None:
    """Everything about one drill."""
    from rich.text import Text

    for name, value in described(scenario):
        out.print(Text.assemble((f"{name:<16}", "bold"), value))


def described(scenario: Scenario) -> list[tuple[str, str]]:
    """What is said of one drill, as pairs of a heading and a text."""
    detects = scenario.detects
    reasons = detects and f"{', '.join(sorted(detects.reasons))}; owner {detects.owner}"
    findings = detects and ", ".join(sorted(detects.findings))
    pairs = (
        ("name", scenario.name),
        ("title", scenario.title),
        ("why", scenario.why),
        ("replays", scenario.incident),
        *((f"move {number}", _told(move)) for number, move in enumerate(scenario.moves, 1)),
        ("afterwards", _afterwards(scenario)),
        ("measures", _MEASURED[scenario.measures] if scenario.measures else ""),
        ("passes when", _JUDGED[scenario.judge]),
        ("probes say", reasons or ""),
        ("checks", findings or ""),
        ("alerts", ", ".join(sorted(scenario.alerts))),
        ("verifiers", ", ".join(scenario.verifiers)),
        ("users notice", scenario.caution or NOBODY),
    )
    return [(name, value) for name, value in pairs if value]


def drills_page() -> Iterator[str]:
    """The page of the reference: every drill with its moves and what ought to be noticed."""
    yield from (
        "A drill does on purpose what a rotation, an outage or a mistake does, measures it, and undoes it. How to run",
        f"one is told in the {link('guide', '../drills.md')}. `oidcwatch drill list` prints this table.",
        "",
    )
    header = ("drill", "what happens", "incident", "what the provider must do", "what users would notice")
    yield from table(header, (_row(each) for each in SCENARIOS.values()))
    for each in SCENARIOS.values():
        yield from (anchor(each.name), "", f"## {each.name}", "", f"{each.title}. {each.why}", "")
        yield from table(("", ""), ((name, _linked(name, text)) for name, text in described(each)[3:]))
        yield from (f"    oidcwatch drill run {each.name} --sandbox", "")


def _row(scenario: Scenario) -> tuple[str, ...]:
    name = link(code(scenario.name), f"#{scenario.name}")
    return name, scenario.title, scenario.incident, codes(sorted(scenario.actions)), scenario.caution or NOBODY


def _told(move: Move) -> str:
    params = ", ".join(f"{name}={value}" for name, value in move.params.items())
    return "; ".join(filter(None, (f"{move.action}{f' ({params})' if params else ''}", _HELD[move.hold])))


def _afterwards(scenario: Scenario) -> str:
    flush = "one token of the new key for each verifier, which must then refuse the old key's; " * scenario.flushes
    return flush + ("the provider stays rotated" if scenario.keeps else "the provider is as it was before")


def _linked(name: str, text: str) -> str:
    pages = {"alerts": "alerts.md", "checks": "checks.md", "verifiers": "verifiers.md"}
    if name not in pages:
        return text
    return ", ".join(link(code(each), f"{pages[name]}#{each.lower()}") for each in text.split(", "))
