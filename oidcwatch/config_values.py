"""The scalar types of the configuration: each says what it allows, in one message and in the JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from drills.scenario import Action
from exporters.slis import BY_NAME
from oidcwatch.config_duration import format_duration, parse_duration
from oidcwatch.config_problem import closest
from probes.reasons import Owner
from probes.registry import PROBES

REFUSED = "refused"
"""Type of our own pydantic errors; the message is complete but for what was found."""
REFUSED_IN_FULL = "refused_in_full"
"""The same for a message to which nothing that was found may be added."""


def refuse(message: str, *, in_full: bool = False) -> NoReturn:
    """End the validation of one value with this message."""
    raise PydanticCustomError(REFUSED_IN_FULL if in_full else REFUSED, "{message}", {"message": message})


def _matching(pattern: str, message: str) -> tuple[AfterValidator, WithJsonSchema]:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        return text if compiled.fullmatch(text) else refuse(message)

    return AfterValidator(check), WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$"})


def _duration(value: Any) -> float:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError:
            pass
    if value == 0 and isinstance(value, int) and not isinstance(value, bool):
        return 0.0
    refuse("must be a duration such as 500ms, 30s, 5m, 1h30m or 7d")


def _no_shorter_than(least: float) -> Callable[[float], float]:
    def check(seconds: float) -> float:
        return seconds if seconds >= least else refuse(f"must be {format_duration(least)} or more")

    return check


def _percent(value: Any) -> Decimal:
    # By way of text: a float's own digits (99.95) are what was written, its binary value is not.
    if not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            percent = Decimal(str(value))
        except InvalidOperation:
            percent = Decimal(0)
        if 0 < percent < 100:
            return percent
    refuse("must be a percentage above 0 and below 100, such as 99.95")


def _one_of(allowed: tuple[str, ...]) -> tuple[AfterValidator, WithJsonSchema]:
    def check(text: str) -> str:
        return text if text in allowed else refuse(f"must be one of {', '.join(allowed)}{closest(text, allowed)}")

    return AfterValidator(check), WithJsonSchema({"type": "string", "enum": list(allowed)})


def _address(text: str) -> str:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})", text)
    if match is None or int(match[2]) > 65535:
        refuse("must be host:port, such as 127.0.0.1:9464 or [::1]:9464")
    return text


def _parsed(text: str, schemes: tuple[str, ...], example: str) -> str:
    wanted = f"must be an absolute URL such as {example}"
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        refuse(wanted)
    if url.scheme not in schemes or not host or re.search(r"[\s\x00-\x1f\x7f]", text):
        refuse(wanted)
    if "@" in url.netloc:
        refuse("must not contain a user name or password", in_full=True)
    return text


def _issuer_url(text: str) -> str:
    _parsed(text, ("https", "http"), "https://login.example.com/realms/main")
    # OIDC Core §2 (`iss`) and Discovery §3: no query, no fragment.
    if "?" in text or "#" in text:
        refuse("must not have a query or a fragment (OIDC Discovery §3)")
    return text


def _redirect_uri(text: str) -> str:
    _parsed(text, ("https", "http"), "https://app.example.com/callback")
    return text if "#" not in text else refuse("must not have a fragment (RFC 6749 §3.1.2)")


def _resource_url(text: str) -> str:
    return _parsed(text, ("https", "http"), "https://api.example.com/canary")


def _base_url(text: str) -> str:
    if text:
        _parsed(text, ("https", "http"), "https://grafana.example.com")
        if "?" in text or "#" in text:
            refuse("must not have a query or a fragment: paths are added to it")
        if "{" in text or "}" in text:
            refuse("must not have braces: rules take them for templates")
    return text.rstrip("/")


def _location(text: str) -> str:
    return text if text in available_timezones() else refuse("must be a time zone such as Europe/Berlin or UTC")


def _proxy(text: str) -> str:
    return _parsed(text, ("http", "socks5"), "http://proxy.example.com:3128 or socks5://proxy.example.com:1080")


_TEXT_URL = WithJsonSchema({"type": "string", "format": "uri"})
_TEXT_DURATION = WithJsonSchema({"type": "string", "pattern": r"^(0|([0-9]+(ms|[ywdhms]))+)$", "examples": ["30s"]})
_TEXT_ADDRESS = WithJsonSchema({"type": "string", "examples": ["127.0.0.1:9464"]})
_AS_TEXT = PlainSerializer(format_duration, return_type=str)

Name = Annotated[
    str,
    *_matching(
        r"[a-z0-9][a-z0-9-]{0,62}",
        "must be lower-case letters, digits and hyphens, 63 at most, not starting with a hyphen (it becomes a label)",
    ),
]
VerifierName = Annotated[
    str, *_matching(r"[a-z0-9][a-z0-9._-]{0,62}", "must be the name of a verifier such as envoy-jwt-authn")
]
Text = Annotated[str, *_matching(r"[^\x00-\x1f\x7f]{1,500}", "must be one line of text, and not empty")]
TeamText = Annotated[
    str, *_matching(r"[^\x00-\x1f\x7f{}]{1,200}", "must be one line of at most 200 characters without braces")
]
FreeText = Annotated[str, *_matching(r"[^\x00-\x1f\x7f]{0,200}", "must be one line of at most 200 characters")]
Scope = Annotated[
    str,
    *_matching(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}", "must be one scope without spaces, such as openid (RFC 6749 §3.3)"),
]
EnvName = Annotated[str, *_matching(r"[A-Za-z_][A-Za-z0-9_]*", "must be the name of an environment variable")]
Geohash = Annotated[
    str,
    *_matching(r"[0-9b-hjkmnp-z]{1,12}", "must be a geohash such as gcpv: 1 to 12 of 0-9 and b-z without a, i, l, o"),
]
Country = Annotated[str, *_matching(r"[A-Z]{2}", "must be a country code of two capitals such as IE (ISO 3166-1)")]
Host = Annotated[
    str,
    *_matching(
        r"\*|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "must be a host name without scheme, port or path, or *"
    ),
]
IssuerUrl = Annotated[str, AfterValidator(_issuer_url), _TEXT_URL]
RedirectUri = Annotated[str, AfterValidator(_redirect_uri), _TEXT_URL]
ResourceUrl = Annotated[str, AfterValidator(_resource_url), _TEXT_URL]
BaseUrl = Annotated[str, AfterValidator(_base_url), _TEXT_URL]
Location = Annotated[str, AfterValidator(_location), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})]
_DAY = "(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
WeekDays = Annotated[
    str, *_matching(f"{_DAY}(:{_DAY})?", "must be a day or two days such as sunday or monday:friday, in small letters")
]
TimeOfDay = Annotated[
    str, *_matching(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", "must be a time such as 08:00; 24:00 is the day's end")
]
OwnerName = Annotated[str, *_one_of(tuple(owner.value for owner in Owner))]
ProxyUrl = Annotated[str, AfterValidator(_proxy), _TEXT_URL]
Address = Annotated[str, AfterValidator(_address), _TEXT_ADDRESS]
Duration = Annotated[float, BeforeValidator(_duration), _AS_TEXT, _TEXT_DURATION]
Every = Annotated[
    float, BeforeValidator(_duration), AfterValidator(_no_shorter_than(1.0)), _AS_TEXT, _TEXT_DURATION
]  # fmt: skip
Timeout = Annotated[
    float, BeforeValidator(_duration), AfterValidator(_no_shorter_than(0.1)), _AS_TEXT, _TEXT_DURATION
]  # fmt: skip
Window = Annotated[
    float, BeforeValidator(_duration), AfterValidator(_no_shorter_than(86_400.0)), _AS_TEXT, _TEXT_DURATION
]  # fmt: skip
ActionName = Annotated[str, *_one_of(tuple(action.value for action in Action))]
SliName = Annotated[str, *_one_of(tuple(BY_NAME))]
IssuerProbeType = Annotated[str, *_one_of(tuple(kind.name for kind in PROBES.values() if kind.of == "issuer"))]
ClientProbeType = Annotated[str, *_one_of(tuple(kind.name for kind in PROBES.values() if kind.of == "client"))]
Percent = Annotated[
    Decimal,
    BeforeValidator(_percent),
    # A number in YAML and JSON; a Decimal's own JSON form is text.
    PlainSerializer(float, return_type=float),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}),
]
