"""Decides about every request of the browser before it is sent: allowed, blocked, or the callback that we answer.

One DevTools session on the browser itself (not on a page) sees the requests of every tab, frame, popup and worker, and
every hop of a redirect; Playwright's `route()` does not see redirected requests. It fails closed: a request that cannot
be attributed to a session is refused. WebSockets and WebRTC do not pass through the Fetch domain.
https://chromedevtools.github.io/devtools-protocol/tot/Fetch/
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from playwright.async_api import Browser, CDPSession, Error

CDP_SECONDS = 10.0
_REQUESTS_KEPT = 400
_BODY_KEPT = 256 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NEVER_NEEDED = frozenset({"Image", "Font", "Media"})

# 204: the tab stays where it is (RFC 9110 §15.3.5). No document of the relying party's origin, no history entry, nothing
# that could load or refer to anything, and nothing that a next navigation would have to wait for.
_CALLBACK_ANSWER = {
    "responseCode": 204,
    "responseHeaders": [
        {"name": "Referrer-Policy", "value": "no-referrer"},
        {"name": "Cache-Control", "value": "no-store"},
    ],
}

Event = Mapping[str, Any]
"""The parameters of one DevTools event."""


@dataclass(slots=True)
class RequestRecord:
    """One request of a session. `at` counts seconds from the session's start; `url` is not redacted."""

    method: str
    url: str = field(repr=False)
    kind: str
    at: float
    blocked: str = ""
    status: int | None = None
    seconds: float | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """What the browser was about to send to the redirect URI."""

    method: str
    parameters: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(slots=True)
class Egress:
    """What one session may reach, and what it tried.

    `waiting` is the redirect URI that is answered by us, `document` the newest document that the tab itself asked for.
    """

    allowed_hosts: frozenset[str]
    requests: list[RequestRecord] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    document: RequestRecord | None = None
    waiting: SplitResult | None = field(default=None, repr=False)
    callback: asyncio.Future[Callback] | None = field(default=None, repr=False)
    redirects: int = 0
    dropped: int = 0

    def expect(self, redirect_uri: str) -> asyncio.Future[Callback]:
        """Answer the next request for this URI ourselves; the future gives what it carried."""
        self.waiting = urlsplit(redirect_uri)
        self.callback = asyncio.get_running_loop().create_future()
        return self.callback

    def verdict(self, request: Event, kind: str) -> str:
        """Why the request is blocked; empty when it may go out."""
        url = urlsplit(request["url"])
        if url.scheme in {"data", "blob", "about"}:
            return ""
        if url.scheme not in _DEFAULT_PORTS:
            return "scheme"
        host = (url.hostname or "").lower()
        if not {host, f"{host}:{_port(url)}"} & self.allowed_hosts:
            return "host"
        return "content" if kind in _NEVER_NEEDED else ""

    @property
    def plain_hops(self) -> tuple[str, ...]:
        """Hosts that documents were asked of over http, without those that were never reached."""
        sent = (urlsplit(record.url) for record in self.requests if record.kind == "Document" and not record.blocked)
        return tuple(sorted({(url.hostname or "") for url in sent if url.scheme == "http"}))

    def record(self, request: Event, kind: str, blocked: str, *, of_tab: bool) -> None:
        """Keep the request for the evidence of a failed run; a page in a loop must not fill the memory."""
        at = time.perf_counter() - self.started
        record = RequestRecord(request["method"], request["url"], kind, at, blocked)
        if of_tab and kind == "Document":
            self.document = record
        if len(self.requests) < _REQUESTS_KEPT:
            self.requests.append(record)
        else:
            self.dropped += 1

    def take(self, request: Event) -> bool:
        """Resolve the awaited callback when this request is it."""
        if self.waiting is None or self.callback is None or not _leads_to(urlsplit(request["url"]), self.waiting):
            return False
        if not self.callback.done():
            self.callback.set_result(Callback(request["method"], tuple(_parameters(request, self.waiting))))
        return True


@dataclass(slots=True, eq=False)
class _Guarded:
    """A session under guard: its tab's DevTools session, for asking which frames the tab has."""

    egress: Egress
    tab: CDPSession
    tab_id: str
    context_id: str


class EgressGuard:
    """The guard of one browser. `start` it before the first page is made."""

    def __init__(self, cdp: CDPSession) -> None:
        self._cdp = cdp
        self._frames: dict[str, _Guarded] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(cls, browser: Browser) -> EgressGuard:
        """Pause every request of the browser from now on."""
        async with asyncio.timeout(CDP_SECONDS):
            guard = cls(await browser.new_browser_cdp_session())
            guard._cdp.on("Fetch.requestPaused", guard._paused)
            await guard._cdp.send("Fetch.enable", {"patterns": [{"urlPattern": "*", "requestStage": "Request"}]})
        return guard

    async def watch(self, tab: CDPSession, egress: Egress) -> Callable[[], None]:
        """Judge the requests of this tab (and what it opens) by `egress`; returns what ends that."""
        async with asyncio.timeout(CDP_SECONDS):
            target = (await tab.send("Target.getTargetInfo"))["targetInfo"]
        guarded = _Guarded(egress, tab, target["targetId"], target["browserContextId"])
        self._frames[guarded.tab_id] = guarded  # a tab's main frame has the tab's id

        def forget() -> None:
            for frame in [frame for frame, owner in self._frames.items() if owner is guarded]:
                del self._frames[frame]

        return forget

    def _paused(self, event: Event) -> None:
        task = asyncio.get_running_loop().create_task(self._judge(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _judge(self, event: Event) -> None:
        try:
            async with asyncio.timeout(CDP_SECONDS):
                frame = event.get("frameId", "")
                await self._answer(event, self._frames.get(frame) or await self._owner(frame))
        except (Error, TimeoutError):
            return  # the tab or the browser is gone; a request without an answer stays paused

    async def _answer(self, event: Event, guarded: _Guarded | None) -> None:
        request, kind, identity = event["request"], event["resourceType"], {"requestId": event["requestId"]}
        if guarded is None:
            await self._cdp.send("Fetch.failRequest", {**identity, "errorReason": "BlockedByClient"})
            return
        egress, of_tab = guarded.egress, event.get("frameId") == guarded.tab_id
        egress.redirects += of_tab and kind == "Document" and "redirectedRequestId" in event
        if kind == "Document" and egress.take(request):
            plain = {"method": request["method"], "url": _without_query(request["url"])}
            egress.record(plain, kind, "callback", of_tab=of_tab)
            await self._cdp.send("Fetch.fulfillRequest", {**identity, **_CALLBACK_ANSWER})
            return
        blocked = egress.verdict(request, kind)
        egress.record(request, kind, blocked, of_tab=of_tab)
        if blocked:
            await self._cdp.send("Fetch.failRequest", {**identity, "errorReason": "BlockedByClient"})
        else:
            await self._cdp.send("Fetch.continueRequest", identity)

    async def _owner(self, frame: str) -> _Guarded | None:
        """The session that a frame belongs to which is not a known tab: a popup, a worker, or a frame inside a tab."""
        sessions = {owner.context_id: owner for owner in self._frames.values()}
        found = None
        for target in (await self._cdp.send("Target.getTargets"))["targetInfos"]:
            if target["targetId"] == frame:
                found = sessions.get(target.get("browserContextId", ""))
        for candidate in sessions.values() if found is None else ():
            if frame in _frame_ids((await candidate.tab.send("Page.getFrameTree"))["frameTree"]):
                found = candidate
        if found is not None and found in self._frames.values():
            self._frames[frame] = found
        return found


def _frame_ids(tree: Event) -> set[str]:
    inner = (_frame_ids(child) for child in tree.get("childFrames", ()))
    return {tree["frame"]["id"]}.union(*inner)


def _port(url: SplitResult) -> int:
    return url.port or _DEFAULT_PORTS.get(url.scheme, 0)


def _leads_to(url: SplitResult, redirect_uri: SplitResult) -> bool:
    """Whether the request is for the redirect URI: the same up to the parameters that the provider adds."""
    return (
        (url.scheme, (url.hostname or "").lower(), _port(url), url.path or "/")
        == (redirect_uri.scheme, (redirect_uri.hostname or "").lower(), _port(redirect_uri), redirect_uri.path or "/")
    ) and set(parse_qsl(redirect_uri.query)) <= set(parse_qsl(url.query))


def _parameters(request: Event, redirect_uri: SplitResult) -> list[tuple[str, str]]:
    """The authorization response's parameters: of the form post, else of the query, else of the fragment.

    OAuth 2.0 Multiple Response Types §2.1; OAuth 2.0 Form Post Response Mode §2.
    """
    own = set(parse_qsl(redirect_uri.query, keep_blank_values=True))
    if request["method"] == "POST":
        return parse_qsl(_body(request), keep_blank_values=True)
    query = parse_qsl(urlsplit(request["url"]).query, keep_blank_values=True)
    fragment = parse_qsl(request.get("urlFragment", "").removeprefix("#"), keep_blank_values=True)
    return [pair for pair in query if pair not in own] or fragment


def _body(request: Event) -> str:
    if "postData" in request:
        return str(request["postData"])[:_BODY_KEPT]
    parts = (base64.b64decode(entry.get("bytes", "")) for entry in request.get("postDataEntries", ()))
    return b"".join(parts)[:_BODY_KEPT].decode("utf-8", "replace")


def _without_query(url: str) -> str:
    return urlsplit(url)._replace(query="", fragment="").geturl()
