"""`oidcwatch drill run`: runs a drill, shows it while it runs, and leaves a report."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oidcwatch.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, console, fail, load_or_exit, print_json
from oidcwatch.commands.drills.options import (
    OutOption,
    address_of,
    base_url,
    one_of_labs,
    pairs,
    seconds_of_option,
    stop_on_signals,
)

if TYPE_CHECKING:
    from oidcwatch.drill_call import DrillCall
    from oidcwatch.drill_live import Show
    from oidcwatch.drill_session import Ended, Session
    from oidcwatch.settings import Settings

NameArgument = Annotated[str, typer.Argument(metavar="SCENARIO", help="One of: oidcwatch drill list.")]
IssuerOption = Annotated[
    str, typer.Option("--issuer", metavar="NAME", help="An issuer of the configuration, which has a section `drill`.")
]
SandboxOption = Annotated[bool, typer.Option("--sandbox", help="Start the embedded provider and drill on that.")]
KeycloakOption = Annotated[bool, typer.Option("--keycloak", help="Start a Keycloak and drill on that.")]
VerifierOption = Annotated[
    list[str] | None,
    typer.Option("--verifier", metavar="NAME", help="Measure this one; may be repeated. Else those of the issuer."),
]
AllOption = Annotated[
    bool, typer.Option("--all-canaries", help="Measure every library that can be run here (the default of labs).")
]
PollOption = Annotated[
    str, typer.Option("--poll", metavar="DURATION", help="Time between two questions to a verifier.")
]
LongestOption = Annotated[str, typer.Option("--longest", metavar="DURATION", help="Observe for so long at most.")]
TtlOption = Annotated[
    str,
    typer.Option("--ttl", metavar="DURATION", help="Shorten how long verifiers keep keys, through their own settings."),
]
CooldownOption = Annotated[
    str,
    typer.Option(
        "--cooldown", metavar="DURATION", help="Shorten how soon they fetch again, through their own settings."
    ),
]
EmulateOption = Annotated[
    list[str] | None,
    typer.Option("--emulate", metavar="NAME", help="Play this verifier by its row of the table; may be repeated."),
]
StandInOption = Annotated[
    list[str] | None,
    typer.Option("--stand-in", metavar="NAME=NAME", help="Run another library in a verifier's place, to see it fail."),
]
PrometheusOption = Annotated[
    str, typer.Option("--prometheus", metavar="URL", help="Ask it for budgets, abort rules and alerts.")
]
AlertmanagerOption = Annotated[
    str, typer.Option("--alertmanager", metavar="URL", help="Ask it who was told of alerts.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask before the provider is changed.")]
EveryOption = Annotated[
    str, typer.Option("--every", metavar="INTERVAL", help="Repeat until stopped: week, day, hour, or a duration.")
]
PageOption = Annotated[
    str, typer.Option("--page", metavar="HOST:PORT", help="Show the drill and the reports on a page meanwhile.")
]


def run(
    context: typer.Context,
    scenario: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    issuer: IssuerOption = "",
    sandbox: SandboxOption = False,
    keycloak: KeycloakOption = False,
    verifier: VerifierOption = None,
    all_canaries: AllOption = False,
    poll: PollOption = "1s",
    longest: LongestOption = "15m",
    ttl: TtlOption = "",
    cooldown: CooldownOption = "",
    emulate: EmulateOption = None,
    stand_in: StandInOption = None,
    prometheus: PrometheusOption = "",
    alertmanager: AlertmanagerOption = "",
    yes: YesOption = False,
    every: EveryOption = "",
    json: JsonOption = False,
    out: OutOption = None,
    page: PageOption = "",
) -> None:
    """Run a drill: look whether it is safe, predict, change the provider, measure, change it back, report.

    Ctrl-C or SIGTERM end a drill early: it is rolled back first; only a person is not waited for twice. On an issuer of
    the configuration it asks before anything is changed; --yes answers. docs/drills.md has the whole story.

    Exit code: 0 passed, 1 failed, 2 bad configuration or call, 3 not begun (the preflight forbids it, the provider is
    silent, nobody said yes), 4 aborted and rolled back, 5 not rolled back: see what it says, and oidcwatch drill abort.
    With --every: that of the last drill, or 5 while a rollback is still tried again; --json prints a line for each.

    \b
    Examples:
      oidcwatch drill run zero-lead --sandbox --ttl 8s --cooldown 3s
      oidcwatch drill run zero-lead --keycloak --verifier pyjwt --verifier spring-nimbus
      oidcwatch drill run jwks-outage-5xx --issuer staging --prometheus http://127.0.0.1:9090
      oidcwatch drill run routine --issuer staging --yes --every week --page 127.0.0.1:9465
    """
    from oidcwatch.drill_call import DrillCall

    times = {"ttl": ttl, "cooldown": cooldown}
    call = DrillCall(
        scenario=scenario,
        lab=one_of_labs(issuer, sandbox, keycloak),
        issuer=issuer,
        config=str(config.absolute()) if issuer else "",
        verifiers=tuple(verifier or ()),
        all_canaries=all_canaries,
        poll=seconds_of_option("--poll", poll, least=0.1),
        longest=seconds_of_option("--longest", longest, least=1.0),
        shorten={name: seconds_of_option(f"--{name}", text) for name, text in times.items() if text},
        emulate=tuple(emulate or ()),
        stand_in=pairs("--stand-in", stand_in or []),
        prometheus=base_url("--prometheus", prometheus),
        alertmanager=base_url("--alertmanager", alertmanager),
    )
    if alertmanager and not prometheus and not issuer:
        fail("--alertmanager: needs --prometheus, which says what fires")
    run_call(context, call, out=out, yes=yes, every=every, as_json=json, page=page)


def run_call(
    context: typer.Context,
    call: DrillCall,
    *,
    out: Path | None = None,
    yes: bool = False,
    every: str = "",
    as_json: bool = False,
    page: str = "",
) -> None:
    """Runs what is described by the call, once or again and again. Exits with the code of the last drill."""
    from contextlib import ExitStack

    from drills.stop import Stop
    from oidcwatch.drill_live import live
    from oidcwatch.drill_page import page_app, serve_page
    from oidcwatch.drill_places import issuer_root, lab_root
    from oidcwatch.drill_session import Session
    from oidcwatch.logs import redactor_for

    address = address_of(page) if page else None
    seconds = _interval(every) if every else None
    settings = load_or_exit(Path(call.config), as_json=as_json) if call.issuer else None
    redact = redactor_for(context, settings.log if settings else None)
    root = out or (issuer_root(settings) if settings else lab_root(os.environ))
    stop = Stop()
    session = Session(settings, os.environ, root, redact, stop)
    _check(call, settings)
    if settings is not None and not yes:
        _ask(call, settings)
    with ExitStack() as parts:
        show = parts.enter_context(live(session.board, redact))
        stop_on_signals(stop)
        if address:
            try:
                url = parts.enter_context(serve_page(page_app(session.board, root, redact), *address))
            except OSError as error:
                fail(f"--page {page}: {error}")
            show.say(f"{url} shows the drill")
        ended = _repeat(session, call, seconds, show, as_json) if seconds else session.run(call, show)
    if not seconds:
        tell_end(ended, as_json)
    raise typer.Exit(int(ended.code))


def tell_end(ended: Ended, as_json: bool) -> None:
    """Prints the record, or why there is none."""
    from oidcwatch.drill_result import print_preflight, print_record
    from oidcwatch.drill_session import json_of

    if as_json:
        print_json(json_of(ended))
    elif ended.record is not None and ended.report is not None:
        print_record(ended.record, ended.report, console())
    else:
        print_preflight(ended.checks, console())
    if ended.problem:
        typer.echo(f"oidcwatch: {ended.problem}", err=True)


def _check(call: DrillCall, settings: Settings | None) -> None:
    """Names that are wrong are told before anything is started."""
    from oidcwatch.config_verifiers import table_with
    from oidcwatch.drill_call import CallError, rows_of, scenario_named
    from oidcwatch.drill_places import issuer_place

    try:
        scenario_named(call.scenario)
        place = issuer_place(call, settings, {}) if settings is not None else None
        rows_of(call, place.target.issuer.verifiers if place else (), place.table if place else table_with(()))
    except CallError as error:
        fail(str(error))


def _ask(call: DrillCall, settings: Settings) -> None:
    """What will happen, and whether that is wanted. Without a terminal nobody can say so."""
    from oidcwatch.drill_call import scenario_named
    from oidcwatch.drill_result import Ending
    from oidcwatch.drill_table import NOBODY, described

    scenario = scenario_named(call.scenario)
    target = settings.drills[call.issuer]
    typer.echo(f"This drill changes {target.issuer.name} ({target.issuer.url}).", err=True)
    for name, text in described(scenario):
        if name.startswith(("title", "move", "afterwards")):
            typer.echo(f"  {name}: {text}", err=True)
    typer.echo(f"  users would notice: {scenario.caution or NOBODY}", err=True)
    if not target.prometheus and not call.prometheus:
        typer.echo("  nobody looks at budgets and abort rules: there is no Prometheus (--prometheus URL)", err=True)
    if not sys.stdin.isatty():
        fail("nobody can be asked whether to go on: there is no terminal; --yes goes on without a question")
    try:
        wanted = typer.confirm("Go on?", err=True)
    except typer.Abort:  # Ctrl-C, or the end of the input
        typer.echo(err=True)
        wanted = False
    if not wanted:
        typer.echo("oidcwatch: nothing was changed", err=True)
        raise typer.Exit(int(Ending.NOT_RUN))


def _repeat(session: Session, call: DrillCall, seconds: float, show: Show, as_json: bool) -> Ended:
    """Drill after drill until somebody stops it, and how the last one ended."""
    from oidcwatch.drill_result import Ending
    from oidcwatch.drill_schedule import Between, repeat
    from oidcwatch.drill_series import PAUSE, Series

    def told(at: datetime) -> None:
        line = f"next drill at {at:%Y-%m-%d %H:%M:%SZ}"
        show.say(line) if as_json else typer.echo(line)

    series = Series(session, call, show, partial(_tell_one, call.scenario, as_json))
    repeat(seconds, series.once, told, session.stop, Between(series.tend, PAUSE))
    ended = series.ended()
    if ended.code is Ending.NOT_RESTORED:
        typer.echo(f"oidcwatch: {ended.problem}", err=True)
    return ended


def _tell_one(scenario: str, as_json: bool, ended: Ended) -> None:
    """One drill of many: a line of text, or of JSON."""
    from oidcwatch.drill_result import summary_line
    from oidcwatch.drill_session import json_of

    if as_json:
        typer.echo(json.dumps(json_of(ended), ensure_ascii=False))
    elif ended.record is not None and ended.report is not None:
        typer.echo(summary_line(ended.record, ended.report))
    else:
        typer.echo(f"{scenario}: {ended.problem}")
        for check in ended.checks:
            if not check.ok:
                typer.echo(f"  {check.name}: {check.text}")


def _interval(text: str) -> float:
    from oidcwatch.drill_schedule import interval_of

    try:
        return interval_of(text)
    except ValueError as error:
        fail(f"--every: {error}")
