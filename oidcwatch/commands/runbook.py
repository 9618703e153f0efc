"""`oidcwatch runbook`: the pages of the alerts, and their checks run against the real thing."""

from __future__ import annotations

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
    from oidcwatch.runbooks import Call
    from probes.redact import Redactor
    from runbooks.running import Outcome
    from runbooks.summary import Summary

FAILED = 1
"""Exit code when a check failed."""

app = typer.Typer(help="Read the page of an alert, or run its checks and get a summary.", no_args_is_help=True)

AlertArgument = Annotated[str, typer.Argument(metavar="ALERT", help="Name of an alert, as in `runbook list`.")]


def register(parent: typer.Typer) -> None:
    """Add `runbook` with its subcommands."""
    parent.add_typer(app, name="runbook")


@app.command("list")
def list_pages(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Every alert of this configuration, with its severity, area and what it says.

    \b
    Examples:
      oidcwatch runbook list
      oidcwatch runbook list --json | jq -r '.[].alert'
    """
    from rich.table import Table
    from rich.text import Text

    from oidcwatch.runbooks import subjects
    from runbooks.facts import summary_of

    found = subjects(load_both_or_exit(config, as_json=json))
    alerts = [subject.alert for subject in found]
    if json:
        print_json(
            [
                {
                    "alert": each.name,
                    "severity": each.severity,
                    "area": each.area,
                    "slo": each.slo,
                    "says": summary_of(each),
                }
                for each in alerts
            ]
        )
        return
    table = Table(box=None, pad_edge=False)
    for title in ("alert", "severity", "area", "says"):
        table.add_column(title, overflow="fold")
    for each in alerts:
        table.add_row(Text(each.name), Text(each.severity), Text(each.area), Text(summary_of(each)))
    console().print(table)


@app.command()
def show(alert: AlertArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the page of an alert as Markdown.

    \b
    Examples:
      oidcwatch runbook show OidcLoginSuccessBurnFast | less
      oidcwatch runbook show OidcProviderDown -c /etc/oidcwatch/oidcwatch.yaml
    """
    from oidcwatch.runbooks import subject_of
    from runbooks.render import Renderer
    from runbooks.site import alert_page

    try:
        subject = subject_of(load_both_or_exit(config), alert)
    except LookupError as error:
        fail(str(error))
    typer.echo(Renderer().markdown(alert_page(subject)), nl=False)


@app.command()
def run(
    context: typer.Context,
    alert: AlertArgument,
    issuer: Annotated[str, typer.Option("--issuer", metavar="NAME", help="The issuer that the alert is about.")],
    target: Annotated[str, typer.Option("--target", metavar="NAME", help="Only this client of it.")] = "",
    region: Annotated[str, typer.Option("--region", metavar="NAME", help="Only from this region.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    prometheus: Annotated[
        str, typer.Option("--prometheus", metavar="URL", help="Where to ask; else `alerting.prometheus_url`.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Run the checks of an alert's page, once and without changing anything, and name the cause and its owner.

    Prints Markdown to paste into the incident. Without a Prometheus the probes alone decide.
    Exit code: 0 all checks pass, 1 a check failed, 2 bad configuration or call.

    \b
    Examples:
      oidcwatch runbook run OidcProviderDown --issuer acme
      oidcwatch runbook run OidcLoginSuccessBurnFast --issuer acme --target portal --region eu-west
      oidcwatch runbook run OidcRotationUnsafe --issuer acme --prometheus http://127.0.0.1:9090 --json
    """
    from oidcwatch.logs import redactor_for
    from oidcwatch.runbooks import call_of
    from runbooks.summary import document, markdown

    loaded = load_both_or_exit(config, as_json=json)
    redact = redactor_for(context, loaded.settings.log)
    if prometheus and not prometheus.startswith(("http://", "https://")):
        fail("--prometheus must be an http(s) URL")
    try:
        call = call_of(loaded, alert, issuer, target, region, prometheus)
    except LookupError as error:
        fail(str(error.args[0]))
    try:
        summary = _run(call, redact)
    except OSError as error:
        fail(str(error))
    if json:
        print_json(document(summary, redact))
    else:
        typer.echo(markdown(summary, redact), nl=False)
    raise typer.Exit(0 if summary.ok else FAILED)


def _run(call: Call, redact: Redactor) -> Summary:
    from oidcwatch.loop import run_loop
    from oidcwatch.runbooks import run_page

    def told(outcome: Outcome) -> None:
        where = f" from {outcome.region}" if outcome.region else ""
        verdict = "pass" if outcome.ok else "FAIL"
        typer.echo(f"{verdict}  {outcome.subject}{where} ({outcome.seconds:.1f} s)", err=True)

    return run_loop(run_page(call, redact, told))
