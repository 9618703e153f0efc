"""`oidcwatch generate`: rules, Alertmanager's configuration, dashboards and runbooks from the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerts.prometheus_version import PrometheusVersion
from oidcwatch.commands.common import DEFAULT_CONFIG, ConfigOption, fail, load_both_or_exit

if TYPE_CHECKING:
    from oidcwatch.generation import Difference, Files, Material

DIFFERS = 1
"""Exit code when something is not current, or when the parts do not fit together."""

_ROUTED = frozenset({"alertmanager", "kubernetes"})  # the kinds that say who is told

app = typer.Typer(
    help="Write rules, dashboards, runbooks and Alertmanager's configuration from one catalogue.", no_args_is_help=True
)

OutOption = Annotated[
    Path,
    typer.Option("-o", "--out", metavar="DIR", file_okay=False, help="Folder to write into, one subfolder a kind."),
]
CheckOption = Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 when DIR is not current.")]
PrometheusOption = Annotated[
    PrometheusVersion, typer.Option("--prometheus", help="Version that reads the rules: fields it lacks are left out.")
]
SpeedOption = Annotated[
    int, typer.Option("--speed", min=1, max=1000, help="Make every window this many times shorter, for rehearsals.")
]


def register(parent: typer.Typer) -> None:
    """Add `generate` with a subcommand for each kind of output."""
    parent.add_typer(app, name="generate")


@app.command()
def rules(
    config: ConfigOption = DEFAULT_CONFIG,
    out: OutOption = Path("generated"),
    check: CheckOption = False,
    prometheus: PrometheusOption = PrometheusVersion.DEBIAN,
    speed: SpeedOption = 1,
) -> None:
    """Recording and alerting rules for Prometheus, and promtool tests for them.

    \b
    Examples:
      oidcwatch generate rules -o /etc/prometheus/oidcwatch
      promtool test rules generated/rules/oidcwatch.tests.yml
    """
    _run(("rules",), config, out, check, prometheus, speed)


@app.command()
def alertmanager(
    config: ConfigOption = DEFAULT_CONFIG,
    out: OutOption = Path("generated"),
    check: CheckOption = False,
    speed: SpeedOption = 1,
) -> None:
    """Alertmanager's routes, inhibition, maintenance and message templates, and route tests for amtool.

    \b
    Examples:
      oidcwatch generate alertmanager
      amtool check-config generated/alertmanager/alertmanager.yml
    """
    _run(("alertmanager",), config, out, check, PrometheusVersion.DEBIAN, speed)


@app.command()
def kubernetes(
    config: ConfigOption = DEFAULT_CONFIG,
    out: OutOption = Path("generated"),
    check: CheckOption = False,
    prometheus: PrometheusOption = PrometheusVersion.THREE,
) -> None:
    """PrometheusRule and AlertmanagerConfig for prometheus-operator.

    Use the Secret in place of the AlertmanagerConfig where that leaves something out: it holds the whole configuration.

    \b
    Examples:
      oidcwatch generate kubernetes -o deploy && kubectl apply -f deploy/kubernetes
    """
    _run(("kubernetes",), config, out, check, prometheus, 1)


@app.command()
def objectives(
    config: ConfigOption = DEFAULT_CONFIG, out: OutOption = Path("generated"), check: CheckOption = False
) -> None:
    """The objectives in the shapes of OpenSLO and Sloth, for tools that read those.

    \b
    Examples:
      oidcwatch generate objectives
    """
    _run(("objectives",), config, out, check, PrometheusVersion.DEBIAN, 1)


@app.command()
def dashboards(
    config: ConfigOption = DEFAULT_CONFIG, out: OutOption = Path("generated"), check: CheckOption = False
) -> None:
    """Grafana dashboards (executive, on-call, debug, drill), and provisioning for them and their data source.

    \b
    Examples:
      oidcwatch generate dashboards
      cp -r generated/grafana/provisioning /etc/grafana/
      mkdir -p /etc/grafana/dashboards/oidcwatch && cp generated/dashboards/*.json /etc/grafana/dashboards/oidcwatch/
    """
    _run(("dashboards",), config, out, check, PrometheusVersion.DEBIAN, 1)


@app.command()
def runbooks(
    config: ConfigOption = DEFAULT_CONFIG, out: OutOption = Path("generated"), check: CheckOption = False
) -> None:
    """A page for every alert and every reason, as Markdown and as a site that needs no server.

    \b
    Examples:
      oidcwatch generate runbooks && xdg-open generated/runbooks/index.html
    """
    _run(("runbooks",), config, out, check, PrometheusVersion.DEBIAN, 1)


@app.command(name="all")
def everything(
    config: ConfigOption = DEFAULT_CONFIG,
    out: OutOption = Path("generated"),
    check: CheckOption = False,
    prometheus: PrometheusOption = PrometheusVersion.DEBIAN,
    speed: SpeedOption = 1,
) -> None:
    """Everything above, and proof that the parts fit together: every alert has its page, its panel and its route.

    Exit code: 0 written (with --check: current) and consistent, 1 not, 2 for a bad configuration or call.

    \b
    Examples:
      oidcwatch generate all -o generated
      oidcwatch generate all -o generated --check     # in CI
    """
    _run((), config, out, check, prometheus, speed)


def _run(
    names: tuple[str, ...], config: Path, out: Path, check: bool, prometheus: PrometheusVersion, speed: int
) -> None:
    from oidcwatch import generation

    loaded = load_both_or_exit(config, connects=False)
    material = generation.material_of(generation.deployment_of(loaded, prometheus=prometheus, speed=speed))
    kinds = [kind for kind in generation.KINDS if not names or kind.name in names]
    try:
        files = generation.generated(material, kinds)
        change = generation.difference(out, files) if check else generation.write(out, files)
    except OSError as error:
        fail(f"--out {out}: {error.strerror or error} ({error.filename or out})")
    except ValueError as error:
        fail(str(error))
    broken = () if names else _broken(material, files)
    for problem in broken:
        typer.echo(problem, err=True)
    _report(change, out, len(files), check=check)
    if _ROUTED.intersection(kind.name for kind in kinds):
        _warn_of_silence(material)
    if broken or (check and change):
        raise typer.Exit(DIFFERS)


def _broken(material: Material, files: Files) -> tuple[str, ...]:
    from oidcwatch.closed_loop import broken_links

    return broken_links(material, files)


def _warn_of_silence(material: Material) -> None:
    from alerts.routes import unattended

    for key in ("runbooks_url", "grafana_url"):
        if not getattr(material.deployment.alerting, key):
            typer.echo(f"warning: messages of alerts link to nothing: add alerting.{key}", err=True)
    for route in unattended(material.deployment, material.alerts):
        typer.echo(
            f"warning: nobody is told of alerts that take the route {route}: add alerting.receivers.{route}", err=True
        )


def _report(change: Difference, out: Path, count: int, *, check: bool) -> None:
    for path in change.stale:
        typer.echo(f"{out / path} {'is not current' if check else 'written'}")
    for path in change.left_over:
        typer.echo(f"{out / path} {'is no longer generated' if check else 'removed'}")
    if not change:
        typer.echo(f"{count} files in {out} are current")
