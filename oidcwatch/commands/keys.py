"""`oidcwatch keys`: what agents have seen of an issuer's signature keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from datetime import datetime

    from probes.ledger import Event, KeyRecord, Ledger
    from probes.subjects import Issuer

_SHOWN_OF_THUMBPRINT = 12  # of 43 characters
_WIDE = 100  # characters of a picture that goes to a file or a pipe
_SHORTEST = 4  # characters of a thumbprint that may name a key

app = typer.Typer(help="Look at the signature keys of an issuer, as an agent has seen them.", no_args_is_help=True)

IssuerArgument = Annotated[str, typer.Argument(metavar="ISSUER", help="Name of an issuer of the configuration.")]
PictureOption = Annotated[
    Path | None, typer.Option("--picture", metavar="FILE", help="Write an SVG picture to this file.")
]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="A kid, or the beginning of a thumbprint.")]


def register(parent: typer.Typer) -> None:
    """Add `keys` with its subcommands."""
    parent.add_typer(app, name="keys")


@app.command("list")
def list_keys(issuer: IssuerArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """List an issuer's keys with their states, the newest first.

    announced: published, and no token of it was seen; active: signs; retiring: published, and another key signs;
    removed: published no more; compromised: its private half was published. Reads what the agent keeps in
    agent.data_dir, also while it runs. Exit code 2 when there is no such file or issuer.

    \b
    Examples:
      oidcwatch keys list acme
      oidcwatch keys list acme --json | jq '.[] | select(.state == "active")'
    """
    ledger = _ledger(config, issuer)
    keys = [_summary(ledger, record) for record in _newest_first(ledger)]
    if json:
        print_json(keys)
    else:
        _print_table(("state", "kid", "alg", "published", "first_token", "last_token", "expires", "thumbprint"), keys)


@app.command()
def show(
    issuer: IssuerArgument, key: KeyArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False
) -> None:
    """Show one key: what it is, where and when it was published, and what it signed.

    \b
    Examples:
      oidcwatch keys show acme rs256-2026-03
      oidcwatch keys show acme NzbLsXh8uDCc --json
    """
    ledger = _ledger(config, issuer)
    record = _chosen(ledger, key)
    details = {**_summary(ledger, record), **_details(ledger, record)}
    if json:
        print_json(details)
        return
    regions, addresses = details.pop("regions"), details.pop("addresses")
    for name, value in details.items():
        typer.echo(f"{name.replace('_', ' ')}: {_text(value)}")
    typer.echo()
    _print_table(("region", "first", "last", "gone"), regions)
    if addresses:
        typer.echo()
        _print_table(("address", "region", "first", "last", "gone"), addresses)


@app.command()
def history(issuer: IssuerArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Tell what happened to an issuer's keys, oldest first: published, signed, removed, returned, exposed.

    `found` stands for a key that was there when a region began to look, or looked again after a gap.

    \b
    Examples:
      oidcwatch keys history acme
      oidcwatch keys history acme --json | jq '.[] | select(.event == "removed")'
    """
    events = [_event(event) for event in _events(config, issuer)]
    if json:
        print_json(events)
    else:
        _print_table(("at", "event", "kid", "alg", "region", "thumbprint"), events)


@app.command()
def timeline(issuer: IssuerArgument, config: ConfigOption = DEFAULT_CONFIG, picture: PictureOption = None) -> None:
    """Draw an issuer's keys over time, a bar for each: announced, active, retiring, removed, compromised.

    Plain text, or with --picture an SVG file that needs no network and holds no script.

    \b
    Examples:
      oidcwatch keys timeline acme
      oidcwatch keys timeline acme --picture keys.svg
    """
    from exporters.key_timeline import svg_of, text_of, timeline_of
    from probes.probe import utc_now

    drawn = timeline_of(issuer, _events(config, issuer), _ledger(config, issuer), utc_now())
    if picture is None:
        typer.echo(
            text_of(drawn, console().width if console().is_terminal else _WIDE)
            if drawn.bars
            else f"no keys of {issuer} have been seen"
        )
        return
    try:
        picture.write_text(svg_of(drawn), encoding="utf-8")
    except OSError as error:
        fail(f"{picture}: {error.strerror}")
    typer.echo(f"wrote {picture}")


def _events(config: Path, name: str) -> tuple[Event, ...]:
    from exporters.ledger import KEYS, stored_events
    from exporters.sqlite_file import StoreError

    data_dir, subject = _place(config, name)
    try:
        return tuple(stored_events(data_dir / KEYS, subject))
    except StoreError as error:
        fail(str(error))


def _place(config: Path, name: str) -> tuple[Path, Issuer]:
    settings = load_both_or_exit(config, connects=False).settings
    for issuer in settings.issuers:
        if issuer.name == name:
            return settings.agent.data_dir, issuer
    fail(f"there is no issuer {name!r}; there are: {', '.join(issuer.name for issuer in settings.issuers)}")


def _ledger(config: Path, name: str) -> Ledger:
    from exporters.ledger import KEYS, stored_ledger
    from exporters.sqlite_file import StoreError

    data_dir, issuer = _place(config, name)
    try:
        return stored_ledger(data_dir / KEYS, issuer)
    except StoreError as error:
        fail(str(error))


def _newest_first(ledger: Ledger) -> list[KeyRecord]:
    from exporters.stored_runs import EPOCH

    return sorted(
        ledger.keys.values(), key=lambda record: record.first_seen or record.exposed or EPOCH, reverse=True
    )  # fmt: skip


def _chosen(ledger: Ledger, name: str) -> KeyRecord:
    """The newest key of that kid, else the one with that thumbprint."""
    records = _newest_first(ledger)
    by_kid = [record for record in records if record.facts.kid == name]
    by_thumbprint = [record for record in records if record.facts.thumbprint.startswith(name)]
    found = by_kid or (by_thumbprint if len(name) >= _SHORTEST else [])
    if not found:
        fail(f"there is no key {name!r}; there are: {', '.join(record.facts.kid for record in records) or 'none'}")
    return found[0]


def _summary(ledger: Ledger, record: KeyRecord) -> dict[str, Any]:
    from probes.ledger import state_of

    facts, use = record.facts, record.use
    return {
        "state": state_of(ledger, record).value,
        "kid": facts.kid,
        "alg": facts.alg,
        "published": _time(min((sight.first for sight in record.sights.values()), default=None)),
        "first_token": _time(use.first if use else None),
        "last_token": _time(use.last if use else None),
        "expires": _time(use.expires if use else None),
        "thumbprint": facts.thumbprint,
    }


def _details(ledger: Ledger, record: KeyRecord) -> dict[str, Any]:
    from probes.ledger_measures import lead_of

    facts, lead = record.facts, lead_of(ledger, record)
    return {
        "kty": facts.kty,
        "use": facts.use,
        "crv": facts.crv,
        "bits": facts.bits or None,
        "lead_seconds": lead.seconds if lead else None,
        "exposed": _time(record.exposed),
        "regions": [
            {"region": region, "first": _time(sight.first), "last": _time(sight.last), "gone": _time(sight.gone)}
            for region, sight in sorted(record.sights.items())
        ],
        "addresses": [
            {
                "address": address,
                "region": region,
                "first": _time(sight.first),
                "last": _time(sight.last),
                "gone": _time(sight.gone),
            }
            for (region, address), sight in sorted(record.addresses.items())
        ],
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "at": _time(event.at),
        "event": event.kind.value,
        "kid": event.key.kid,
        "alg": event.key.alg,
        "region": event.region,
        "thumbprint": event.key.thumbprint,
    }


def _print_table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        shown = {**row, "thumbprint": row.get("thumbprint", "")[:_SHOWN_OF_THUMBPRINT]}
        table.add_row(*(Text(_text(shown[column])) for column in columns))
    console().print(table)


def _text(value: object) -> str:
    return "-" if value in (None, "") else str(value)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
