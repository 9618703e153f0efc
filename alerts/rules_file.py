"""Writes the catalogue as a rule file that Prometheus reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import yaml

from alerts import model
from alerts import series as s
from alerts.catalogue import groups_of
from alerts.deployment import Deployment
from alerts.links import dashboard_url, runbook_url
from alerts.model import ANY, Alert, Group, Level, Recording, Role, Team
from alerts.promql import duration
from alerts.texts import most_common
from exporters import metrics as m
from exporters.metrics import Metric
from exporters.slis import Matcher

_SHORTEST = timedelta(seconds=1)

_FIXED: Mapping[Level, Mapping[str, str]] = {
    Level.ISSUER: {m.TARGET: ANY, m.REGION: ANY},
    Level.TARGET: {m.REGION: ANY},
    Level.REGION: {},
    Level.FINDING: {m.TARGET: ANY, m.REGION: ANY},
    Level.AGENT: {m.ISSUER: ANY, m.TARGET: ANY, m.REGION: ANY, m.DRILL: "false"},
}
_OWN: Mapping[Level, tuple[str, ...]] = {
    Level.ISSUER: (m.ISSUER,),
    Level.TARGET: (m.ISSUER, m.TARGET),
    Level.REGION: (m.ISSUER, m.TARGET, m.REGION),
    Level.FINDING: (m.ISSUER,),
}
_ABOUT_FAILURES = frozenset({Role.SYMPTOM, Role.CAUSE, Role.REGION, Role.FINDING})
_RECENT = timedelta(minutes=15)
_OWNERS: Mapping[Team, tuple[str, str]] = {
    Team.ISSUER: (m.ISSUER, s.ISSUER_OWNER),
    Team.CLIENT: (f"{m.ISSUER}, {m.TARGET}", s.CLIENT_OWNER),
}


class _Dumper(yaml.SafeDumper):
    """Long expressions as blocks: a rule file is read by people when something is wrong."""


class _FastDumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # only there with libyaml
    """The same in C: a tenth of the time, which hundreds of issuers take seconds of."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
_FastDumper.add_representer(str, _text)

# libyaml 0.2 and PyYAML 6 write the same bytes but for these: characters beyond the BMP, which only libyaml escapes,
# line breaks of Unicode, an empty line at the end, and keys that are not one line.
_ODD_TEXT = re.compile(r"[\x85\u2028\u2029\ud800-\udfff\U00010000-\U0010ffff]|(\A|\n)\n\Z")
_PLAIN_KEY = re.compile(r"[ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd]+")
_NO_FOLDING = 2**31 - 1  # the two fold in different places


def dump(document: Mapping[str, object] | Sequence[object]) -> str:
    """YAML with keys in the order given and no line folding; the same bytes with and without libyaml."""
    dumper = _FastDumper if _is_same_in_c(document) else _Dumper
    return yaml.dump(document, Dumper=dumper, sort_keys=False, width=_NO_FOLDING, allow_unicode=True)


def _is_same_in_c(value: object) -> bool:
    match value:
        case str():
            return _ODD_TEXT.search(value) is None
        case dict():
            return all(_PLAIN_KEY.fullmatch(str(key)) and _is_same_in_c(each) for key, each in value.items())
        case list():
            return all(map(_is_same_in_c, value))
        case _:
            return True


_HEAD = """\
# Written by `oidcwatch generate`; a change by hand is lost at the next call.
# Whose an issuer is comes from a group of constants, and budgets are summed up in groups that run seldom:
# pint file/disable rule/dependency
"""


def rules_yaml(deployment: Deployment) -> str:
    """The whole rule file."""
    return _HEAD + dump({"groups": [group_document(group, deployment) for group in groups_of(deployment)]})


def group_document(group: Group, deployment: Deployment) -> dict[str, Any]:
    """One group as Prometheus (and prometheus-operator's PrometheusRule) has it."""
    return {
        "name": group.name,
        "interval": duration(max(deployment.paced(group.interval), _SHORTEST)),
        "rules": [_alert(rule, deployment) if isinstance(rule, Alert) else _recording(rule) for rule in group.rules],
    }


def _recording(rule: Recording) -> dict[str, Any]:
    document: dict[str, Any] = {"record": rule.record, "expr": rule.expr}
    return {**document, "labels": dict(rule.labels)} if rule.labels else document


def _alert(alert: Alert, deployment: Deployment) -> dict[str, Any]:
    document: dict[str, Any] = {"alert": alert.name, "expr": expression(alert)}
    if alert.lasting:
        document["for"] = duration(deployment.paced(alert.lasting))
    if alert.keep_firing:
        document["keep_firing_for"] = duration(deployment.paced(alert.keep_firing))
    return {**document, "labels": labels_of(alert), "annotations": annotations_of(alert, deployment)}


def expression(alert: Alert) -> str:
    """The rule's PromQL: the clauses, joined with whose they are."""
    if not isinstance(alert.owner, Team):
        return alert.condition_text
    labels, series = _OWNERS[alert.owner]
    return f"(\n{alert.condition_text}\n)\n* on ({labels}) group_left ({model.OWNER}) {series}"


def labels_of(alert: Alert) -> dict[str, str]:
    """The labels that the rule adds to those of its series."""
    owner = {} if isinstance(alert.owner, Team) else {model.OWNER: alert.owner}
    finding = {} if alert.level is Level.FINDING else {m.FINDING.name: model.NONE}
    return {
        model.SEVERITY: alert.severity.value,
        model.AREA: alert.area.value,
        model.ROLE: alert.role.value,
        model.SLO: alert.slo,
        model.TIER: alert.tier,
        **_FIXED[alert.level],
        **finding,
        **owner,
    }


def annotations_of(alert: Alert, deployment: Deployment) -> dict[str, str]:
    """What a person reads, and where it leads."""
    alerting = deployment.alerting
    return {
        "summary": alert.summary,
        "impact": alert.impact,
        "description": alert.about,
        **_failure(alert, deployment),
        "runbook_url": runbook_url(alerting, alert.name),
        "dashboard_url": dashboard_url(alerting, alert),
    }


def _failure(alert: Alert, deployment: Deployment) -> dict[str, str]:
    """The reason and the step of most failures when the alert fires; empty when no run failed."""
    if alert.role not in _ABOUT_FAILURES or alert.level is Level.AGENT:
        return {}
    labels = (*_OWN[alert.level], m.DRILL)
    kinds = [Matcher(m.PROBE, "=~", "|".join(alert.runs_on))] if alert.runs_on else []
    reasons = [Matcher(m.REASON.name, "=~", "|".join(alert.reasons))] if alert.reasons else []
    window = duration(deployment.paced(_RECENT))

    def most_of(metric: Metric, label: str, matchers: Sequence[Matcher]) -> str:
        given = "".join(f"{matcher},".replace('"', "'") for matcher in matchers)
        return most_common(label, f"{metric.name}{{{given}", labels, window)

    return {
        "reason": most_of(m.FAILURES, m.REASON.name, (*kinds, *reasons)),
        "step": most_of(m.FAILED_STEPS, m.STEP.name, kinds),
    }
