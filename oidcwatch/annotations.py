"""Posts a deploy, a rotation or another change to Grafana as an annotation, so that dashboards show what changed when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import httpx

from probes.classify import classify

TAG = "oidcwatch"
"""Every annotation has it, so that a dashboard can ask for these alone."""
_MOST_BYTES = 64 * 1024
_HINTS: Mapping[int, str] = MappingProxyType(
    {
        401: ": the token is not valid (a token of a service account is wanted)",
        403: ": the token may not write annotations (permission annotations:create)",
        404: ": is that the base URL of Grafana?",
    }
)


class AnnotationError(RuntimeError):
    """Grafana did not take the annotation; the message never holds the token."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One moment, or with `until` the time between two. Times are aware UTC."""

    text: str
    at: datetime
    until: datetime | None = None
    tags: tuple[str, ...] = ()
    issuer: str = ""

    def document(self) -> dict[str, Any]:
        """The body that Grafana's annotation API takes: times in milliseconds
        (https://grafana.com/docs/grafana/latest/developers/http_api/annotations/).
        """
        tags = (TAG, *self.tags, *((f"issuer:{self.issuer}",) if self.issuer else ()))
        document: dict[str, Any] = {"text": self.text, "tags": list(dict.fromkeys(tags)), "time": _millis(self.at)}
        return document if self.until is None else {**document, "timeEnd": _millis(self.until)}


async def post(client: httpx.AsyncClient, grafana: str, token: str, annotation: Annotation) -> int:
    """Creates the annotation and gives its id. `grafana` is Grafana's base URL. Raises AnnotationError."""
    url = f"{grafana.rstrip('/')}/api/annotations"
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        # Redirects are not followed: the token is for this host.
        request = client.stream("POST", url, json=annotation.document(), headers=headers, follow_redirects=False)
        async with request as answer:
            status, body = answer.status_code, await _body(answer)
    # Not chained: the cause of the last one is the token itself, with a character that no header can hold.
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise AnnotationError(f"{url}: {classify(error).detail}") from None
    except UnicodeEncodeError:
        raise AnnotationError("the token has characters that no header can hold") from None
    if status != httpx.codes.OK:
        raise AnnotationError(f"{url}: HTTP {status}{_HINTS.get(status, '')}")
    try:
        return int(json.loads(body)["id"])
    except (ValueError, KeyError, TypeError):
        raise AnnotationError(f"{url}: the answer is not Grafana's") from None


async def _body(answer: httpx.Response) -> bytes:
    """The first bytes; what Grafana answers is far shorter."""
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > _MOST_BYTES:
            break
    return bytes(body[:_MOST_BYTES])


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
