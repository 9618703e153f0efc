"""`oidcwatch stack`: agents of three regions, Prometheus and Alertmanager on one machine, against the sandbox."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from oidcwatch.commands.common import ForOption, fail, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidcwatch.stack import Stack


def register(parent: typer.Typer) -> None:
    """Add `stack`."""
    parent.command()(stack)


def stack(
    context: typer.Context,
    duration: ForOption = None,
    speed: Annotated[
        int,
        typer.Option("--speed", min=1, max=60, help="Make the rules' windows so many times shorter, to rehearse."),
    ] = 1,
) -> None:
    """Run the live stack: the embedded provider, an agent for each of three regions, Prometheus and Alertmanager.

    All of it listens on loopback and lives in a temporary folder. Alerts reach a receiver that keeps them. Each region
    looks through a proxy of its own, so that a fault can be injected for one region or for all. Needs prometheus and
    alertmanager. With --speed 20 a page that takes three minutes comes in about ten seconds.

    \b
    Examples:
      oidcwatch stack
      oidcwatch stack --speed 20 --for 10m
    """
    from oidcwatch.logs import redactor_for
    from oidcwatch.stack_monitoring import MonitoringError

    try:
        from oidcwatch.stack import StackOptions, start_stack
        from sandbox.launch import SandboxError
        from sandbox.peers.peer import PeerFailed
    except ImportError as error:
        fail(f"the embedded provider is not installed ({error.name} is missing): pip install 'oidcwatch[sandbox]'")
    seconds = seconds_of(duration)
    redact = redactor_for(context)
    stop = _stop_signal()

    def say(line: str) -> None:
        if stop.is_set():
            raise typer.Exit
        typer.echo(line, err=True)

    try:
        with start_stack(StackOptions(speed=speed), os.environ, say) as running:
            redact.learn(running.sandbox.environ.values())
            for line in _welcome(running, seconds):
                typer.echo(line)
            stop.wait(seconds)
            typer.echo("ending everything", err=True)
    except (MonitoringError, SandboxError, PeerFailed, OSError) as error:
        fail(str(error))


def _stop_signal() -> threading.Event:
    """Set by Ctrl-C and SIGTERM. As an exception they could strike between a start and the note of what to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _welcome(stack: Stack, seconds: float | None) -> Iterator[str]:
    yield f"Prometheus    {stack.prometheus_url}"
    yield f"Alertmanager  {stack.alertmanager_url}"
    yield f"notifications {stack.receiver.url}/notifications"
    yield f"runbooks      {stack.receiver.url}/runbooks/index.html"
    for region, agent in stack.agents.items():
        yield f"{region:<13} {agent.url}/ (break its path: {agent.path.fault_url}/rules)"
    yield f"provider      {stack.sandbox.issuer}/.well-known/openid-configuration"
    yield f"break it      {stack.sandbox.control.url}/faults lists what can go wrong and switches it on"
    yield f"configuration {stack.config}"
    yield "for example, token endpoint errors in two regions, and their end:"
    regions = list(stack.agents.values())[:2]
    for rules in ('[{"path": "/token$", "kind": "status", "status": 500}]', "[]"):
        for agent in regions:
            yield f"  curl -X PUT {agent.path.fault_url}/rules -d '{{\"rules\": {rules}}}'"
    yield f"running {f'for {seconds:g} s' if seconds else 'until Ctrl-C'}"
