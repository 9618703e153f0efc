"""`oidcwatch drill`: game days, and what the verifiers of an issuer will make of a key rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from oidcwatch.commands.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    console,
    fail,
    load_or_exit,
    print_json,
)
from oidcwatch.commands.drills.finish import abort, resume
from oidcwatch.commands.drills.report import report
from oidcwatch.commands.drills.run import run
from oidcwatch.commands.drills.table import list_drills, show

if TYPE_CHECKING:
    from drills.prediction import Observed
    from oidcwatch.settings import Settings
    from probes.redact import Redactor
    from probes.subjects import Issuer

BREAKS = 1
"""Exit code when the next rotation breaks a verifier."""
NOT_SEEN = 3
"""Exit code when the key set could not be fetched."""

MaxAgeOption = Annotated[
    int | None,
    typer.Option("--max-age", min=0, metavar="SECONDS", help="Take this max-age of the key set instead of looking."),
]
LeadOption = Annotated[
    str,
    typer.Option(
        "--lead", metavar="DURATION", help="How long a key is published before it signs; else `policy.min_key_lead`."
    ),
]
LifetimeOption = Annotated[
    str,
    typer.Option(
        "--token-lifetime", metavar="DURATION", help="Of the longest-lived token; else `policy.max_token_lifetime`."
    ),
]
EdgeOption = Annotated[
    str,
    typer.Option("--edge-ttl", metavar="DURATION", help="How long a cache before the issuer serves an old key set."),
]

app = typer.Typer(help="Rotate keys on purpose, and know before what happens.", no_args_is_help=True)
app.command("list")(list_drills)
app.command()(show)


def register(parent: typer.Typer) -> None:
    """Add `drill` with its subcommands."""
    parent.add_typer(app, name="drill")


@app.command()
def predict(
    context: typer.Context,
    issuer: Annotated[str, typer.Argument(metavar="ISSUER", help="Name of an issuer of the configuration.")],
    config: ConfigOption = DEFAULT_CONFIG,
    max_age: MaxAgeOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not fetch the key set.")] = False,
    lead: LeadOption = "",
    token_lifetime: LifetimeOption = "",
    edge_ttl: EdgeOption = "",
    json: JsonOption = False,
) -> None:
    """Say when each verifier of an issuer takes a new key, gives up a removed one, and stops without a key set.

    Then the lead and overlap that a rotation needs, and what the next one would break. Fetches discovery and key set
    once, for Cache-Control. Exit code: 0 the next rotation breaks nothing, 1 it breaks a verifier, 2 bad configuration
    or call, 3 the key set could not be fetched.

    \b
    Examples:
      oidcwatch drill predict acme
      oidcwatch drill predict acme --lead 24h --token-lifetime 1h
      oidcwatch drill predict acme --offline --max-age 604800 --json | jq .safe
    """
    from oidcwatch.config_verifiers import table_with
    from oidcwatch.logs import redactor_for
    from oidcwatch.predict import Terms, as_json, forecast, print_forecast

    settings = load_or_exit(config, as_json=json)
    redact = redactor_for(context, settings.log)
    subject = _issuer(settings, issuer)
    policy = subject.policy
    terms = Terms(
        lead=_duration("--lead", lead) if lead else policy.min_key_lead or None,
        token_lifetime=_duration("--token-lifetime", token_lifetime) if token_lifetime else policy.max_token_lifetime,
        edge_ttl=_duration("--edge-ttl", edge_ttl) if edge_ttl else 0.0,
    )
    told = forecast(subject, table_with(settings.verifiers), _observed(subject, max_age, offline, redact), terms)
    if json:
        print_json(as_json(told))
    else:
        print_forecast(told, console())
    raise typer.Exit(BREAKS if told.breaks else 0)


app.command()(run)
app.command()(resume)
app.command()(abort)
app.command()(report)


@app.command("verifiers")
def list_verifiers(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One row of the table, with all that it says.")] = "",
    json: JsonOption = False,
) -> None:
    """The table of verifiers: how each caches an issuer's keys, and where that is known from.

    \b
    Examples:
      oidcwatch drill verifiers
      oidcwatch drill verifiers envoy-jwt-authn
      oidcwatch drill verifiers --json | jq '.[] | select(.class == "E") | .name'
    """
    from drills.verifiers import verifiers
    from oidcwatch.config_problem import closest, found
    from oidcwatch.verifier_table import facts, print_row, print_table

    table = verifiers()
    if name and name not in table:
        fail(f"{found(name)} is not a verifier of the table{closest(name, table)}; see oidcwatch drill verifiers")
    if json:
        print_json(facts(table[name]) if name else [facts(row) for row in table.values()])
    elif name:
        print_row(table[name], console())
    else:
        print_table(table.values(), console())


def _issuer(settings: Settings, name: str) -> Issuer:
    from oidcwatch.config_problem import closest, found

    names = [each.name for each in settings.issuers]
    if name not in names:
        near = closest(name, names)
        fail(f"{found(name)} is not an issuer of this configuration{near}; known: {', '.join(names)}")
    subject = settings.issuers[names.index(name)]
    if not subject.verifiers:
        fail(f"{name} names no verifiers; add `verifiers: [...]` with rows of: oidcwatch drill verifiers")
    return subject


def _observed(issuer: Issuer, max_age: int | None, offline: bool, redact: Redactor) -> Observed:
    from drills.outside import observe_key_set
    from drills.prediction import Observed
    from exporters.report import printable
    from oidcwatch.loop import run_loop
    from oidcwatch.progress import waiting_for
    from probes.classify import classify
    from probes.http import make_http

    if max_age is not None:
        return Observed(max_age=max_age)
    if offline:
        return Observed(headers_seen=False)
    try:
        with waiting_for(f"looking at {issuer.url}"):
            return run_loop(observe_key_set(issuer, make_http(issuer.ca_file)))
    except Exception as error:  # noqa: BLE001 - whatever a server provokes is told by its reason
        told = printable(redact(classify(error).told))
        typer.echo(f"oidcwatch: no key set of {issuer.name}: {told}; --max-age or --offline do without", err=True)
        raise typer.Exit(NOT_SEEN) from None


def _duration(option: str, text: str) -> float:
    from oidcwatch.config_duration import parse_duration

    try:
        return parse_duration(text)
    except ValueError:
        fail(f"{option}: {text!r} is no duration; write it like 90s, 5m or 1h")
