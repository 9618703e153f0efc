"""`oidcwatch annotate`: tells Grafana what changed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import typer

from oidcwatch.commands.common import fail

if TYPE_CHECKING:
    from oidcwatch.annotations import Annotation
    from probes.subjects import SecretRef

_SECONDS = 10.0
_MOMENT = "TIME"
_SOURCES: tuple[Literal["env", "file", "exec"], ...] = ("env", "file", "exec")


def register(parent: typer.Typer) -> None:
    """Add `annotate`."""
    parent.command()(annotate)


def annotate(
    text: Annotated[str, typer.Argument(help="What changed, in a sentence.")],
    grafana: Annotated[
        str, typer.Option("--grafana", metavar="URL", envvar="OIDCWATCH_GRAFANA", help="Base URL of Grafana.")
    ],
    token_ref: Annotated[
        str,
        typer.Option(
            "--token-ref", metavar="REF", help="Where the token is: env:NAME, file:PATH or exec:COMMAND; never itself."
        ),
    ] = "env:GRAFANA_TOKEN",
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="Kind of change: deploy, rotation, ...; may be repeated.")
    ] = None,
    issuer: Annotated[str, typer.Option("--issuer", metavar="NAME", help="The issuer that it is about.")] = "",
    begin: Annotated[
        str,
        typer.Option(
            "--from",
            metavar=_MOMENT,
            help="When it began: 2026-03-01T12:00:00Z, or how long ago, as 10m. Default: now.",
        ),
    ] = "0s",
    end: Annotated[str, typer.Option("--to", metavar=_MOMENT, help="When it ended, for what took some time.")] = "",
) -> None:
    """Post a change to Grafana as an annotation: dashboards then show it beside what it may have caused.

    The annotation is tagged `oidcwatch`, with every --tag, and with `issuer:NAME`. The token needs the permission
    annotations:create; it is read from where --token-ref says and never shown. Exit code: 0 when Grafana took it, 1
    when not.

    \b
    Examples:
      oidcwatch annotate --grafana https://grafana.example "Keycloak 26.4.7" --tag deploy --issuer acme
      oidcwatch annotate --grafana https://grafana.example "new signing key" --tag rotation --from 20m --to 0s
    """
    from oidcwatch.annotations import Annotation, AnnotationError
    from oidcwatch.loop import run_loop
    from probes.model import ProbeFailure

    problem = _url_problem(grafana)
    if problem:
        fail(f"--grafana: {problem}")
    now = datetime.now(UTC)
    at, until = _moment("--from", begin, now), _moment("--to", end, now) if end else None
    if until is not None and until < at:
        fail("--to: is before --from")
    annotation = Annotation(text, at, until, tuple(tag or ()), issuer)
    try:
        number = run_loop(_post(grafana, _reference(token_ref), annotation))
    except ProbeFailure as error:
        fail(f"--token-ref: {error.detail}")
    except AnnotationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"annotation {number}")


async def _post(grafana: str, reference: SecretRef, annotation: Annotation) -> int:
    import httpx

    from oidcwatch.annotations import post
    from probes.secrets import secrets_from

    token = await secrets_from(os.environ)(reference)
    async with httpx.AsyncClient(timeout=_SECONDS) as client:
        return await post(client, grafana, token, annotation)


def _reference(text: str) -> SecretRef:
    from probes.subjects import SecretRef

    for source in _SOURCES:
        location = text.removeprefix(f"{source}:")
        if location not in ("", text):
            return SecretRef(source, location)
    # Not repeated: who misreads the option may have given the token itself.
    fail("--token-ref: expected env:NAME, file:PATH or exec:COMMAND")


def _url_problem(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        return "not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        return "expected a URL like https://grafana.example"
    return "must hold no user or password; name a token with --token-ref" if parts.username or parts.password else ""


def _moment(option: str, text: str, now: datetime) -> datetime:
    """An aware time. One that is none exits with 2."""
    from oidcwatch.config_duration import parse_duration

    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option}: {text!r} is neither a time like 2026-03-01T12:00:00Z nor a duration like 10m")
    if moment.tzinfo is None:
        fail(f"{option}: a time needs its zone: {text}Z if that is UTC")
    return moment
