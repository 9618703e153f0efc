"""`oidcwatch check`: every check of an issuer that needs no credentials and no configuration."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oidcwatch.commands.common import JsonOption, console, fail, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probes.model import Finding


def register(parent: typer.Typer) -> None:
    """Add `check`."""
    parent.command()(check)


def check(
    context: typer.Context,
    issuer: Annotated[str, typer.Argument(metavar="ISSUER", help="The issuer's URL, exactly as tokens name it.")],
    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", metavar="PEM", exists=True, dir_okay=False, help="Trust this CA instead."),
    ] = None,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="Plain http is a warning (always so on loopback), not a failure.")
    ] = False,
    verifier: Annotated[
        list[str] | None, typer.Option("--verifier", help="A verifier in use, e.g. kube-apiserver; may be repeated.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Look at an issuer from outside: discovery document, OAuth metadata, key set, caching, TLS. Sends no credentials.

    Exit code: 0 no failure among the findings, 1 a failure, 2 bad call, 3 the check itself broke.

    \b
    Examples:
      oidcwatch check https://login.example.com/realms/main
      oidcwatch check https://id.internal --ca-file corp.pem --json
      oidcwatch check https://id.example.com --verifier kube-apiserver
    """
    from oidcwatch.inspection import inspect, issuer_from
    from oidcwatch.logs import redactor_for
    from oidcwatch.loop import run_loop
    from oidcwatch.progress import waiting_for
    from probes.checks.base import has_failure

    redact = redactor_for(context)
    try:
        subject = issuer_from(issuer, ca_file, allow_http, tuple(verifier or ()))
    except ValueError as error:
        fail(str(error))
    try:
        with waiting_for(f"looking at {issuer}"):
            findings, broken = run_loop(inspect(subject, redact))
    except OSError as error:
        fail(f"{ca_file}: {error}")
    if json:
        rows = [{**asdict(finding), "id": finding.check_id} for finding in findings]
        print_json({"issuer": issuer, "findings": rows})
    else:
        _print(issuer, findings)
    raise typer.Exit(3 if broken else int(has_failure(findings)))


def _print(issuer: str, findings: Sequence[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from exporters.report import printable

    out = console()
    colours = {"failure": "bold red", "warning": "yellow", "info": "cyan"}
    table = Table(box=None, pad_edge=False)
    for column in ("id", "severity", "finding", "citation"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(
            finding.check_id,
            Text(finding.severity, colours[finding.severity]),
            Text(printable(finding.message)),
            Text(finding.citation, "dim"),
        )
    found = f"{len(findings)} finding{'s' * (len(findings) > 1)}" if findings else "No findings"
    out.print(Text.assemble((found, "bold"), f" for {issuer}"))
    if findings:
        out.print(table)
