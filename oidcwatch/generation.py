"""From a loaded configuration to everything that is generated from it: rules, tests, Alertmanager, dashboards, pages."""

from __future__ import annotations

from dataclasses import replace

from alerts.deployment import Deployment, PrometheusVersion
from oidcwatch.config import Loaded
from oidcwatch.config_build import checks_in, every_region


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
