"""Evidence of a failed visit: a masked screenshot, the list of requests, the console; bounded in time and size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from playwright.async_api import Error

from probes.browser_session import BrowserSession
from probes.egress_guard import RequestRecord
from probes.model import Artifact, ProbeFailure
from probes.probe import Steps

_SECONDS = 3.0
_MOST_BYTES = 512 * 1024
_SHORTEST_COOKIE = 8  # a shorter one is a language or a flag, and hiding it would mask ordinary words
_SHORTEST_SHOWN = 4  # the redactor's limit, for the same reason
_VISIBLE_TEXT = "() => (document.body ? document.body.innerText : '').slice(0, 50000)"
_MASKED = "input, textarea, select, [contenteditable=true], canvas, code, pre, output"


@asynccontextmanager
async def evidence_of_failure(session: BrowserSession, steps: Steps) -> AsyncIterator[None]:
    """When the block fails, append what the visit leaves behind to `steps.artifacts`; takes 3 s at most.

    The failure's detail is redacted on its way: it quotes what the page says, and pages echo what was typed. A run whose
    time is up is cancelled here; that is when a picture says most.
    """
    try:
        yield
    except ProbeFailure as failure:
        await _keep(session, steps)
        detail = session.options.redact(failure.detail)
        raise ProbeFailure(failure.reason, detail, stage=failure.stage, oauth_error=failure.oauth_error) from None
    except BaseException:
        await _keep(session, steps)
        raise


async def _keep(session: BrowserSession, steps: Steps) -> None:
    redact = session.options.redact
    redact.learn(steps.secrets)
    try:
        async with asyncio.timeout(_SECONDS):
            for cookie in await session.context.cookies():
                if len(cookie.get("value", "")) >= _SHORTEST_COOKIE:
                    steps.hide(cookie["value"])
            redact.learn(steps.secrets)
            if picture := await _screenshot(session, steps):
                steps.artifacts.append(picture)
    except (Error, TimeoutError):
        pass  # the page or the browser does not answer: the lists below need neither
    steps.artifacts.append(_requests(session))
    if session.console:
        text = redact("\n".join(session.console))
        steps.artifacts.append(Artifact("console.txt", "text/plain", text.encode()[:_MOST_BYTES]))


async def _screenshot(session: BrowserSession, steps: Steps) -> Artifact | None:
    """What the tab shows, inputs masked; nothing when its text holds a secret of this run, or the picture is too big."""
    visible = str(await session.page.evaluate(_VISIBLE_TEXT))
    if any(secret in visible for secret in steps.secrets if len(secret) >= _SHORTEST_SHOWN):
        return None
    picture = await session.page.screenshot(
        type="png", scale="css", animations="disabled", mask=[session.page.locator(_MASKED)], timeout=_SECONDS * 1000
    )
    return Artifact("page.png", "image/png", picture) if len(picture) <= _MOST_BYTES else None


def _requests(session: BrowserSession) -> Artifact:
    entries = [_entry(record) for record in session.egress.requests]
    document = {"requests": entries, "not_kept": session.egress.dropped}
    text = session.options.redact(json.dumps(document, indent=1))
    return Artifact("requests.json", "application/json", text.encode()[:_MOST_BYTES])


def _entry(record: RequestRecord) -> dict[str, str | float | int | None]:
    """Without query and fragment values: nonces, hints and sessions of providers have any name."""
    url = urlsplit(record.url)
    names = "&".join(part.partition("=")[0] for part in url.query.split("&") if part)
    where = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    return {
        "method": record.method,
        "url": f"{where}?{names}" if names else where,
        "type": record.kind,
        "at_seconds": round(record.at, 3),
        "status": record.status,
        "seconds": None if record.seconds is None else round(record.seconds, 3),
        "bytes": record.size,
        "blocked": record.blocked,
    }
