"""Causes that are measured and not failed for: ages, expiry, offsets, agreement, and refreshes that run or rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal

from alerts import series as s
from alerts.causes_evidence import BY, RUNS
from alerts.causes_model import FIVE_MINUTES, STEADY, longest_window
from alerts.deployment import Deployment
from alerts.model import Alert, Area, Condition, Level, Role
from alerts.promql import duration
from alerts.texts import AT_ISSUER, AT_TARGET
from alerts.windows import Severity
from exporters import metrics as m
from exporters.slis import Matcher
from probes.checks.token import Grant
from probes.model import Check, Outcome, Quantity
from probes.registry import PROBES

_ISSUER, _TARGET = BY[Level.ISSUER], BY[Level.TARGET]
_HALF = Decimal("0.5")
_LOOP = Decimal(3)
_QUARTER = timedelta(minutes=15)
_CERTIFICATE = ((Decimal(21), Severity.TICKET, "Expiring"), (Decimal(3), Severity.PAGE, "ExpiresSoon"))
_VALUE = '{{ $value | printf "%.1f" }}'


def measured_alerts(deployment: Deployment) -> Iterator[Alert]:
    """Those that the deployment's checks measure."""
    if _measuring(deployment, Quantity.TLS_EXPIRY) and any(i.url.startswith("https:") for i in deployment.issuers):
        for days, severity, name in _CERTIFICATE:
            yield _certificate(deployment, days, severity, name)
    if keys := _of_kind(deployment, "jwks"):
        yield _jwks_stale(deployment, keys)
    if refreshes := _of_kind(deployment, "refresh"):
        yield _refresh_loop(deployment, refreshes)
        if _of_kind(deployment, "login"):
            yield _refresh_stopped(deployment, refreshes)


def clock_clauses(deployment: Deployment) -> tuple[tuple[Condition, ...], ...]:
    """The middle one of all measured offsets against the policy, for each limit that an issuer has.

    The middle: where one region's own clock is off, the others outvote it.
    """
    if not _measuring(deployment, Quantity.CLOCK_OFFSET):
        return ()
    by_limit: dict[float, list[str]] = {}
    for issuer in deployment.issuers:
        by_limit.setdefault(issuer.policy.max_clock_offset, []).append(issuer.name)
    return tuple(_clock(limit, names, only=len(by_limit) == 1) for limit, names in sorted(by_limit.items()))


def _clock(limit: float, issuers: list[str], *, only: bool) -> tuple[Condition, ...]:
    which = "" if only else f"{{{Matcher(m.ISSUER, '=~', '|'.join(issuers))}}}"
    middle = f"abs(quantile by ({_ISSUER}) (0.5, {m.CLOCK_OFFSET.name}{which}))"
    return (Condition("Seconds by which the provider's clock differs", middle, ">", Decimal(str(limit))),)


def disagreement(deployment: Deployment) -> tuple[Condition, ...]:
    """Not one poll for a while in which all samples saw the same keys: a rotation spreads faster than that."""
    window = longest_window(deployment, _of_kind(deployment, "jwks"), _QUARTER)
    best = f"max_over_time({m.JWKS_AGREEMENT.name}[{duration(deployment.paced(window))}])"
    title = f"Best agreement of the key sets in {duration(window)}"
    return (Condition(title, f"max by ({_ISSUER}) ({best})", "<", Decimal(1)),)


def no_token_errors(deployment: Deployment, outcomes: Iterable[str], window: timedelta) -> Condition:
    """Fewer failed token requests than would name the token endpoint as the cause."""
    selector = f"{m.TOKEN_RESPONSES.name}{{{Matcher(m.OUTCOME.name, '=~', '|'.join(outcomes))}}}"
    failed = f"sum by ({_TARGET}) (increase({selector}[{duration(deployment.paced(window))}]))"
    return Condition(f"Failed token requests in {duration(window)}", failed, "<", STEADY.floor - _HALF)


def _certificate(deployment: Deployment, days: Decimal, severity: Severity, name: str) -> Alert:
    left = f"(min by ({_ISSUER}) ({m.TLS_EXPIRY.name}) - time()) / 86400"
    return Alert(
        name=f"OidcCertificate{name}",
        severity=severity,
        area=Area.CERTIFICATE,
        role=Role.CAUSE,
        level=Level.ISSUER,
        any_of=((Condition("Days until the first certificate expires", left, "<", days),),),
        summary=f"{AT_ISSUER}: a certificate expires in {_VALUE} days",
        impact="None yet. After that browsers warn, and services cannot connect.",
        lasting=_QUARTER,
        about="The earliest end among the certificates that any endpoint presented to any region: one edge that was "
        "forgotten at the renewal is enough.",
        runs_on=_measuring(deployment, Quantity.TLS_EXPIRY),
    )


def _jwks_stale(deployment: Deployment, checks: tuple[Check, ...]) -> Alert:
    limit = longest_window(deployment, checks, FIVE_MINUTES)
    jwks = Matcher(m.PROBE, "=", "jwks")
    fetched, ran, interval = (f"{row.name}{{{jwks}}}" for row in (m.JWKS_LAST_FETCH, m.LAST_RUN, m.INTERVAL))
    # A probe that has stopped has an old key set too, and says nothing about the provider.
    newest = f"max by ({_ISSUER}) ({fetched} and (time() - {ran} < 3 * {interval}))"
    seconds = Decimal(str(deployment.paced(limit).total_seconds()))
    return Alert(
        name="OidcJwksStale",
        severity=Severity.TICKET,
        area=Area.KEYS,
        role=Role.CAUSE,
        level=Level.ISSUER,
        any_of=((Condition("Age of the newest good key set, seconds", f"time() - {newest}", ">", seconds),),),
        summary=f'{AT_ISSUER}: no region has seen a good key set for {{{{ $value | printf "%.0f" }}}} seconds',
        impact="Services that start now cannot verify tokens; after the next rotation the others cannot either.",
        about="The age in the region that was served last; probes that do not run are left out.",
        runs_on=("jwks",),
    )


def _refresh_loop(deployment: Deployment, checks: tuple[Check, ...]) -> Alert:
    window = longest_window(deployment, checks, _QUARTER)
    paced = deployment.paced(window)
    selector = f"{m.TOKEN_RESPONSES.name}{{{Matcher(m.GRANT.name, '=', Grant.REFRESH_TOKEN)}}}"
    seen = f"sum by ({_TARGET}) (increase({selector}[{duration(paced)}]))"
    seconds = f"{paced.total_seconds():g}"
    due = f"sum by ({_TARGET}) ({seconds} / ({m.INTERVAL.name}{{{Matcher(m.PROBE, '=', 'refresh')}}} > 0))"
    title = f"Refreshes in {duration(window)}, as a multiple of those that are due"
    return Alert(
        name="OidcRefreshLoop",
        severity=Severity.TICKET,
        area=Area.REFRESH,
        role=Role.CAUSE,
        level=Level.TARGET,
        any_of=((Condition(title, f"{seen} / {due}", ">", _LOOP),),),
        lasting=timedelta(minutes=1),
        summary=f"{AT_TARGET}: {_VALUE} times as many refreshes as are due in {duration(window)}",
        impact="The provider may limit the rate, or take a token that is used twice for theft and end the session.",
        about="Requests with a refresh token at the token endpoint against one for each interval and region.",
        runs_on=("refresh",),
    )


def _refresh_stopped(deployment: Deployment, checks: tuple[Check, ...]) -> Alert:
    window = longest_window(deployment, checks, FIVE_MINUTES)
    within = duration(window)

    def runs(probe: str, result: Outcome) -> str:
        matchers = f"{Matcher(m.PROBE, '=', probe)},{Matcher(m.RESULT.name, '=', result)}"
        return f"sum by ({_TARGET}) ({s.over(RUNS, window)}{{{matchers}}})"

    return Alert(
        name="OidcRefreshStopped",
        severity=Severity.TICKET,
        area=Area.REFRESH,
        role=Role.CAUSE,
        level=Level.TARGET,
        any_of=(
            (
                Condition(f"Refreshes that succeed in {within}", runs("refresh", Outcome.SUCCESS), "<", _HALF),
                Condition(f"Refreshes that fail in {within}", runs("refresh", Outcome.FAILURE), ">=", 3 - _HALF),
                Condition(f"Logins that succeed in {within}", runs("login", Outcome.SUCCESS), ">=", _HALF),
            ),
        ),
        summary=f"{AT_TARGET}: users sign in, and no refresh has succeeded in {within}",
        impact="Users are signed out when their access token ends, and can sign in again.",
        about="Not a single success, at least three failures, and logins that work: it is the refresh and no outage.",
        runs_on=("login", "refresh"),
    )


def _of_kind(deployment: Deployment, kind: str) -> tuple[Check, ...]:
    return tuple(check for check in deployment.checks if check.probe == kind)


def _measuring(deployment: Deployment, quantity: Quantity) -> tuple[str, ...]:
    """Kinds of configured probes that measure it."""
    return tuple(sorted({c.probe for c in deployment.checks if quantity in PROBES[c.probe].quantities}))
