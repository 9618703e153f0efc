"""`oidcwatch config`: check a configuration, show what it means, publish its schema."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import typer

from oidcwatch.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, load_both_or_exit, print_json

if TYPE_CHECKING:
    from oidcwatch.config import Loaded

app = typer.Typer(help="Check and show the configuration.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add `config` with its subcommands."""
    parent.add_typer(app, name="config")


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Load the configuration, say what it would run, and warn of what is probably not meant.

    Reads no secret and sends nothing. Exit code: 0 when it can be used (with or without warnings), 2 when not; then
    every mistake is printed with file, line, column and path.

    \b
    Examples:
      oidcwatch config check
      oidcwatch config check -c /etc/oidcwatch/oidcwatch.yaml
      oidcwatch config check --json | jq '.problems[].message'
    """
    from oidcwatch.config_warnings import warnings_of

    loaded = load_both_or_exit(config, as_json=json)
    summary, warnings = _summary(loaded), warnings_of(loaded)
    if json:
        print_json({"ok": True, **summary, "warnings": warnings})
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in summary["probes"].items()) or "none"
    typer.echo(f"files    {', '.join(summary['files'])}")
    typer.echo(f"issuers  {len(summary['issuers'])}: {', '.join(summary['issuers'])}")
    typer.echo(f"checks   {len(summary['checks'])}: {kinds}; about {summary['runs_per_hour']} runs an hour")
    typer.echo(f"regions  {len(summary['regions'])}: {', '.join(summary['regions'])}")
    typer.echo(f"slos     {summary['slos']} set here, the others by default")
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(
        f"{config} is valid" + (f", with {len(warnings)} warning{'s' * (len(warnings) > 1)}" if warnings else "")
    )


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for completion and checks in an editor.

    \b
    Examples:
      oidcwatch config schema > oidcwatch.schema.json
      sed -i '1i # yaml-language-server: $schema=oidcwatch.schema.json' oidcwatch.yaml
    """
    from oidcwatch.config_schema import json_schema

    print_json(json_schema())


@app.command()
def show(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Print the configuration in effect: all files joined, every default filled in, secrets as references only.

    The YAML that it prints is itself a valid configuration.

    \b
    Examples:
      oidcwatch config show
      OIDCWATCH_REGION=us-east oidcwatch config show --json | jq .region
    """
    import yaml

    loaded = load_both_or_exit(config, as_json=json)
    effective = _without_empty(loaded.config.model_dump(mode="json", exclude_none=True))
    if json:
        print_json(effective)
    else:
        typer.echo(yaml.safe_dump(effective, sort_keys=False, allow_unicode=True, width=120), nl=False)


def _summary(loaded: Loaded) -> dict[str, Any]:
    settings = loaded.settings
    runs = sum(3600 / check.interval * len(check.regions or settings.regions) for check in settings.checks)
    return {
        "files": [str(file) for file in settings.files],
        "issuers": [issuer.name for issuer in settings.issuers],
        "checks": [check.name for check in settings.checks],
        "probes": dict(sorted(Counter(check.probe for check in settings.checks).items())),
        "regions": [region.name for region in settings.regions],
        "slos": len(loaded.config.slos),
        "runs_per_hour": round(runs),
    }


def _without_empty(value: Any) -> Any:
    """Without mappings and lists that say nothing: `steps: []` is noise."""
    if isinstance(value, dict):
        pruned = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in ({}, [])}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value
