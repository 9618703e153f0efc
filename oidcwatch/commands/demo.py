"""`oidcwatch demo`: everything on one machine, against the sandbox provider."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oidcwatch.commands.common import ForOption, JsonOption, console, fail, print_json, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidcwatch.demo import Demo
    from oidcwatch.stack_monitoring import Addresses, Binaries
    from probes.model import ProbeResult


def register(parent: typer.Typer) -> None:
    """Add `demo`."""
    parent.command()(demo)


def demo(
    context: typer.Context,
    duration: ForOption = None,
    json: JsonOption = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 9464,
    with_stack: Annotated[
        bool,
        typer.Option("--stack/--no-stack", help="Start Prometheus and Alertmanager too, where they are installed."),
    ] = True,
) -> None:
    """Run every kind of probe against an embedded provider, from three regions (two of them through proxies).

    Needs a browser (oidcwatch doctor says which). Prometheus with the generated rules and Alertmanager with the
    generated routes watch along where both are installed; a receiver keeps what they send. At the end it prints for every check and region its runs, successes,
    last reason and p50/p95 in seconds. Exit code: 0 when every check had a success, 1 when not.

    \b
    Examples:
      oidcwatch demo
      oidcwatch demo --for 90s --json
    """
    from oidcwatch.logs import redactor_for

    try:
        from oidcwatch.demo import demo_parts
        from sandbox.launch import SandboxError
        from sandbox.peers.peer import PeerFailed
    except ImportError as error:
        fail(f"the embedded provider is not installed ({error.name} is missing): pip install 'oidcwatch[sandbox]'")
    seconds = seconds_of(duration)
    redact = redactor_for(context)
    try:
        with demo_parts(port, _binaries() if with_stack else None) as parts:
            redact.learn(parts.environ.values())
            rows = _run(parts, redact, seconds)
    except (SandboxError, PeerFailed, OSError) as error:
        fail(str(error))
    if json:
        print_json({"checks": rows})
    else:
        _print(rows)
    raise typer.Exit(0 if rows and all(row["successes"] for row in rows) else 1)


def _binaries() -> Binaries | None:
    """Prometheus and Alertmanager; None, and a line that says how to get them, when one is not installed."""
    from oidcwatch.stack_monitoring import find_binaries, install_command, missing_programs

    missing = missing_programs(os.environ)
    if missing:
        typer.echo(f"without alerts: {' and '.join(missing)} not found ({install_command(missing)})", err=True)
        return None
    return find_binaries(os.environ)


def _run(parts: Demo, redact: Any, seconds: float | None) -> list[dict[str, Any]]:
    from oidcwatch.agent import Agent
    from oidcwatch.config import load
    from oidcwatch.demo import Tally
    from oidcwatch.loop import run_loop
    from oidcwatch.progress import tally_of

    settings = load(parts.config, parts.environ)
    tally = Tally()

    async def serve(told: Callable[[ProbeResult], None]) -> None:
        agent = Agent(
            settings, lambda: load(parts.config, parts.environ), redact,
            environ=parts.environ, publish_also=(tally.publish, told),
        )  # fmt: skip
        await agent.serve(ready=lambda url: _welcome(url, parts, seconds), seconds=seconds)

    with tally_of(seconds) as told:
        run_loop(serve(told))
    return tally.summary()


def _welcome(url: str, parts: Demo, seconds: float | None) -> None:
    end = f"for {seconds:g} s" if seconds else "until Ctrl-C"
    for line in (
        f"status page   {url}",
        f"metrics       {url}metrics",
        f"provider      {parts.sandbox.issuer}/.well-known/openid-configuration",
        f"break it      {parts.sandbox.control.url}/faults lists what can go wrong and switches it on",
        f"configuration {parts.config}",
        *_monitoring(parts.monitoring),
        f"running {end}",
    ):
        typer.echo(line, err=True)


def _monitoring(addresses: Addresses | None) -> tuple[str, ...]:
    if addresses is None:
        return ()
    return (
        f"Prometheus    {addresses.prometheus}",
        f"Alertmanager  {addresses.alertmanager}",
        f"notifications {addresses.receiver}/notifications",
        f"runbooks      {addresses.receiver}/runbooks/index.html",
    )


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("check", "region", "runs", "successes", "last reason", "p50 s", "p95 s"):
        text = column in ("check", "region", "last reason")
        table.add_column(column, justify="left" if text else "right", overflow="fold" if text else "ellipsis")
    for row in rows:
        values = (row["check"], row["region"], row["runs"], row["successes"], row["last_reason"] or "-")
        table.add_row(*map(str, values), f"{row['p50']:.3f}", f"{row['p95']:.3f}")
    console().print(table)
