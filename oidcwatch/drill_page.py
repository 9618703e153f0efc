"""A page that shows a running drill and leads to the reports of earlier ones. Plain HTML, nothing from elsewhere."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import uvicorn
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from drills.history import records
from drills.journal import drills_in
from drills.report.clean import clean
from drills.report.words import VERDICTS, day_and_time
from drills.report.writing import PAGE
from exporters.report import printable
from oidcwatch.drill_live import COLUMNS, Board, cells_of, line_of, phase_line

_REFRESH_SECONDS = 2
_LATEST = 50  # reports
_STYLE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": f"{_STYLE}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
)


@dataclass(frozen=True, slots=True)
class _Pages:
    """The handlers. None is a coroutine, so that each runs in a thread: files are read."""

    board: Board
    root: Path
    redact: Callable[[str], str]
    environment: Environment

    def index(self, request: Request) -> Response:
        progress = self.board.newest
        html = self.environment.get_template("drill.html.j2").render(
            refresh=_REFRESH_SECONDS if request.query_params.get("refresh") != "off" else 0,
            drill=progress.drill if progress else "",
            phase=phase_line(progress) if progress else "",
            columns=COLUMNS,
            rows=[cells_of(standing) for standing in progress.standings] if progress else [],
            events=[printable(self.redact(line_of(event))) for event in reversed(self.board.events())],
            reports=[
                (record.id, VERDICTS[record.verdict], record.title, day_and_time(record.started))
                for record in map(clean, reversed(records(self.root)[-_LATEST:]))
            ],
        )
        return HTMLResponse(html, headers=dict(_HEADERS))

    def report(self, request: Request) -> Response:
        wanted = request.path_params["drill"]
        # Compared with what is there and not joined to a path: nothing outside of the folder can be named.
        found = next((folder for folder in drills_in(self.root) if folder.name == wanted), None)
        if found is None or not (found / PAGE).is_file():
            return PlainTextResponse("there is no such report\n", status_code=404, headers=dict(_HEADERS))
        return HTMLResponse((found / PAGE).read_text(encoding="utf-8"), headers=dict(_HEADERS))


def page_app(board: Board, root: Path, redact: Callable[[str], str]) -> Starlette:
    """GET / is the running drill, GET /reports/ID the report of an earlier one; `root` holds them.

    It has no authentication of its own: bind it to loopback or put it behind something that has.
    """
    environment = Environment(
        loader=PackageLoader("oidcwatch"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages = _Pages(board, root, redact, environment)
    return Starlette(routes=[Route("/", pages.index), Route("/reports/{drill}", pages.report)])


@contextlib.contextmanager
def serve_page(app: Starlette, host: str, port: int) -> Iterator[str]:
    """Serves it from a thread for the length of the block, and gives its URL. Raises OSError when it cannot listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="drill page")
        thread.start()
        try:
            name = f"[{host}]" if family == socket.AF_INET6 else host
            yield f"http://{name}:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()
