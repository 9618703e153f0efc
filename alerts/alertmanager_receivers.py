"""The configured receivers with the messages of oidcwatch, and without a single secret in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from alerts.alertmanager_fields import refusals
from alerts.deployment import Deployment, Receivers
from alerts.routes import BY_TEAM, DESTINATIONS, NOBODY, receiver_name, receiver_of

_TITLE = '{{ template "oidcwatch.title" . }}'
_BODY = '{{ template "oidcwatch.body" . }}'

KINDS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "webhook": {"send_resolved": True},
        "slack": {
            "send_resolved": True,
            "title": '{{ template "oidcwatch.slack.title" . }}',
            "title_link": "{{ .ExternalURL }}",
            "text": '{{ template "oidcwatch.slack.body" . }}',
            "fallback": '{{ template "oidcwatch.slack.title" . }}',
            "color": '{{ template "oidcwatch.color" . }}',
        },
        "pagerduty": {
            "send_resolved": True,
            "description": _TITLE,
            "severity": '{{ template "oidcwatch.pagerduty.severity" . }}',
            "client": "oidcwatch",
            "client_url": "{{ .ExternalURL }}",
            "details": {"firing": _BODY},
        },
        "opsgenie": {
            "send_resolved": True,
            "message": _TITLE,
            "description": _BODY,
            "priority": '{{ template "oidcwatch.opsgenie.priority" . }}',
        },
        "email": {
            "send_resolved": True,
            "headers": {"Subject": _TITLE},
            "text": _BODY,
            "html": '{{ template "oidcwatch.email.html" . }}',
        },
    }
)
"""By kind: the fields that are set where the configuration does not."""

# That the sign of life has ended must not reach the dead man's switch as one more sign of life.
_OF_ROUTE: Mapping[str, Mapping[str, object]] = MappingProxyType({"deadman": {"send_resolved": False}})


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver. `configs` are pairs of a kind and Alertmanager's fields for it."""

    name: str
    configs: tuple[tuple[str, Mapping[str, object]], ...] = ()


def receivers_of(deployment: Deployment) -> tuple[Receiver, ...]:
    """One receiver for each destination that has somebody and for each team that has its own, and `nobody` if needed.

    Raises ValueError, naming the field and never its value, for a destination or kind that there is not, and for a
    secret that is written out.
    """
    alerting = deployment.alerting
    named = [*_receivers(alerting.receivers, tuple(each.name for each in DESTINATIONS), "alerting.receivers")]
    for team, receivers in alerting.teams.items():
        named += _receivers(receivers, BY_TEAM, f"alerting.teams.{team}", team)
    lost = any(receiver_of(deployment, each.name) == NOBODY for each in DESTINATIONS)
    return (*named, *((Receiver(NOBODY),) if lost else ()))


def _receivers(configured: Receivers, routes: tuple[str, ...], where: str, team: str = "") -> Iterator[Receiver]:
    for name in configured:
        if name not in routes:
            raise ValueError(f"{where}: there is no route {name!r}; there are {', '.join(routes)}")
    for name in routes:
        if entries := configured.get(name):
            yield Receiver(receiver_name(name, team), tuple(_configs(name, entries, f"{where}.{name}")))


def _configs(
    route: str, entries: tuple[Mapping[str, object], ...], where: str
) -> Iterator[tuple[str, Mapping[str, object]]]:
    for number, entry in enumerate(entries):
        for path, message in refusals(entry):
            raise ValueError(f"{'.'.join((f'{where}[{number}]', *path))}: {message}")
        ((kind, fields),) = entry.items()
        assert isinstance(fields, Mapping)  # noqa: S101 - anything else was refused
        yield kind, _merged({**KINDS[kind], **_OF_ROUTE.get(route, {})}, fields)


def _merged(defaults: Mapping[str, object], fields: Mapping[str, object]) -> Mapping[str, object]:
    """The user's fields over ours, one level deep, so that a header of theirs does not remove the subject."""
    merged = dict(defaults)
    for name, value in fields.items():
        ours = merged.get(name)
        merged[name] = {**ours, **value} if isinstance(ours, Mapping) and isinstance(value, Mapping) else value
    return {name: plain(value) for name, value in merged.items()}


def plain(value: object) -> Any:
    """The value with dicts and lists instead of read-only mappings and tuples, for writing it."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value
