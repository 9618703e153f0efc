"""`oidcwatch run`: the agent."""

from __future__ import annotations

import contextlib
import os
import sys

import typer

from oidcwatch.commands.common import DEFAULT_CONFIG, ConfigOption, ForOption, fail, load_or_exit, seconds_of


def register(parent: typer.Typer) -> None:
    """Add `run`."""
    parent.command()(run)


def run(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    duration: ForOption = None,
) -> None:
    """Run every check on its schedule and serve /metrics and the status page, until stopped.

    SIGTERM or Ctrl-C: no run is started any more, running ones may end within `agent.drain`. SIGHUP or POST /-/reload:
    the configuration is read anew; a bad one is refused, and the old one stays in force. POST /-/drill?issuer=NAME and
    &state=on or off: while it is on (an hour, or &for=DURATION up to 1d), runs of that issuer are counted as a drill's and
    spend no budget.

    \b
    Examples:
      oidcwatch run
      OIDCWATCH_REGION=us-east oidcwatch run -c /etc/oidcwatch/oidcwatch.yaml
      curl -X POST http://127.0.0.1:9464/-/reload
      curl -X POST 'http://127.0.0.1:9464/-/drill?issuer=acme&state=on&for=20m'
    """
    from oidcwatch.agent import Agent
    from oidcwatch.config import load
    from oidcwatch.logs import redactor_for
    from oidcwatch.loop import run_loop

    seconds = seconds_of(duration)
    settings = load_or_exit(config)
    redact = redactor_for(context, settings.log)

    async def serve() -> None:
        agent = Agent(settings, lambda: load(config, os.environ), redact)
        await agent.serve(ready=_say_where, seconds=seconds)

    try:
        run_loop(serve())
    except OSError as error:
        fail(str(error))


def _say_where(url: str) -> None:
    """On standard output, if it takes it: a full disk or a closed pipe there must not stop the agent.

    Not through Python's buffer, which would try again at the exit and turn it into a failure.
    """
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), f"{url} shows the checks, {url}metrics has the metrics\n".encode())
