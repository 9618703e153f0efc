"""`oidcwatch drill resume` and `drill abort`: what a drill that was cut short has left behind."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oidcwatch.commands.common import DEFAULT_CONFIG, ConfigOption, fail, load_or_exit
from oidcwatch.commands.drills.options import OutOption, roots_of, stop_on_signals
from oidcwatch.commands.drills.run import YesOption, run_call

if TYPE_CHECKING:
    from drills.journal import Log
    from oidcwatch.drill_session import Ended

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Of the drill, as its folder is called.")]


@dataclass(frozen=True, slots=True)
class _Open:
    """A drill that left something to do, and the folder that it is kept in."""

    log: Log
    root: Path


def resume(
    context: typer.Context,
    drill: IdArgument = "",
    config: ConfigOption = DEFAULT_CONFIG,
    yes: YesOption = False,
    out: OutOption = None,
) -> None:
    """Bring the provider back after a drill that was cut short, then run the same drill again from its start.

    Without ID the newest one. A drill that had come to its end is only tidied up. Without -c it goes by the
    configuration that the drill was run with. Exit code: as drill run; 0 when nothing was left to do.

    \b
    Examples:
      oidcwatch drill resume
      oidcwatch drill resume 20260301T091500Z-zero-lead-4f2a --yes
    """
    from oidcwatch.drill_finish import call_of

    found = _open_drills(drill, roots_of(out, config))
    if not found:
        return
    last = found[-1]
    again = bool(last.log.opened) and not _ended(last.log)
    place = _configuration(context, config, last.log)
    ended = _settle(context, last, place)
    if ended.code:
        raise typer.Exit(int(ended.code))
    if again:
        call = call_of(last.log)
        run_call(context, replace(call, config=str(place.absolute())) if place else call, out=last.root, yes=yes)


def abort(
    context: typer.Context,
    drill: IdArgument = "",
    config: ConfigOption = DEFAULT_CONFIG,
    out: OutOption = None,
) -> None:
    """Bring the provider back after a drill that was cut short: the key from before signs, and every fault is gone.

    Agents count real runs again, the drill's keys leave when no token of theirs is valid any more, and the report is
    written. Without ID every such drill. May be repeated. A drill that still runs is ended with Ctrl-C where it runs.
    Without -c it goes by the configuration that the drill was run with.

    Exit code: 0 done, or nothing was left to do; 2 bad configuration or call; 3 that drill or another on the issuer is
    still running, or an agent could not be told; 5 the provider could not be brought back, or the journal cannot be
    read: the message says why.

    \b
    Examples:
      oidcwatch drill abort
      oidcwatch drill abort 20260301T091500Z-zero-lead-4f2a -c staging.yaml
    """
    from oidcwatch.drill_finish import urgency

    found = sorted(_open_drills(drill, roots_of(out, config)), key=lambda each: urgency(each.log))
    codes = [int(_settle(context, each, _configuration(context, config, each.log)).code) for each in found]
    raise typer.Exit(max(codes, default=0))


def _open_drills(drill: str, roots: tuple[Path, ...]) -> list[_Open]:
    """Oldest first; that there are none is said. An id that no drill has exits with 2.

    Journals that cannot be read are named. Where nothing else was asked for, or is left, that exits with 5: a provider
    may be broken that nobody knows how to mend.
    """
    from drills.journal import JOURNAL, drills_in, read_log
    from oidcwatch.drill_call import CallError
    from oidcwatch.drill_finish import call_of
    from oidcwatch.drill_result import Ending

    found, unreadable = [], False
    folders = {folder: root for root in roots for folder in drills_in(root) if drill in ("", folder.name)}
    if drill and not folders:
        fail(f"there is no drill {drill!r} in {', '.join(map(str, roots))}")
    for folder, root in folders.items():
        try:
            log = read_log(folder)
            if log.opened and log.unfinished:
                call_of(log)
        except (CallError, OSError, KeyError, TypeError, ValueError) as error:
            unreadable = True
            typer.echo(f"oidcwatch: {_cannot_be_read(folder / JOURNAL, error)}", err=True)
        else:
            found += [_Open(log, root)] if log.unfinished else []
    if not found and unreadable:
        raise typer.Exit(int(Ending.NOT_RESTORED))
    if not found:
        typer.echo("no drill was cut short")
    return sorted(found, key=lambda each: each.log.id)


def _cannot_be_read(journal: Path, error: Exception) -> str:
    return (
        f"{journal} cannot be read ({type(error).__name__}), so it is not known whether the provider is as it was "
        "before: look at it by hand, then move that folder away"
    )


def _ended(log: Log) -> bool:
    from drills.journal import Entry

    return log.last(Entry.ENDED) is not None


def _configuration(context: typer.Context, config: Path, log: Log) -> Path | None:
    """Of a drill on an issuer: the drill's own, unless another was named. That in the folder may be of another provider.

    None for a lab. One that is not there exits with 2.
    """
    from oidcwatch.drill_finish import call_of

    call = call_of(log) if log.opened else None
    if call is None or not call.issuer:
        return None
    source = context.get_parameter_source("config")
    if source is not None and source.name == "COMMANDLINE":  # by name: typer may bring a click of its own
        return config
    own = Path(call.config)
    if not own.is_file():
        fail(f"{log.id} was run with {own}, which is not there: name the configuration of {log.opened['url']} with -c")
    return own


def _settle(context: typer.Context, found: _Open, config: Path | None) -> Ended:
    """Settles one, and prints what became of it."""
    from drills.stop import Stop
    from oidcwatch.drill_finish import settle_one
    from oidcwatch.drill_live import live
    from oidcwatch.drill_session import Session
    from oidcwatch.logs import redactor_for

    settings = load_or_exit(config) if config else None
    redact = redactor_for(context, settings.log if settings else None)
    stop = Stop()
    session = Session(settings, os.environ, found.root, redact, stop)
    stop_on_signals(stop)
    with live(session.board, redact) as show:
        ended = settle_one(session, found.log, show)
    typer.echo(f"{found.log.id}: {ended.problem}", err=bool(ended.code))
    if ended.report is not None:
        typer.echo(f"report: {ended.report}")
    return ended
