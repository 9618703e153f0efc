"""Writes the Alertmanager configuration and the message templates that it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from alerts.alertmanager_inhibition import Inhibition, inhibitions_for
from alerts.alertmanager_receivers import Receiver, receivers_of
from alerts.alertmanager_times import interval_document, intervals_of
from alerts.deployment import Deployment
from alerts.model import Alert
from alerts.promql import duration
from alerts.routes import Route, RouteTest, routing_tree
from alerts.rules_file import dump

TEMPLATES = "oidcwatch.tmpl"
"""The file that must lie beside the configuration."""


def alertmanager_yaml(deployment: Deployment, alerts: Sequence[Alert], *, templates_at: str = TEMPLATES) -> str:
    """The configuration for Alertmanager 0.25 and newer; a relative `templates_at` starts from its folder.

    Raises ValueError for receivers and times that Alertmanager would refuse, and for secrets that are written out.
    """
    document = {
        "templates": [templates_at],
        "route": _route(routing_tree(deployment)),
        "inhibit_rules": [_inhibition(rule) for rule in inhibitions_for(alerts)],
        "time_intervals": [interval_document(interval) for interval in intervals_of(deployment)],
        "receivers": [_receiver(receiver) for receiver in receivers_of(deployment)],
    }
    return dump(document)


def templates() -> str:
    """The message templates, in Go's template language: the content of `oidcwatch.tmpl`."""
    return files("alerts").joinpath("templates", TEMPLATES).read_text(encoding="utf-8")


def routes_test_yaml(tests: Sequence[RouteTest]) -> str:
    """What every alert must reach, as a file that people and other tools can read."""
    return dump({"tests": [{"labels": dict(test.labels), "receiver": test.receiver} for test in tests]})


def _route(route: Route) -> dict[str, Any]:
    document: dict[str, Any] = {"receiver": route.receiver}
    if route.matchers:
        document["matchers"] = [str(matcher) for matcher in route.matchers]
    if route.group_by:
        document["group_by"] = list(route.group_by)
    times = {"group_wait": route.wait, "group_interval": route.interval, "repeat_interval": route.repeat}
    document |= {name: duration(length) for name, length in times.items() if length is not None}
    lists: Mapping[str, Sequence[object]] = {
        "active_time_intervals": route.active,
        "mute_time_intervals": route.mute,
        "routes": [_route(child) for child in route.routes],
    }
    return document | {name: list(values) for name, values in lists.items() if values}


def _inhibition(rule: Inhibition) -> dict[str, Any]:
    return {
        "source_matchers": [str(matcher) for matcher in rule.source],
        "target_matchers": [str(matcher) for matcher in rule.target],
        "equal": list(rule.equal),
    }


def _receiver(receiver: Receiver) -> dict[str, Any]:
    document: dict[str, Any] = {"name": receiver.name}
    for kind, fields in receiver.configs:
        document.setdefault(f"{kind}_configs", []).append(dict(fields))
    return document
