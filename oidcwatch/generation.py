"""From a loaded configuration to everything that is generated from it: rules, tests, Alertmanager, dashboards, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from alerts.catalogue import alerts_in, groups_of
from alerts.deployment import Deployment
from alerts.model import Alert, Group
from alerts.prometheus_version import PrometheusVersion
from oidcwatch.config import Loaded
from oidcwatch.config_build import checks_in, every_region

RULES = "rules/oidcwatch.rules.yml"
RULE_TESTS = "rules/oidcwatch.tests.yml"
ALERTMANAGER = "alertmanager/alertmanager.yml"
TEMPLATES = "alertmanager/oidcwatch.tmpl"
ROUTE_TESTS = "alertmanager/routes.tests.yml"

MANIFEST = ".oidcwatch-generated"
"""Names every file that was generated into a folder, so that none of somebody else's is ever removed."""

Files = Mapping[str, str]
"""Contents by path, relative to the folder that is generated into."""


@dataclass(frozen=True, slots=True)
class Material:
    """What every generator starts from; the catalogue is made once."""

    deployment: Deployment
    groups: tuple[Group, ...]
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of output: a subcommand of `oidcwatch generate`."""

    name: str
    help: str
    files: Callable[[Material], Files]


def deployment_of(
    loaded: Loaded, *, prometheus: PrometheusVersion = PrometheusVersion.DEBIAN, speed: int = 1
) -> Deployment:
    """What is generated for: the checks of every agent that shares the file, whichever region this one is in."""
    settings, regions = loaded.settings, every_region(loaded.config)
    names = tuple(region.name for region in regions)
    checks = checks_in(loaded.config, settings.issuers, names)
    return Deployment(
        issuers=settings.issuers,
        checks=tuple(replace(check, regions=check.regions or names) for check in checks),
        regions=regions,
        slos=settings.slos,
        alerting=settings.alerting,
        prometheus=prometheus,
        speed=speed,
    )


def material_of(deployment: Deployment) -> Material:
    """The catalogue for this deployment."""
    groups = groups_of(deployment)
    return Material(deployment, groups, alerts_in(groups))


# Generators are imported when they are used: `generate rules` needs no Grafana SDK.


def _rules(material: Material) -> Files:
    from alerts.rules_file import rules_yaml
    from alerts.unit_tests import unit_tests_yaml

    tests = unit_tests_yaml(material.deployment, Path(RULES).name)
    return {RULES: rules_yaml(material.deployment), RULE_TESTS: tests}


def _alertmanager(material: Material) -> Files:
    from alerts.alertmanager import alertmanager_yaml, routes_test_yaml, templates
    from alerts.routes import route_tests

    deployment, alerts = material.deployment, material.alerts
    return {
        ALERTMANAGER: alertmanager_yaml(deployment, alerts),
        TEMPLATES: templates(),
        ROUTE_TESTS: routes_test_yaml(route_tests(deployment, alerts)),
    }


def _kubernetes(material: Material) -> Files:
    from alerts.kubernetes import alertmanager_config, alertmanager_secret, prometheus_rules

    deployment, alerts = material.deployment, material.alerts
    return {
        "kubernetes/prometheusrule.yaml": prometheus_rules(deployment, material.groups),
        "kubernetes/alertmanagerconfig.yaml": alertmanager_config(deployment, alerts),
        "kubernetes/alertmanager-secret.yaml": alertmanager_secret(deployment, alerts),
    }


def _objectives(material: Material) -> Files:
    from alerts.openslo import openslo_yaml
    from alerts.sloth import sloth_yaml

    return {
        "objectives/openslo.yaml": openslo_yaml(material.deployment),
        "objectives/sloth.yaml": sloth_yaml(material.deployment),
    }


def _dashboards(material: Material) -> Files:
    from dashboards.catalogue import dashboards_of
    from dashboards.lint import lint_file
    from dashboards.provisioning import provisioning_of

    boards = dashboards_of(material.deployment)
    return {
        **{f"dashboards/{name}": text for name, text in boards.items()},
        "dashboards/.lint": lint_file(boards),
        **{f"grafana/{name}": text for name, text in provisioning_of(material.deployment).items()},
    }


def _runbooks(material: Material) -> Files:
    from runbooks.site import pages_of

    return {f"runbooks/{name}": text for name, text in pages_of(material.deployment).items()}


KINDS: tuple[Kind, ...] = (
    Kind("rules", "Recording and alerting rules for Prometheus, and promtool tests for them.", _rules),
    Kind("alertmanager", "Alertmanager's routes, inhibition and message templates, and route tests.", _alertmanager),
    Kind("kubernetes", "The same for prometheus-operator: PrometheusRule, AlertmanagerConfig or Secret.", _kubernetes),
    Kind("objectives", "The objectives in the shapes of OpenSLO and Sloth.", _objectives),
    Kind("dashboards", "Grafana dashboards, and provisioning for them and their data source.", _dashboards),
    Kind("runbooks", "A page for every alert and every reason, as Markdown and as a site that works offline.", _runbooks),
)  # fmt: skip


def generated(material: Material, kinds: Iterable[Kind] = KINDS) -> dict[str, str]:
    """All files of these kinds."""
    return {path: text for kind in kinds for path, text in kind.files(material).items()}


@dataclass(frozen=True, slots=True)
class Difference:
    """How a folder differs from what it should hold."""

    stale: tuple[str, ...]
    """Missing or with other content."""
    left_over: tuple[str, ...]
    """Written by an earlier call, and no longer generated."""

    def __bool__(self) -> bool:
        return bool(self.stale or self.left_over)


def difference(folder: Path, files: Files) -> Difference:
    """Compares the folder with the files. What we did not write is not looked at."""
    stale = tuple(path for path, text in files.items() if _held(folder / path) != text)
    tops = {Path(path).parts[0] for path in files}
    left_over = (path for path in _written(folder) if Path(path).parts[0] in tops and path not in files)
    return Difference(stale, tuple(path for path in left_over if (folder / path).is_file()))


def write(folder: Path, files: Files) -> Difference:
    """Brings the folder up to date; files of an earlier call that are no longer generated are removed. Raises OSError."""
    todo = difference(folder, files)
    written = (set(_written(folder)) - set(todo.left_over)) | files.keys()
    for path in todo.stale:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(files[path], encoding="utf-8")
    for path in todo.left_over:
        (folder / path).unlink()
    manifest = "".join(f"{path}\n" for path in sorted(written))
    if _held(folder / MANIFEST) != manifest:
        (folder / MANIFEST).write_text(manifest, encoding="utf-8")
    return todo


def _written(folder: Path) -> tuple[str, ...]:
    """What earlier calls wrote here. A line that leads out of the folder is nothing of ours."""
    lines = (_held(folder / MANIFEST) or "").splitlines()
    return tuple(line for line in lines if line and not Path(line).is_absolute() and ".." not in Path(line).parts)


def _held(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None
