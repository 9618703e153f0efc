"""`oidcwatch init`: write a starting configuration from a provider's discovery document."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from oidcwatch.commands.common import DEFAULT_CONFIG, JsonOption, fail, print_json

if TYPE_CHECKING:
    from probes.documents import JsonObject
    from probes.http import Http

_WELL_KNOWN = "/.well-known/openid-configuration"
_SECONDS = 20.0
UNREACHABLE = 1
"""Exit code when the provider gives no usable discovery document."""


def register(parent: typer.Typer) -> None:
    """Add `init`."""
    parent.command()(init)


def init(
    issuer: Annotated[
        str, typer.Argument(help="The issuer, as it is in tokens: https://login.example.com/realms/main")
    ],
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="PATH", help="File to write; - for standard output.")
    ] = str(DEFAULT_CONFIG),
    client_id: Annotated[
        str | None, typer.Option(help="Identifier of the client for monitoring; without it clients are comments.")
    ] = None,
    redirect_uri: Annotated[str | None, typer.Option(help="Redirect URI that is registered for this client.")] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="PEM file of authorities to trust instead of the system's."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    json: JsonOption = False,
) -> None:
    """Read a provider's discovery document and write a configuration that fits it.

    Sends one request, needs no credentials, and writes no secret: the file refers to environment variables.
    Exit code: 0 when written, 1 when the provider gives no usable document, 2 for a bad call.

    \b
    Examples:
      oidcwatch init https://login.example.com/realms/main
      oidcwatch init https://login.example.com --client-id oidcwatch --out /etc/oidcwatch/oidcwatch.yaml
      oidcwatch init http://127.0.0.1:28080/realms/test --out - | less
    """
    from oidcwatch.config_starter import REDIRECT_URI, render, starter

    issuer = _issuer(issuer)
    if out != "-" and not force and Path(out).exists():
        fail(f"{out} exists; choose another --out, or --force to replace it")
    start = starter(issuer, _discover(issuer, ca_file))
    content = render(start, client_id, redirect_uri or REDIRECT_URI, ca_file)
    _must_load(content)
    if out == "-":
        typer.echo(content, nl=False)
        return
    _write(Path(out), content, force=force)
    next_steps = [f"oidcwatch config check -c {out}", f"oidcwatch probe -c {out}", f"oidcwatch run -c {out}"]
    if json:
        facts = {"preset": start.preset, "auth_method": start.auth_method, "scopes": list(start.scopes)}
        print_json({"written": out, "issuer": issuer, **facts, "next": next_steps})
        return
    typer.echo(f"wrote {out} for {issuer}: login page {start.preset}, {start.auth_method}, {' '.join(start.scopes)}")
    if client_id is None:
        typer.echo("its clients are comments: name one with --client-id, or remove the comment signs")
    typer.echo("\n".join(("next:", *(f"  {step}" for step in next_steps))))


def _issuer(text: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from oidcwatch.config_values import IssuerUrl

    text = text.removesuffix(_WELL_KNOWN)  # people paste what they have open in a browser
    try:
        return TypeAdapter[str](IssuerUrl).validate_python(text)
    except ValidationError as error:
        fail(f"ISSUER {error.errors(include_url=False)[0]['msg']}")


def _discover(issuer: str, ca_file: Path | None) -> JsonObject:
    """The discovery document, whose `issuer` is this one; or exit with 1 and the reason."""
    import asyncio
    import ssl

    import httpx

    from probes.documents import text
    from probes.http import make_http
    from probes.metadata import discovery_url
    from probes.model import ProbeFailure

    try:
        http = make_http(ca_file)
    except OSError as error:  # ssl.SSLError is one
        fail(f"{ca_file}: {error}")
    try:
        document = asyncio.run(_fetch(http, discovery_url(issuer)))
    except ProbeFailure as error:
        _give_up(issuer, error.detail)
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
        _give_up(issuer, str(error) or type(error).__name__)
    said = text(document, "issuer")
    if said != issuer:
        _give_up(issuer, f"it names the issuer {said[:200]!r}, which must be the same to the letter (Discovery §4.3)")
    return document


async def _fetch(http: Http, url: str) -> JsonObject:
    import asyncio

    from probes.documents import json_object, problem_of_answer
    from probes.model import ProbeFailure

    async with asyncio.timeout(_SECONDS):
        response = await http("GET", url)
    problem = problem_of_answer(response)
    if problem:
        raise ProbeFailure(*problem)
    return json_object(response.body)


def _give_up(issuer: str, why: str) -> NoReturn:
    shown = "".join(letter if letter.isprintable() else "?" for letter in why)  # parts of it came from the server
    typer.echo(f"oidcwatch: no usable discovery document of {issuer}: {shown}", err=True)
    raise typer.Exit(UNREACHABLE)


def _must_load(content: str) -> None:
    """What is written is what the loader accepts: bad values of --client-id and --redirect-uri end here."""
    from oidcwatch.config import ConfigError, load

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, DEFAULT_CONFIG)
        path.write_text(content, encoding="utf-8")
        try:
            load(path, {})
        except ConfigError as error:
            fail("; ".join(f"{problem.path}: {problem.message}" for problem in error.problems))


def _write(path: Path, content: str, *, force: bool) -> None:
    try:
        if force:
            scratch = path.with_name(f".{path.name}.{os.getpid()}")
            scratch.write_text(content, encoding="utf-8")
            scratch.replace(path)
        else:
            with path.open("x", encoding="utf-8") as stream:
                stream.write(content)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
