"""`python -m benchmarks`: measures, prints a table, and writes benchmarks/latest.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import false_pages, generation, jwks, lateness, login
from benchmarks.cpu import TICKS_PER_SECOND
from benchmarks.figures import BenchmarkError, Figure

LATEST = Path(__file__).parent / "latest.json"

Say = Callable[[str], None]
Measure = Callable[[bool, Say], Figure]

BENCHMARKS: Mapping[str, Measure] = MappingProxyType(
    {
        "login": lambda quick, say: login.measure(quick=quick, say=say),
        "jwks": lambda quick, _: jwks.measure(quick=quick),
        "lateness": lambda quick, _: lateness.measure(quick=quick),
        "generate-one": lambda quick, _: generation.measure_one(quick=quick),
        "generate-many": lambda quick, _: generation.measure_many(quick=quick),
        "false-pages": lambda quick, _: false_pages.measure(quick=quick),
    }
)


def main(arguments: Sequence[str]) -> int:
    """0 when every goal is met, 1 when one is missed, 2 when something could not be measured."""
    options = _parser().parse_args(arguments)
    progress = Console(stderr=True)
    figures = []
    for name in options.only or BENCHMARKS:
        progress.print(f"{name} ...")
        try:
            figures.append(BENCHMARKS[name](options.quick, progress.print))
        except BenchmarkError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
    document = _document(figures, quick=options.quick)
    LATEST.write_text(json.dumps(document, indent=2) + "\n")
    if options.json:
        print(json.dumps(document))
    else:
        Console().print(_table(figures))
    return 0 if all(figure.goal.met(figure.value) for figure in figures) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(BENCHMARKS), help="measure this one; repeatable")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first look, no figure to quote")
    parser.add_argument("--json", action="store_true", help="print what is written to benchmarks/latest.json")
    return parser


def _document(figures: Sequence[Figure], *, quick: bool) -> dict[str, Any]:
    return {
        **{figure.name: figure.as_json() for figure in figures},
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {
            "cores": os.cpu_count(),
            "load_average": os.getloadavg(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "clock_ticks_per_second": TICKS_PER_SECOND,
        },
    }


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", "value", "goal", "met", "what was measured")
    for figure in figures:
        row = figure.as_json()
        table.add_row(figure.name, f"{row['value']:g}", row["goal"], "yes" if row["met"] else "NO", row["measured"])
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
