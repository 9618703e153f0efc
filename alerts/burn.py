"""Alerts of one objective: burn rates with enough evidence, one region alone, and the budget that is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from alerts import series as s
from alerts.arithmetic import k_needed
from alerts.deployment import Deployment, Slo
from alerts.model import Alert, Area, Condition, Level, Role
from alerts.promql import duration, number
from alerts.recording import burns_events, has_events, has_slices, of, short_window, slice_length
from alerts.texts import AT_ISSUER, AT_TARGET, value_of
from alerts.windows import BUDGET_LEFT, FAST, Severity, Tier
from exporters import metrics as m
from exporters.slis import Matcher

_HOUR = timedelta(hours=1)
_MIN_SLICES = 3
_MIN_REGION_FAILURES = 5
KEEP: Mapping[Severity, timedelta] = MappingProxyType(
    {
        Severity.PAGE: timedelta(minutes=5),  # one good run between two bad ones is no end
        Severity.TICKET: timedelta(hours=1),  # a slow burn hovers about its threshold: that is one ticket, not twenty
        Severity.INFO: timedelta(0),
    }
)

AREAS: Mapping[str, Area] = MappingProxyType(
    {
        "login-success": Area.LOGIN,
        "token-validation": Area.KEYS,
        "idp-availability": Area.PROVIDER,
        "token-latency": Area.TOKEN,
        "token-errors": Area.TOKEN,
        "jwks-fetch": Area.KEYS,
        "jwks-freshness": Area.KEYS,
        "refresh-success": Area.REFRESH,
    }
)
"""Where the cause of a burning objective is looked for first."""

IMPACT: Mapping[str, str] = MappingProxyType(
    {
        "login-success": "Users cannot sign in.",
        "token-validation": "Services refuse tokens that users and machines have just been given.",
        "idp-availability": "Nobody can sign in, and services cannot get tokens or keys.",
        "token-latency": "Sign-in and calls between services are slow; short client time-outs turn it into failures.",
        "token-errors": "Sign-ins stop at the last step, and services get no tokens.",
        "jwks-fetch": "Services that start now, or see a new key, cannot verify tokens.",
        "jwks-freshness": "After the next key rotation services refuse valid tokens.",
        "refresh-success": "Users are signed out when their access token ends.",
    }
)


def camel(name: str) -> str:
    """`login-success` as part of an alert's name: `LoginSuccess`."""
    return "".join(part.capitalize() for part in name.split("-"))


def burn_threshold(slo: Slo, tier: Tier) -> Decimal:
    """The share of bad events or slices above which the tier burns."""
    return (tier.factor(slo.window) * slo.budget).normalize()


def burn_alerts(deployment: Deployment, slo: Slo) -> Iterator[Alert]:
    """Every alert of one objective, the most urgent first."""
    for tier in deployment.tiers_of(slo):
        yield _burn(deployment, slo, tier)
    if has_events(slo) and FAST in deployment.tiers_of(slo):
        yield _one_region(deployment, slo)
    for left, severity in BUDGET_LEFT:
        yield _budget(slo, left, severity)


def _where(slo: Slo) -> str:
    return AT_ISSUER if slo.sli.issuer_wide else AT_TARGET


def _level(slo: Slo) -> Level:
    return Level.ISSUER if slo.sli.issuer_wide else Level.TARGET


def _burn(deployment: Deployment, slo: Slo, tier: Tier) -> Alert:
    clauses = []
    if has_slices(slo):
        clauses.append(_slices_burn(deployment, slo, tier))
    if burns_events(slo):
        clauses.append(_events_burn(deployment, slo, tier))
    long, factor = duration(tier.long), number(tier.factor(slo.window))
    if burns_events(slo):
        bad, total = (value_of(s.over(name, tier.long), slo=slo.name) for name in (s.BAD, s.TOTAL))
        evidence = f"{bad} of {total} bad in {long}"
    else:
        share = value_of(s.over(s.SLICE_BAD_AVG, tier.long), slo=slo.name, form="%.3f")
        evidence = f"a share of {share} of the last {long} was bad"
    return Alert(
        name=f"Oidc{camel(slo.name)}Burn{tier.name.capitalize()}",
        severity=tier.severity,
        area=AREAS.get(slo.sli.name, Area.PROVIDER),
        role=Role.SYMPTOM,
        level=_level(slo),
        any_of=tuple(clauses),
        summary=f"{_where(slo)}: the error budget of {slo.name} burns {factor} times too fast: {evidence}",
        impact=IMPACT[slo.sli.name],
        slo=slo.name,
        tier=tier.name,
        keep_firing=KEEP[tier.severity],
        about=_about(deployment, slo, tier),
        runs_on=tuple(sorted(slo.sli.probes)),
    )


def _slices_burn(deployment: Deployment, slo: Slo, tier: Tier) -> tuple[Condition, ...]:
    threshold, short = burn_threshold(slo, tier), short_window(deployment, slo, tier)
    over = tuple(
        Condition(f"Share of bad slices in {duration(w)}", of(s.over(s.SLICE_BAD_AVG, w), slo), ">", threshold)
        for w in (tier.long, short)
    )
    count = of(s.over(s.SLICE_BAD_SUM, tier.long), slo)
    return (*over, Condition(f"Bad slices in {duration(tier.long)}", count, ">=", slices_floor(deployment, slo, tier)))


def slices_floor(deployment: Deployment, slo: Slo, tier: Tier) -> Decimal:
    """Bad slices below which it never fires: as many as make the share sure (Wilson), and never fewer than three.

    While one region is down, each stray failure of another one makes a bad slice: a few in six hours are no outage.
    """
    slices = tier.long // slice_length(deployment, slo)
    return Decimal(max(k_needed(slices, float(burn_threshold(slo, tier))) or 0, _MIN_SLICES))


def _events_burn(deployment: Deployment, slo: Slo, tier: Tier) -> tuple[Condition, ...]:
    threshold, short = burn_threshold(slo, tier), short_window(deployment, slo, tier)
    long = duration(tier.long)
    sure = (
        Condition(f"Share of bad events in {long}, at least", of(s.over(s.WILSON, tier.long), slo), ">", threshold),
        Condition(f"Share of bad events in {duration(short)}", of(s.over(s.RATIO, short), slo), ">", threshold),
        Condition(f"Bad events in {long}", of(s.over(s.BAD, tier.long), slo), ">=", floor_of(deployment, slo, tier)),
    )
    if tier.severity is not Severity.PAGE:
        return sure
    agree = Decimal(deployment.alerting.min_regions)
    # In the short window too: after an incident everywhere, trouble in one region is that region's alone.
    regions = (
        Condition(f"Regions with bad events in {duration(w)}", of(s.over(s.BAD_REGIONS, w), slo), ">=", agree)
        for w in (tier.long, short)
    )
    together = (*sure, *regions)
    if agree < 2:
        return together
    # One stray failure elsewhere is no second region: at 0.2 % noise there is one in nearly every hour. What is left
    # without the worst region must be bad by itself.
    elsewhere = of(s.over(s.WILSON_ELSEWHERE, tier.long), slo)
    return (*together, Condition(f"Share without the worst region in {long}, at least", elsewhere, ">", threshold))


def floor_of(deployment: Deployment, slo: Slo, tier: Tier) -> Decimal:
    """Bad events below which it never fires, however few runs there were yet: as many as a full window needs.

    Half an event less, for increase() estimates what happens between scrapes and is rarely a whole number.
    """
    runs = deployment.expected_runs(slo, tier.long)
    k = k_needed(max(runs, 1), float(burn_threshold(slo, tier))) or 1
    return Decimal(max(k, 2)) - Decimal("0.5")


def _about(deployment: Deployment, slo: Slo, tier: Tier) -> str:
    budget, window = number(tier.share * 100), duration(slo.window)
    threshold, short = number(burn_threshold(slo, tier)), duration(short_window(deployment, slo, tier))
    long, runs = duration(tier.long), deployment.expected_runs(slo, tier.long)
    text = (
        f"At this pace {budget} % of the budget of {window} are gone in {long}. The share of what is bad must exceed "
        f"{threshold} over {long} and over {short} too, so that the alert ends soon after the trouble does."
    )
    if burns_events(slo):
        k = int(floor_of(deployment, slo, tier) + Decimal("0.5"))
        text += (
            f" Of the about {runs} runs in {long} at least {k} must be bad: with fewer, the share is not known well "
            "enough (Wilson's bound at 95 %)."
        )
    if tier.severity is Severity.PAGE:
        text += f" Fewer than {deployment.alerting.min_regions} regions that agree wake nobody."
    return text


def _one_region(deployment: Deployment, slo: Slo) -> Alert:
    threshold = burn_threshold(slo, FAST)
    labels = (m.ISSUER, m.TARGET, m.REGION, m.DRILL)
    bad, total = (value_of(s.over(name, _HOUR), labels, slo=slo.name) for name in (s.REGION_BAD, s.REGION_TOTAL))
    short = short_window(deployment, slo, FAST)
    recent = f"{of(s.over(s.REGION_BAD, short), slo)} / ({of(s.over(s.REGION_TOTAL, short), slo)} > 0)"
    floor = Decimal(_MIN_REGION_FAILURES) - Decimal("0.5")
    return Alert(
        name=f"Oidc{camel(slo.name)}Region",
        severity=Severity.TICKET,
        area=AREAS.get(slo.sli.name, Area.PROVIDER),
        role=Role.REGION,
        level=Level.REGION,
        any_of=(
            (
                Condition("Share of bad events in 1h, at least", of(s.over(s.REGION_WILSON, _HOUR), slo), ">", threshold),
                Condition(f"Share of bad events in {duration(short)}", recent, ">", threshold),
                Condition("Bad events in 1h", of(s.over(s.REGION_BAD, _HOUR), slo), ">=", floor),
            ),
        ),
        summary=f"{_where(slo)} from {{{{ $labels.region }}}}: {bad} of {total} bad in 1h",
        impact=f"Users of that region: {IMPACT[slo.sli.name][0].lower()}{IMPACT[slo.sli.name][1:]}",
        slo=slo.name,
        tier=FAST.name,
        about="One region alone fails. Its network or an edge of the provider is the first suspect, so nobody is paged; "
        "the alert is silent while a page of the same objective fires.",
        runs_on=tuple(sorted(slo.sli.probes)),
    )  # fmt: skip


def _budget(slo: Slo, left: Decimal, severity: Severity) -> Alert:
    percent = number(left * 100)
    rest = value_of(s.BUDGET_LEFT, slo=slo.name, form="%.3f")
    series = of(s.BUDGET_LEFT, slo, Matcher(m.DRILL, "=", "false"))
    state = f"no more than {percent} % of the error budget is left" if left else "the error budget is spent"
    return Alert(
        name=f"Oidc{camel(slo.name)}Budget{percent if left else 'Spent'}",
        severity=severity,
        area=AREAS.get(slo.sli.name, Area.PROVIDER),
        role=Role.BUDGET,
        level=_level(slo),
        any_of=((Condition("Error budget left", series, "<=", left),),),
        summary=f"{_where(slo)}: {state} ({slo.sli.title.lower()}; share left {rest})",
        impact="Nothing breaks now; the promise for the window is at risk." if left else "The promise is broken.",
        slo=slo.name,
        tier=f"budget-{percent}",
        lasting=timedelta(minutes=15),
        about="The budget is what the objective allows to be bad over its whole window. In its first days a series has "
        "not seen a window: what is left is judged by the events of a whole one, extrapolated from its rate.",
        drills=False,
        runs_on=tuple(sorted(slo.sli.probes)),
    )
