"""The agent's web pages: status, metrics, results, artifacts, health. Plain HTML that works without JavaScript."""

from __future__ import annotations

import importlib.resources
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporters.artifacts import MEDIA_TYPES, ArtifactStore
from exporters.metric_set import expose
from exporters.report import results_json
from exporters.results import ResultsBook
from exporters.status import SHOWN, NextRun, State, clock_time, statuses
from probes.probe import Clock, utc_now

_REFRESH_SECONDS = 30
_UNFOLDED = 3  # more failures than these are read in the table first
# No script, nothing from elsewhere, no frames, no forms: details of failures come from outside.
_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": f"{_POLICY}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
)
# Shown by the browser because they cannot carry script; anything else is only ever saved.
_INLINE = frozenset({"image/png", "text/plain; charset=utf-8"})


class ReloadError(Exception):
    """The new configuration was refused; its text says why and is shown to the caller."""


class DrillError(Exception):
    """The drill switch was not moved; its text says what is allowed and is shown to the caller."""


def _unknown(check: object, region: str) -> datetime | None:
    return None


@dataclass(frozen=True, slots=True)
class View:
    """What the pages show and do.

    `ready` is true from the first run of the schedule on. `reload` raises ReloadError when it keeps the old
    configuration. `drill` takes an issuer's name, `on` or `off` and a duration or "", and gives a sentence about what
    is now; it raises DrillError. `drills` gives the end of each drill. `next_run` gives the time of a check's next run
    in a region.
    """

    book: ResultsBook
    registry: CollectorRegistry
    reload: Callable[[], Awaitable[None]]
    ready: Callable[[], bool]
    drill: Callable[[str, str, str], str]
    drills: Callable[[], Mapping[str, datetime]]
    artifacts: ArtifactStore | None = None
    next_run: NextRun = _unknown
    now: Clock = utc_now
    version: str = ""


class _SecurityHeaders:
    """Puts the same headers on every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def make_app(view: View) -> ASGIApp:
    """The application: GET /, /style.css, /metrics, /api/results, /artifacts/RUN/NAME, /-/healthy, /-/ready, /-/drill;
    POST /-/reload, /-/drill?issuer=NAME&state=on|off[&for=DURATION].

    It has no authentication of its own: bind it to loopback or put it behind something that has.
    """
    pages = _Pages(view)
    routes = [
        Route("/", pages.index),
        Route("/style.css", pages.style),
        Route("/metrics", pages.metrics),
        Route("/api/results", pages.results),
        Route("/artifacts/{run}/{name}", pages.artifact),
        Route("/-/healthy", pages.healthy),
        Route("/-/ready", pages.ready),
        Route("/-/reload", pages.reload, methods=["POST"]),
        Route("/-/drill", pages.drills),
        Route("/-/drill", pages.drill, methods=["POST"]),
    ]
    # Around the application and not among its middleware, which does not see the answer to an unexpected error.
    return _SecurityHeaders(Starlette(routes=routes, middleware=[Middleware(GZipMiddleware)]))


class _Pages:
    """The handlers. Those that are not coroutines run in threads: rendering does not delay the schedule."""

    def __init__(self, view: View) -> None:
        self._view = view
        environment = Environment(
            loader=PackageLoader("exporters"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        environment.filters["path"] = lambda text: quote(text, safe="")
        self._template = environment.get_template("index.html.j2")
        self._css = (importlib.resources.files("exporters") / "templates" / "style.css").read_text("utf-8")

    def index(self, request: Request) -> Response:
        view = self._view
        now = view.now()
        names = view.artifacts.names if view.artifacts else lambda run_id: ()
        rows = statuses(view.book.rows(), now, view.next_run, names)
        failing = [row for row in rows if row.state is State.FAILED]
        html = self._template.render(
            rows=rows,
            counts=Counter(row.state for row in rows),
            states=list(State),
            shown=SHOWN,
            unfolded={row.anchor for row in failing[:_UNFOLDED]},
            refresh=_REFRESH_SECONDS if request.query_params.get("refresh") != "off" else 0,
            at=clock_time(now),
            drills={issuer: clock_time(end) for issuer, end in sorted(view.drills().items())},
            version=view.version,
        )
        return HTMLResponse(html)

    def style(self, request: Request) -> Response:
        return Response(self._css, media_type="text/css")

    def metrics(self, request: Request) -> Response:
        body, content_type = expose(self._view.registry, request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, "Vary": "Accept"})

    def results(self, request: Request) -> Response:
        return JSONResponse(results_json([row.last for row in self._view.book.rows() if row.last]))

    def artifact(self, request: Request) -> Response:
        name = request.path_params["name"]
        store = self._view.artifacts
        path = store.path(request.path_params["run"], name) if store else None
        if path is None:
            return PlainTextResponse("There is no such artifact; it may have been pruned.\n", 404)
        media_type = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
        disposition = "inline" if media_type in _INLINE else "attachment"
        return FileResponse(path, media_type=media_type, filename=name, content_disposition_type=disposition)

    async def healthy(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        if self._view.ready():
            return PlainTextResponse("ok\n")
        return PlainTextResponse("The first run has not started yet.\n", 503)

    def drills(self, request: Request) -> Response:
        return JSONResponse({issuer: end.isoformat() for issuer, end in sorted(self._view.drills().items())})

    async def drill(self, request: Request) -> Response:
        if _from_elsewhere(request):
            return PlainTextResponse("Drills from another site are refused.\n", 403)
        given = request.query_params
        try:
            return PlainTextResponse(
                self._view.drill(given.get("issuer", ""), given.get("state", ""), given.get("for", "")) + "\n"
            )
        except DrillError as error:
            return PlainTextResponse(f"{error}\n", 400)

    async def reload(self, request: Request) -> Response:
        if _from_elsewhere(request):
            return PlainTextResponse("Reloading from another site is refused.\n", 403)
        try:
            await self._view.reload()
        except ReloadError as error:
            return PlainTextResponse(f"{error}\n", 500)
        return PlainTextResponse("reloaded\n")


def _from_elsewhere(request: Request) -> bool:
    """A page elsewhere can make a browser post here. Browsers say so in Fetch Metadata, which they send to https and to
    loopback only, and in Origin, which comes with every POST of theirs (Fetch §3.2).
    """
    origin = request.headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != request.headers.get("host", "")
    return foreign or request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
