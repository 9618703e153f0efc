"""Rules and routes as objects of prometheus-operator: PrometheusRule, and AlertmanagerConfig or a whole Secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from alerts.alertmanager import TEMPLATES, alertmanager_yaml, templates
from alerts.alertmanager_inhibition import Inhibition, inhibitions_for
from alerts.alertmanager_receivers import Receiver, receivers_of
from alerts.alertmanager_times import Interval, Span, intervals_of
from alerts.deployment import Deployment
from alerts.model import Alert, Group
from alerts.promql import duration
from alerts.routes import Route, routing_tree
from alerts.rules_file import dump, group_document
from exporters.slis import Matcher

NAME = "oidcwatch"
LABELS: Mapping[str, str] = MappingProxyType({"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": NAME})
"""Of every object. Which ones an operator selects is its own setting (`ruleSelector`), so callers may add theirs."""
LARGEST = 900_000
"""Bytes of one object. etcd takes 1.5 MiB a request by default, and what the API server adds must fit in too."""

# The fields of Alertmanager that prometheus-operator spells in another way than camel case would.
_SPELLED: Mapping[str, str] = MappingProxyType(
    {
        "api_url": "apiURL",
        "client_url": "clientURL",
        "icon_url": "iconURL",
        "image_url": "imageURL",
        "thumb_url": "thumbURL",
        "require_tls": "requireTLS",
        "force_implicit_tls": "forceImplicitTLS",
    }
)
# Files that hold a secret, and the field that names the same secret as an object of the cluster.
_SECRETS: Mapping[str, str] = MappingProxyType(
    {
        "url_file": "urlSecret",
        "api_url_file": "apiURL",
        "api_key_file": "apiKey",
        "routing_key_file": "routingKey",
        "service_key_file": "serviceKey",
        "auth_password_file": "authPassword",
        "auth_secret_file": "authSecret",
    }
)
# Free names that the user or we chose: pairs in this shape.
_PAIRS = frozenset({"details", "headers"})
# The operator writes the configuration into another folder than the one with the rest of its secret.
_MOUNTED = "/etc/alertmanager/config"
_INSTEAD = "To have it all, give the operator the whole configuration (Alertmanager.spec.configSecret)."
_OUR_TEMPLATE = re.compile(r'\{\{ template "oidcwatch\.')


def prometheus_rules(
    deployment: Deployment,
    groups: Sequence[Group],
    *,
    name: str = NAME,
    namespace: str = "",
    labels: Mapping[str, str] = LABELS,
    largest: int = LARGEST,
) -> str:
    """PrometheusRule objects (monitoring.coreos.com/v1), as many as keep each under `largest` bytes of JSON."""
    parts = list(_parts([group_document(group, deployment) for group in groups], largest))
    names = [name] if len(parts) == 1 else [f"{name}-{number}" for number in range(1, len(parts) + 1)]
    return "---\n".join(
        dump(_object("monitoring.coreos.com/v1", "PrometheusRule", each, namespace, labels, {"groups": part}))
        for each, part in zip(names, parts, strict=True)
    )


def _parts(groups: Sequence[dict[str, Any]], largest: int) -> Iterator[list[dict[str, Any]]]:
    """The groups in order, cut into runs that are small enough. A group is never cut: its rules build on each other."""
    part: list[dict[str, Any]] = []
    size = 0
    for group in groups:
        length = len(json.dumps(group).encode())
        if part and size + length > largest:
            yield part
            part, size = [], 0
        part.append(group)
        size += length
    yield part


def alertmanager_config(
    deployment: Deployment,
    alerts: Sequence[Alert],
    *,
    name: str = NAME,
    namespace: str = "",
    labels: Mapping[str, str] = LABELS,
) -> str:
    """An AlertmanagerConfig (monitoring.coreos.com/v1alpha1) that routes like `alertmanager_yaml`.

    Message templates are written into the fields, since the object has no place for files. A secret of file
    `.../NAME/KEY` becomes the key KEY of the cluster's secret NAME, which is how the operator mounts secrets. The
    operator's `alertmanagerConfigMatcherStrategy` must be `None` where alerts carry no label `namespace`.

    Hours in another time zone than UTC cannot be said. They are left out, so that more is notified and not less, and
    the first lines of the text name them. Raises ValueError for nested fields such as `http_config`.
    """
    intervals = intervals_of(deployment)
    said = tuple(interval for interval in intervals if all(span.location == "UTC" for span in interval.spans))
    spec = {
        "route": _route(_within(routing_tree(deployment), frozenset(interval.name for interval in said))),
        "inhibitRules": [_inhibition(rule) for rule in inhibitions_for(alerts)],
        "muteTimeIntervals": [_interval(interval) for interval in said],
        "receivers": [_receiver(receiver) for receiver in receivers_of(deployment)],
    }
    missing = ", ".join(interval.name for interval in intervals if interval not in said)
    text = dump(_object("monitoring.coreos.com/v1alpha1", "AlertmanagerConfig", name, namespace, labels, spec))
    return (
        f"# Left out, since an AlertmanagerConfig has hours in UTC only: {missing}.\n# {_INSTEAD}\n{text}"
        if missing
        else text
    )


def alertmanager_secret(
    deployment: Deployment,
    alerts: Sequence[Alert],
    *,
    name: str = f"{NAME}-alertmanager",
    namespace: str = "",
    labels: Mapping[str, str] = LABELS,
) -> str:
    """The whole configuration and its templates as the object that `Alertmanager.spec.configSecret` names.

    It says all that an AlertmanagerConfig cannot. Despite its kind it holds no secret, only names of files.
    """
    metadata = _object("v1", "Secret", name, namespace, labels, {})
    del metadata["spec"]
    text = alertmanager_yaml(deployment, alerts, templates_at=f"{_MOUNTED}/{TEMPLATES}")
    return dump({**metadata, "type": "Opaque", "stringData": {"alertmanager.yaml": text, TEMPLATES: templates()}})


def _within(route: Route, intervals: frozenset[str]) -> Route:
    """The route with these time intervals only; children that were there for another one are gone."""
    routes = (_within(child, intervals) for child in route.routes)
    return replace(
        route,
        active=tuple(name for name in route.active if name in intervals),
        mute=tuple(name for name in route.mute if name in intervals),
        routes=tuple(new for new, old in zip(routes, route.routes, strict=True) if new.mute or not old.mute),
    )


def _object(
    version: str, kind: str, name: str, namespace: str, labels: Mapping[str, str], spec: Mapping[str, object]
) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(labels)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _route(route: Route) -> dict[str, Any]:
    times = {"groupWait": route.wait, "groupInterval": route.interval, "repeatInterval": route.repeat}
    lists: Mapping[str, Sequence[object]] = {
        "matchers": [_matcher(matcher) for matcher in route.matchers],
        "groupBy": route.group_by,
        "activeTimeIntervals": route.active,
        "muteTimeIntervals": route.mute,
        "routes": [_route(child) for child in route.routes],
    }
    return {
        "receiver": route.receiver,
        **{name: list(values) for name, values in lists.items() if values},
        **{name: duration(length) for name, length in times.items() if length is not None},
    }


def _matcher(matcher: Matcher) -> dict[str, str]:
    return {"name": matcher.label, "matchType": matcher.op, "value": str(matcher.value)}


def _inhibition(rule: Inhibition) -> dict[str, Any]:
    return {
        "sourceMatch": [_matcher(matcher) for matcher in rule.source],
        "targetMatch": [_matcher(matcher) for matcher in rule.target],
        "equal": list(rule.equal),
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {"name": interval.name, "timeIntervals": [_span(span) for span in interval.spans]}


def _span(span: Span) -> dict[str, Any]:
    times = {"times": [{"startTime": span.start, "endTime": span.end}]} if span.start else {}
    return {**({"weekdays": list(span.weekdays)} if span.weekdays else {}), **times}


def _receiver(receiver: Receiver) -> dict[str, Any]:
    document: dict[str, Any] = {"name": receiver.name}
    for kind, fields in receiver.configs:
        document.setdefault(f"{kind}Configs", []).append(dict(_field(*field) for field in fields.items()))
    return document


def _field(name: str, value: object) -> tuple[str, Any]:
    first, *rest = name.split("_")
    spelled = _SPELLED.get(name, first + "".join(part.capitalize() for part in rest))
    if name in _SECRETS:
        return _SECRETS[name], _secret(str(value))
    if name in _PAIRS and isinstance(value, Mapping):
        return spelled, [{"key": key, "value": _inlined(each)} for key, each in value.items()]
    if isinstance(value, Mapping | list):
        raise ValueError(  # noqa: TRY004 - right for Alertmanager, and not sayable here
            f"{name}: has another shape in an AlertmanagerConfig. {_INSTEAD}"
        )
    return spelled, _inlined(value)


def _inlined(value: object) -> object:
    """A message with the templates that it calls: the operator's object cannot refer to a file."""
    return templates() + value if isinstance(value, str) and _OUR_TEMPLATE.search(value) else value


def _secret(path: str) -> dict[str, str]:
    """The secret that a file is a key of; `oidcwatch` where its folder cannot be the name of one."""
    *_, folder, key = ("", *PurePosixPath(path).parts)
    named = re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", folder)
    return {"name": folder if named else NAME, "key": re.sub(r"[^A-Za-z0-9._-]", "-", key)}
