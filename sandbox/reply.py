"""An HTTP answer and a JWS before they leave the provider: values that a fault can replace."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Response

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response; `document` is sent as JSON unless `text` is given."""

    status: int = 200
    document: JsonObject = field(default_factory=dict)
    text: str | None = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def with_header(self, name: str, value: str) -> Reply:
        return replace(self.without_header(name), headers=(*self.without_header(name).headers, (name, value)))

    def without_header(self, name: str) -> Reply:
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0].lower() != name.lower()))

    def response(self) -> Response:
        body = json.dumps(self.document) if self.text is None else self.text
        response = Response(body, status=self.status, content_type=self.content_type)
        for name, value in self.headers:
            response.headers.add(name, value)
        return response


def page(text: str, status: int = 200) -> Reply:
    """An HTML page that must not be stored by caches."""
    return Reply(status, text=text, content_type="text/html; charset=utf-8", headers=(("Cache-Control", "no-store"),))


def oauth_error(error: str, description: str, status: int = 400) -> Reply:
    """An error of the token endpoint (RFC 6749 §5.2)."""
    headers = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
    challenge = (("WWW-Authenticate", 'Basic realm="sandbox"'),) if status == 401 else ()
    return Reply(status, {"error": error, "error_description": description}, headers=headers + challenge)


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Draft:
    """A JWS that is not signed yet (RFC 7515 §3)."""

    header: JsonObject
    claims: JsonObject
    sign: Callable[[bytes], bytes] = field(repr=False)

    def serialize(self) -> str:
        """The compact serialization, signed."""
        signed = ".".join(base64url(json.dumps(dict(part)).encode()) for part in (self.header, self.claims))
        return f"{signed}.{base64url(self.sign(signed.encode()))}"
