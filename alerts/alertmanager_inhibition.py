"""Which alerts are silent while another one says more: a table, and what of it concerns the alerts of a deployment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from alerts.model import ANY, AREA, NONE, ROLE, SEVERITY, SLO, TIER, Alert, Area, Role
from alerts.promql import number
from alerts.routes import ALERTNAME
from alerts.rules_file import labels_of
from alerts.windows import BUDGET_LEFT, TIERS, Severity
from exporters import metrics as m
from exporters.slis import Matcher


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert matches `source`, those that match `target` and have the same values of `equal` are silent.

    A label that both lack counts as equal for Alertmanager, so only labels that every alert has are compared; and
    `drill` always is, so that a game day hides nothing real.
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


_OBJECTIVE = (m.ISSUER, m.TARGET, SLO, m.DRILL)
# `none` is the same word for every alert without an objective: comparing it would make strangers equal.
_HAS_SLO = Matcher(SLO, "!=", NONE)
_PAGE = Matcher(SEVERITY, "=", Severity.PAGE)
_NO_PAGE = Matcher(SEVERITY, "!=", Severity.PAGE)
_NO_SECRET = Matcher(AREA, "!=", Area.SECURITY)
_CONSEQUENCES = (Area.TOKEN, Area.KEYS, Area.LOGIN, Area.REFRESH, Area.CLIENT, Area.RESOURCE)


def _role(*roles: Role) -> Matcher:
    return Matcher(ROLE, "=" if len(roles) == 1 else "=~", "|".join(roles))


def _slower_tiers() -> Iterator[Inhibition]:
    """The fastest burn rate that fires says it all. Only symptoms: one region's ticket also names a tier."""
    symptom = _role(Role.SYMPTOM)
    for place, tier in enumerate(TIERS[:-1]):
        slower = "|".join(each.name for each in TIERS[place + 1 :])
        source = (symptom, _HAS_SLO, Matcher(TIER, "=", tier.name))
        yield Inhibition(source, (symptom, Matcher(TIER, "=~", slower)), _OBJECTIVE)


def _earlier_budgets() -> Iterator[Inhibition]:
    """Of the shares of the budget that are announced, only the smallest that was reached is news."""
    names = [f"budget-{number(left * 100)}" for left, _ in sorted(BUDGET_LEFT)]
    for place, name in enumerate(names[:-1]):
        larger = "|".join(names[place + 1 :])
        budget = _role(Role.BUDGET)
        yield Inhibition((budget, Matcher(TIER, "=", name)), (budget, Matcher(TIER, "=~", larger)), _OBJECTIVE)


INHIBITIONS: tuple[Inhibition, ...] = (
    # Who is up already needs no ticket about the same objective, be it of one region, a slower burn or the budget.
    Inhibition(
        (_PAGE, _HAS_SLO, _role(Role.SYMPTOM)),
        (Matcher(SEVERITY, "=~", f"{Severity.TICKET}|{Severity.INFO}"), Matcher(ROLE, "!=", Role.WATCHER)),
        _OBJECTIVE,
    ),
    *_slower_tiers(),
    *_earlier_budgets(),
    # When the provider is down, every client of it fails: one page, and not one for each client. Only a page hides
    # (a ticket must not silence a page), and never security, drills or the watcher, which the provider does not break.
    Inhibition(
        (_PAGE, _role(Role.CAUSE), Matcher(AREA, "=", Area.PROVIDER), Matcher(m.TARGET, "=", ANY)),
        (
            _role(Role.SYMPTOM, Role.CAUSE, Role.REGION),
            Matcher(AREA, "!~", f"{Area.SECURITY}|{Area.DRILL}|{Area.PROBE}"),
            Matcher(m.TARGET, "!=", ANY),
        ),
        (m.ISSUER, m.DRILL),
    ),
    # When not even the discovery document comes, what else fails at that issuer follows from it. A certificate or a
    # clock may be why, and stays.
    Inhibition(
        (_PAGE, Matcher(ALERTNAME, "=", "OidcProviderDown")),
        (_role(Role.SYMPTOM, Role.CAUSE, Role.REGION), Matcher(AREA, "=~", "|".join(_CONSEQUENCES))),
        (m.ISSUER, m.DRILL),
    ),
    # What a cause tells of the keys or of the certificate names the broken rules too. A page hides pages and tickets, a
    # ticket hides tickets; whoever keeps the keys safe is told in any case.
    Inhibition(
        (_PAGE, _role(Role.CAUSE), _NO_SECRET), (_PAGE, _role(Role.FINDING), _NO_SECRET), (m.ISSUER, AREA, m.DRILL)
    ),
    Inhibition((_role(Role.CAUSE), _NO_SECRET), (_NO_PAGE, _role(Role.FINDING), _NO_SECRET), (m.ISSUER, AREA, m.DRILL)),
    # A broken rule that wakes somebody is no ticket as well.
    Inhibition(
        (_PAGE, _role(Role.FINDING)),
        (_NO_PAGE, _role(Role.FINDING), _NO_SECRET),
        (m.ISSUER, m.FINDING.name, m.DRILL),
    ),
    # When no agent shows anything, that checks and regions stand still follows.
    Inhibition(
        (_role(Role.WATCHER), _PAGE, Matcher(ALERTNAME, "=~", ".*Absent"), Matcher(m.ISSUER, "=", ANY)),
        (_role(Role.WATCHER), Matcher(ALERTNAME, "=~", ".*Stalled")),
        (m.DRILL,),
    ),
)

_HOLDS: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {
        "=": lambda value, wanted: value == wanted,
        "!=": lambda value, wanted: value != wanted,
        "=~": lambda value, pattern: re.fullmatch(pattern, value) is not None,
        "!~": lambda value, pattern: re.fullmatch(pattern, value) is None,
    }
)


def inhibitions_for(alerts: Sequence[Alert]) -> tuple[Inhibition, ...]:
    """The rows of the table that two of these alerts can meet; the others would only puzzle the reader."""
    labels = tuple(map(_known, alerts))
    return tuple(rule for rule in INHIBITIONS if _is_met(rule, labels))


def may_hide(rule: Inhibition, source: Alert, target: Alert) -> bool:
    """Whether the rule can ever silence `target` for `source`: labels that differ from firing to firing may agree."""
    hiding, hidden = _known(source), _known(target)
    return _may_match(rule.source, hiding) and _may_match(rule.target, hidden) and _may_agree(rule, hiding, hidden)


def _is_met(rule: Inhibition, alerts: Sequence[Mapping[str, str]]) -> bool:
    sources = [labels for labels in alerts if _may_match(rule.source, labels)]
    targets = [labels for labels in alerts if _may_match(rule.target, labels)]
    return any(source is not target and _may_agree(rule, source, target) for source in sources for target in targets)


def _may_agree(rule: Inhibition, source: Mapping[str, str], target: Mapping[str, str]) -> bool:
    return all(source[label] == target[label] for label in rule.equal if label in source and label in target)


def _known(alert: Alert) -> dict[str, str]:
    """The labels that are the same at every firing."""
    return {ALERTNAME: alert.name, **labels_of(alert)}


def _may_match(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    return all(
        _HOLDS[matcher.op](labels[matcher.label], matcher.value) for matcher in matchers if matcher.label in labels
    )
