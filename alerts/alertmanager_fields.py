"""What the entry of a receiver must have, and what it must not: Alertmanager's fields, and no secret among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

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
"""By kind: of each of these one is needed, as the generated file has no `global` part that could give it."""

# Opsgenie's api_url is an address; Slack's contains the key of the channel.
_FILES_OF: Mapping[str, Mapping[str, str]] = MappingProxyType({"slack": {"api_url": "api_url_file"}})
# What is below these is configuration of Alertmanager; below others (details, headers) it is text of the user's.
_NESTED = frozenset({"http_config", "tls_config", "basic_auth", "authorization", "oauth2", "http_headers"})
_CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]*@", re.IGNORECASE)

_Refusal = tuple[tuple[str, ...], str]


def refusals(entry: Mapping[str, object]) -> Iterator[_Refusal]:
    """What is wrong with an entry such as {webhook: {url: ...}}: the path inside of it, and a message.

    No message repeats a value.
    """
    kinds = ", ".join(REQUIRED)
    if len(entry) != 1:
        yield (), f"must have exactly one key, the kind: {kinds}"
    for kind, fields in entry.items():
        if kind not in REQUIRED:
            yield (kind,), f"is no kind of receiver; there are {kinds}"
        elif not isinstance(fields, Mapping):
            yield (kind,), f"must hold Alertmanager's fields of {kind}_configs"
        else:
            files = {**FILES, **_FILES_OF.get(kind, {})}
            yield from _secrets(fields, (kind,), files)
            given = {files.get(name, name) for name, value in fields.items() if value}
            yield from (
                ((kind,), f"needs {' or '.join(choice)}") for choice in REQUIRED[kind] if given.isdisjoint(choice)
            )


def _secrets(fields: Mapping[str, object], path: tuple[str, ...], files: Mapping[str, str]) -> Iterator[_Refusal]:
    for name, value in fields.items():
        here = (*path, name)
        if name in files:
            yield here, f"no secret may be in the configuration; use {files[name]}"
        elif name == "proxy_connect_header":
            yield here, "Alertmanager reads it from no file; use a proxy that needs none"
        elif isinstance(value, str) and _CREDENTIALS_IN_URL.match(value):
            yield here, "no password may be in an address; use a file that holds it, such as url_file"
        elif isinstance(value, Mapping) and (name in _NESTED or path[-1] == "http_headers"):
            yield from _secrets(value, here, files)
