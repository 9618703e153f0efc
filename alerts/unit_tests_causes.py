"""Unit tests for every cause alert: it fires on its own evidence, and one region of several is none."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.causes_model import Cause, regions_of
from alerts.causes_table import CAUSES, SIGN_IN
from alerts.model import ANY, Alert, Level
from alerts.scenarios import Fault, Series, State, input_series, region_series, series, tick
from alerts.unit_tests_cases import Case, Expected, Material, region_of
from exporters import metrics as m
from exporters.metrics import Metric
from exporters.slis import Matcher
from probes.checks.token import Grant
from probes.model import Check, Reason

_EVERY = Fault(tuple(Reason))
_NOT_AT_THE_TOKEN_ENDPOINT = Fault(tuple(Reason), token_outcome="")
_DAY = 86_400


def cause_stories(material: Material) -> Iterator[Case]:
    """All reasons at once, since each alert looks at its own only; then what is measured."""
    yield _everywhere(material)
    if len(material.deployment.regions) > 1:
        yield _one_region(material)
    yield from _sign_in(material)
    yield from _measured(material)
    yield from _refreshes(material)


def _told(material: Material) -> Iterator[tuple[Cause, Alert, Check]]:
    """Each cause that has an alert here, with the check that stands for those that can see it."""
    for cause in CAUSES:
        alert = material.alerts.get(cause.name)
        if alert is not None:
            able = [check for check in material.checks if check.probe in alert.runs_on]
            yield cause, alert, max(able, key=lambda check: regions_of(material.deployment, (check,)))


def _end(material: Material) -> int:
    return max(16, 7 * material.pace)


def _firing(material: Material, minute: int, alert: Alert, check: Check) -> Expected:
    region = region_of(material.deployment, check) if alert.level is Level.REGION else ANY
    return material.firing(minute, alert, check, region=region)


def _everywhere(material: Material) -> Case:
    end = _end(material)
    told = material.told(lambda _, minute: State.BAD, end, _EVERY)
    expected = [
        _firing(material, end, alert, check) for cause, alert, check in _told(material) if cause.name != SIGN_IN
    ]
    stale, keys = material.alerts.get("OidcJwksStale"), [c for c in material.checks if c.probe == "jwks"]
    if stale and keys:
        expected.append(_firing(material, end, stale, keys[0]))
    return Case("each cause is told when all regions see it", told, tuple(expected))


def _one_region(material: Material) -> Case:
    end, first = _end(material), material.deployment.regions[0].name
    told = material.told(lambda place, _: State.BAD if place == 0 else State.GOOD, end, _EVERY)
    expected = []
    for cause, alert, check in _told(material):
        if regions_of(material.deployment, (check,)) < 2:
            continue
        if cause.evidence.majority:
            target = ANY if alert.level is Level.ISSUER else check.target or ANY
            where = (Matcher(m.ISSUER, "=", check.issuer.name), Matcher(m.TARGET, "=", target))
            expected.append(material.quiet(end, Matcher("alertname", "=", alert.name), *where))
        elif region_of(material.deployment, check) == first:
            expected.append(_firing(material, end, alert, check))
    return Case("one region of several names no cause, unless one is enough", told, tuple(expected))


def _sign_in(material: Material) -> Iterator[Case]:
    for cause, alert, check in _told(material):
        if cause.name == SIGN_IN:
            end = _end(material)
            told = material.told(lambda _, minute: State.BAD, end, _NOT_AT_THE_TOKEN_ENDPOINT)
            yield Case("sign-ins fail beside a sound token endpoint", told, (_firing(material, end, alert, check),))


_MEASURED: tuple[tuple[str, Metric, float, dict[str, str]], ...] = (
    ("OidcCertificateExpiring", m.TLS_EXPIRY, 20 * _DAY, {"endpoint": "discovery"}),
    ("OidcCertificateExpiresSoon", m.TLS_EXPIRY, 2 * _DAY, {"endpoint": "discovery"}),
    ("OidcClockOffset", m.CLOCK_OFFSET, 3600, {}),
    ("OidcJwksInconsistent", m.JWKS_AGREEMENT, 0.5, {}),
)
"""Values that must not be, in every region."""


def _measured(material: Material) -> Iterator[Case]:
    end = max(20, 7 * material.pace)
    for name, metric, value, labels in _MEASURED:
        alert = material.alerts.get(name)
        if alert is None:
            continue
        check = next(check for check in material.checks if check.probe in alert.runs_on)
        told = tuple(_gauge(material, check, metric, value, end, labels))
        yield Case(f"{name} fires on what is measured", told, (_firing(material, end, alert, check),))


def _gauge(
    material: Material, check: Check, metric: Metric, value: float, end: int, labels: dict[str, str]
) -> Iterator[Series]:
    for region in check.regions or tuple(region.name for region in material.deployment.regions):
        base = {m.ISSUER: check.issuer.name, m.TARGET: check.target, m.PROBE: check.probe, m.REGION: region}
        yield series(metric, {**base, m.DRILL: "false", **labels}, [value] * (end + 1))


def _refreshes(material: Material) -> Iterator[Case]:
    check = next((check for check in material.checks if check.probe == "refresh"), None)
    if check is None:
        return
    end = max(20, 7 * material.pace)
    stopped = material.alerts.get("OidcRefreshStopped")
    logins = [each for each in material.checks if each.probe == "login" and each.target == check.target]
    if stopped and logins:
        deployment, fault = material.deployment, Fault((Reason.REFRESH_REJECTED,))
        told = (
            *input_series(deployment, [check], lambda place, minute: State.BAD, end, fault),
            *input_series(deployment, logins, lambda place, minute: State.GOOD, end, fault),
            *region_series(deployment, lambda place, minute: State.GOOD, end),
        )
        yield Case("refreshes have stopped while logins work", told, (_firing(material, end, stopped, check),))
    yield _loop(material, check, end)


def _loop(material: Material, check: Check, end: int) -> Case:
    alert = material.alerts["OidcRefreshLoop"]
    due = tick(material.deployment).total_seconds() / check.interval  # a minute
    counted = [{**each} for each in _gauge(material, check, m.INTERVAL, check.interval, end, {})]
    labels = {m.GRANT.name: Grant.REFRESH_TOKEN.value, m.OUTCOME.name: m.OK}
    for each in _gauge(material, check, m.TOKEN_RESPONSES, 0, end, labels):
        counted.append({**each, "values": f"0+{5 * due:.12g}x{end}"})
    return Case("five times as many refreshes as are due", tuple(counted), (_firing(material, end, alert, check),))
