"""`oidcwatch doctor`: is this installation fit to run?"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import typer

from oidcwatch.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json


def register(parent: typer.Typer) -> None:
    """Add `doctor`."""
    parent.command()(doctor)


def doctor(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Examine this installation: Python, packages, browser, secrets, disk, port; each problem comes with its remedy.

    Without ./oidcwatch.yaml and --config it looks only at what does not depend on one. Sends nothing; shows no secret.
    Exit code: 0 all is well, 1 something is missing.

    \b
    Examples:
      oidcwatch doctor
      oidcwatch doctor -c /etc/oidcwatch/oidcwatch.yaml --json
    """
    from oidcwatch.config import ConfigError, load
    from oidcwatch.doctor import Diagnosis, examine

    settings = None
    diagnoses = []
    if Path(config).exists():
        try:
            settings = load(config, os.environ)
            diagnoses.append(Diagnosis("configuration", True, f"{config}, {len(settings.checks)} checks"))
        except ConfigError as error:
            diagnoses.append(
                Diagnosis("configuration", False, str(error.problems[0]), f"oidcwatch config check -c {config}")
            )
    elif config != DEFAULT_CONFIG:
        remedy = f"oidcwatch init https://your-issuer.example --out {config}"
        diagnoses.append(Diagnosis("configuration", False, f"{config} does not exist", remedy))
    else:
        diagnoses.append(Diagnosis("configuration", True, f"{config} does not exist: looked at the machine only"))
    diagnoses += examine(settings)
    if json:
        print_json([asdict(diagnosis) for diagnosis in diagnoses])
    else:
        for entry in diagnoses:
            typer.echo(f"{'ok  ' if entry.ok else 'FAIL'}  {entry.name}: {entry.found}")
            if not entry.ok:
                typer.echo(f"      try: {entry.remedy}")
    raise typer.Exit(0 if all(entry.ok for entry in diagnoses) else 1)
