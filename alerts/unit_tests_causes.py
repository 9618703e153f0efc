"""Unit tests for every cause alert: it fires on its own evidence, and one region of several is none."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.causes_model import STEADY, Cause, regions_of
from alerts.causes_table import CAUSES, SIGN_IN
from alerts.model import ANY, Alert, Level
from alerts.scenarios import Fault, Series, State, input_series, minutes_between_runs, series, tick
from alerts.unit_tests_cases import Case, Expected, Material, region_of
from exporters import metrics as m
from exporters.metrics import Metric
from exporters.slis import Matcher
from probes.checks.token import Grant
from probes.model import Check, Reason

_EVERY = Fault(tuple(Reason))
_NOT_AT_THE_TOKEN_ENDPOINT = Fault(tuple(Reason), token_endpoint=False)
_DAY = 86_400


def cause_stories(material: Material) -> Iterator[Case]:
    """All reasons at once, since each alert looks at its own only; then what is measured."""
    yield _everywhere(material)
    if len(material.deployment.regions) > 1:
        yield _one_region(material)
    yield from _sign_in(material)
    yield from _refresh_stopped(material)
    yield _measured(material)


def _told(material: Material) -> Iterator[tuple[Cause, Alert, Check]]:
    """Each cause that has an alert here, with the check that stands for those that can see it."""
    for cause in CAUSES:
        alert = material.alerts.get(cause.name)
        if alert is not None:
            able = [check for check in material.checks if check.probe in alert.runs_on]
            yield cause, alert, max(able, key=lambda check: regions_of(material.deployment, (check,)))


def _end(material: Material) -> int:
    """Enough runs of each check for every cause, and time enough for a key set to become stale."""
    deployment, floor, needed = material.deployment, STEADY.floor, 8.0
    for check in material.checks:
        rounds = -(-floor // regions_of(deployment, (check,))) + 1
        every = minutes_between_runs(deployment, check)
        needed = max(needed, rounds * every + 1, 5 * every + 3 if check.probe == "jwks" else 0)
    return int(needed)


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
            story = input_series(
                material.deployment, [check], lambda place, minute: State.BAD, end, _NOT_AT_THE_TOKEN_ENDPOINT
            )
            expected = (_firing(material, end, alert, check),)
            yield Case("sign-ins fail beside a sound token endpoint", tuple(story), expected)


_MEASURED: tuple[tuple[tuple[str, ...], Metric, float, dict[str, str]], ...] = (
    (("OidcCertificateExpiring", "OidcCertificateExpiresSoon"), m.TLS_EXPIRY, 2 * _DAY, {"endpoint": "discovery"}),
    (("OidcClockOffset",), m.CLOCK_OFFSET, 3600, {}),
    (("OidcJwksInconsistent",), m.JWKS_AGREEMENT, 0.5, {}),
)
"""Values that must not be, in every region, and the alerts that tell of them."""


def _measured(material: Material) -> Case:
    """What is measured, in as many minutes as the most patient of these alerts waits."""
    end, told, expected = 17, list[Series](), list[Expected]()
    for names, metric, value, labels in _MEASURED:
        for alert in filter(None, map(material.alerts.get, names)):
            check = next(check for check in material.checks if check.probe in alert.runs_on)
            expected.append(_firing(material, end, alert, check))
        if set(names) & material.alerts.keys():
            told += _gauges(material, check, metric, value, end, labels)
    loop = material.alerts.get("OidcRefreshLoop")
    if loop:
        check = next(check for check in material.checks if check.probe == "refresh")
        told += _five_times_as_many(material, check, end)
        expected.append(_firing(material, end, loop, check))
    return Case("what is measured fires", tuple(told), tuple(expected))


def _gauges(
    material: Material, check: Check, metric: Metric, value: float, end: int, labels: dict[str, str]
) -> Iterator[Series]:
    for region in check.regions or tuple(region.name for region in material.deployment.regions):
        base = {m.ISSUER: check.issuer.name, m.TARGET: check.target, m.PROBE: check.probe, m.REGION: region}
        yield series(metric, {**base, m.DRILL: "false", **labels}, [value] * (end + 1))


def _five_times_as_many(material: Material, check: Check, end: int) -> Iterator[Series]:
    """Refreshes, as against one for each interval and region."""
    yield from _gauges(material, check, m.INTERVAL, check.interval, end, {})
    due = tick(material.deployment).total_seconds() / check.interval  # a minute
    labels = {m.GRANT.name: Grant.REFRESH_TOKEN.value, m.OUTCOME.name: m.OK}
    for each in _gauges(material, check, m.TOKEN_RESPONSES, 0, end, labels):
        yield {**each, "values": f"0+{5 * due:.12g}x{end}"}


def _refresh_stopped(material: Material) -> Iterator[Case]:
    alert, deployment = material.alerts.get("OidcRefreshStopped"), material.deployment
    for check in material.checks:
        logins = [each for each in material.checks if each.probe == "login" and each.target == check.target]
        if alert and check.probe == "refresh" and logins:
            end, fault = 4 * material.pace + 2, Fault((Reason.REFRESH_REJECTED,))
            told = (
                *input_series(deployment, [check], lambda place, minute: State.BAD, end, fault),
                *input_series(deployment, logins, lambda place, minute: State.GOOD, end, fault),
            )
            yield Case("refreshes have stopped while logins work", told, (_firing(material, end, alert, check),))
            return
