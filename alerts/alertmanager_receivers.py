"""The configured receivers with the messages of oidcwatch, and without a single secret in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from alerts.deployment import Deployment
from alerts.routes import DESTINATIONS, NOBODY, unattended

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

FILES: Mapping[str, str] = MappingProxyType(
    {
        "api_key": "api_key_file",
        "routing_key": "routing_key_file",
        "service_key": "service_key_file",
        "app_token": "app_token_file",
        "auth_password": "auth_password_file",
        "auth_secret": "auth_secret_file",
        "password": "password_file",
        "credentials": "credentials_file",
        "bearer_token": "bearer_token_file",
        "client_secret": "client_secret_file",
        "key": "key_file",
        "secrets": "files",
    }
)
"""Fields that hold a secret, and the field of Alertmanager that names a file which holds it."""

REQUIRED: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        "webhook": (("url", "url_file"),),
        "slack": (("api_url_file", "app_token_file"), ("channel",)),
        "pagerduty": (("routing_key_file", "service_key_file"),),
        "opsgenie": (("api_key_file",),),
        "email": (("to",), ("from",), ("smarthost",)),
    }
)
"""Of each of these one is needed: the generated file has no `global` part that could give it."""

# Opsgenie's api_url is an address; Slack's contains the key of the channel.
_FILES_OF: Mapping[str, Mapping[str, str]] = MappingProxyType({"slack": {"api_url": "api_url_file"}})
# What is below these is configuration of Alertmanager; below others (details, headers) it is text of the user's.
_NESTED = frozenset({"http_config", "tls_config", "basic_auth", "authorization", "oauth2", "http_headers"})
_CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]*@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver. `configs` are pairs of a kind and Alertmanager's fields for it."""

    name: str
    configs: tuple[tuple[str, Mapping[str, object]], ...] = ()


def receivers_of(deployment: Deployment) -> tuple[Receiver, ...]:
    """One receiver for each destination that has somebody, and `nobody` when one has not.

    Raises ValueError, naming the field and never its value, for an unknown destination or kind, and for a secret that
    is written out.
    """
    configured = deployment.alerting.receivers
    known = tuple(destination.name for destination in DESTINATIONS)
    for name in configured:
        if name not in known:
            raise ValueError(f"alerting.receivers: there is no route {name!r}; there are {', '.join(known)}")
    named = (Receiver(name, tuple(_configs(name, configured[name]))) for name in known if configured.get(name))
    return (*named, *((Receiver(NOBODY),) if unattended(deployment) else ()))


def _configs(route: str, entries: tuple[Mapping[str, object], ...]) -> Iterator[tuple[str, Mapping[str, object]]]:
    for number, entry in enumerate(entries):
        where = f"alerting.receivers.{route}[{number}]"
        kinds = ", ".join(KINDS)
        if len(entry) != 1:
            raise ValueError(f"{where}: must have exactly one key, the kind: {kinds}")
        kind, fields = next(iter(entry.items()))
        if kind not in KINDS:
            raise ValueError(f"{where}: {kind!r} is no kind of receiver; there are {kinds}")
        if not isinstance(fields, Mapping):
            raise ValueError(  # noqa: TRY004 - the configuration is wrong, not the call
                f"{where}.{kind}: must hold Alertmanager's fields of {kind}_configs"
            )
        _refuse_secrets(fields, f"{where}.{kind}", {**FILES, **_FILES_OF.get(kind, {})})
        for choice in REQUIRED[kind]:
            if not any(fields.get(name) for name in choice):
                raise ValueError(f"{where}.{kind}: needs {' or '.join(choice)}")
        yield kind, _merged({**KINDS[kind], **_OF_ROUTE.get(route, {})}, fields)


def _refuse_secrets(fields: Mapping[str, object], where: str, files: Mapping[str, str]) -> None:
    for name, value in fields.items():
        if name in files:
            raise ValueError(f"{where}.{name}: no secret may be in the configuration; use {files[name]}")
        if name == "proxy_connect_header":
            raise ValueError(f"{where}.{name}: Alertmanager reads it from no file; use a proxy that needs none")
        if isinstance(value, str) and _CREDENTIALS_IN_URL.match(value):
            raise ValueError(f"{where}.{name}: no password may be in an address; use http_config with password_file")
        if isinstance(value, Mapping) and (name in _NESTED or where.endswith(".http_headers")):
            _refuse_secrets(value, f"{where}.{name}", files)


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
