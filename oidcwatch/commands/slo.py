"""`oidcwatch slo`: what the probes can tell about the objectives, and what the rules would have made of the past."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oidcwatch.commands.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    console,
    fail,
    load_both_or_exit,
    print_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from alerts.backtest import Backtest
    from alerts.deployment import Deployment
    from exporters.stored_runs import StoredRun

NOT_MEASURABLE = 1
"""Exit code when some objective cannot be measured."""

app = typer.Typer(help="Try the objectives before they page somebody.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add `slo` with its subcommands."""
    parent.add_typer(app, name="slo")


@app.command()
def explain(
    config: ConfigOption = DEFAULT_CONFIG,
    noise: Annotated[
        float | None,
        typer.Option(
            "--noise",
            min=0,
            max=50,
            metavar="PERCENT",
            help="Runs that fail for no reason of the provider's. When absent: what the run history shows, else 0.2.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what can be measured with these probes: tiers that can fire, k of n, detection times, false pages.

    Figures come from simulations with independent failures, the same at every call. Sends nothing. Exit code: 0 every
    objective can be measured, 1 one cannot (it says why and what would help), 2 bad configuration or call.

    \b
    Examples:
      oidcwatch slo explain
      oidcwatch slo explain --noise 0.05
      oidcwatch slo explain --json | jq '.[] | select(.can_fire | not)'
    """
    from alerts.measurability import DEFAULT_NOISE, measure
    from exporters.sqlite_file import StoreError
    from exporters.store import RUNS
    from oidcwatch.explain import ObservedNoise, observed, print_explained, refuses, rows
    from oidcwatch.generation import deployment_of
    from probes.probe import utc_now

    loaded = load_both_or_exit(config)
    if noise is None:
        try:
            share = observed(loaded.settings.agent.data_dir / RUNS, utc_now(), DEFAULT_NOISE)
        except StoreError as error:
            fail(f"{error}; give --noise to do without")
    else:
        share = ObservedNoise({}, noise / 100)
    found = tuple(measure(deployment_of(loaded), share))
    if json:
        print_json(rows(found))
    else:
        print_explained(found, share, console())
    raise typer.Exit(NOT_MEASURABLE if refuses(found) else 0)


@app.command()
def backtest(
    config: ConfigOption = DEFAULT_CONFIG,
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Where to begin: 2026-03-01T12:00Z, or 7d for as long ago.")
    ] = "30d",
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="Where to end; now when absent.")] = "",
    store: Annotated[
        Path | None,
        typer.Option("--store", metavar="FILE", help="Run history of an agent; that of the configuration when absent."),
    ] = None,
    prometheus: Annotated[
        str, typer.Option("--prometheus", metavar="URL", help="Read the history of a Prometheus instead.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Replay recorded runs against the rules: the alerts that there would have been, and pages in 30 days.

    A run history knows of runs only; objectives that count tokens or answers need --prometheus. One agent's history
    holds its own regions. Exit code: 0 it was replayed, whatever came out, 2 bad call or no history.

    \b
    Examples:
      oidcwatch slo backtest --from 7d
      oidcwatch slo backtest --from 2026-03-01 --to 2026-03-08 --store /var/lib/oidcwatch/runs.sqlite
      oidcwatch slo backtest --prometheus http://127.0.0.1:9090 --json
    """
    from exporters.store import RUNS
    from oidcwatch.backtest import as_json, print_backtest, span
    from oidcwatch.generation import deployment_of
    from probes.probe import utc_now

    if store and prometheus:
        fail("give either --store or --prometheus")
    loaded = load_both_or_exit(config)
    deployment = deployment_of(loaded)
    try:
        begin, end = span(since, until, utc_now())
    except ValueError as error:
        fail(str(error))
    if prometheus:
        found = _from_prometheus(deployment, prometheus, begin, end)
    else:
        found = _from_store(deployment, store or loaded.settings.agent.data_dir / RUNS, begin, end)
    if json:
        print_json(as_json(found, deployment))
    else:
        print_backtest(found, deployment, console())


def _from_store(deployment: Deployment, store: Path, begin: datetime, end: datetime) -> Backtest:
    from alerts.backtest import backtest, of_runs
    from exporters.sqlite_file import StoreError
    from exporters.stored_runs import read_runs

    def read(issuer: str, probe: str) -> Iterator[StoredRun]:
        return read_runs(store, begin, end, issuer=issuer, probe=probe)

    try:
        return backtest(deployment, of_runs(deployment, read, begin, end), begin, end)
    except StoreError as error:
        fail(str(error))


def _from_prometheus(deployment: Deployment, url: str, begin: datetime, end: datetime) -> Backtest:
    from alerts.backtest import backtest
    from oidcwatch.prometheus_history import PrometheusError, PrometheusHistory, prometheus_client

    with prometheus_client() as client:
        history = PrometheusHistory(client, url)
        try:
            return backtest(deployment, history.timelines(deployment, begin, end), begin, end)
        except PrometheusError as error:
            fail(f"--prometheus: {error}")
