"""`oidcwatch probe`: runs checks once and says what happened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oidcwatch.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, console, fail, load_or_exit, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probes.model import ProbeResult


def register(parent: typer.Typer) -> None:
    """Add `probe`."""
    parent.command()(probe)


def probe(
    context: typer.Context,
    checks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHECK]...", help="issuer/target/probe, with * and ?; or an issuer; or a kind of probe."
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="Only from this region; may be repeated.")
    ] = None,
    json: JsonOption = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML there as well.")
    ] = None,
    artifacts: Annotated[
        Path | None, typer.Option("--artifacts", metavar="DIR", help="Keep evidence of failed runs there.")
    ] = None,
) -> None:
    """Run checks once, now, and report each step; without CHECK all of them.

    Exit code: 0 all are well, 1 one failed, 2 bad configuration or call, 3 only the probes themselves broke.

    \b
    Examples:
      oidcwatch probe
      oidcwatch probe 'acme/*/login' --region eu-west
      oidcwatch probe jwks --json | jq '.[].findings'
      oidcwatch probe --junit results.xml
    """
    from exporters.report import exit_code, print_report, results_json
    from exporters.report import junit as junit_xml
    from oidcwatch.logs import redactor_for
    from oidcwatch.loop import run_loop
    from oidcwatch.once import chosen, run_jobs
    from oidcwatch.progress import progress_of

    settings = load_or_exit(config, as_json=json)
    redact = redactor_for(context, settings.log)
    if junit and not junit.parent.is_dir():
        fail(f"--junit: there is no folder {junit.parent}")
    try:
        jobs = chosen(settings, checks or [], region or [])
    except LookupError as error:
        fail(str(error))
    try:
        with progress_of(len(jobs), quiet=json) as progress:
            results = run_loop(run_jobs(settings, jobs, redact, progress))
    except OSError as error:
        fail(str(error))
    if artifacts:
        _keep(results, artifacts)
    if json:
        print_json(results_json(results))
    else:
        print_report(results, console())
    if junit:
        _write(junit, junit_xml(results))
    raise typer.Exit(exit_code(results))


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        fail(f"--junit: cannot write {path}: {error.strerror}")


def _keep(results: Sequence[ProbeResult], directory: Path) -> None:
    from datetime import timedelta

    from exporters.artifacts import ArtifactStore
    from probes.probe import utc_now

    store = ArtifactStore(
        directory,
        max_bytes=1 << 30,
        max_age=timedelta(days=3650),
        clock=utc_now,
        on_failure=lambda: typer.echo(f"evidence could not be written to {directory}", err=True),
    )
    for result in results:
        store.publish(result)
