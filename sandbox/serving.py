"""Serving a WSGI application on loopback from a thread of this process."""

from __future__ import annotations

import email.utils
import ssl
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Any]


class WebServer:
    """A threaded WSGI server; it listens from construction on, and answers once started."""

    def __init__(
        self,
        app: WsgiApp,
        host: str,
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        date: Callable[[], float] | None = None,
    ) -> None:
        """`date` gives the UNIX seconds of the Date header. Raises OSError when the port is taken."""
        self._server: BaseWSGIServer = make_server(
            host, port, app, threaded=True, request_handler=_handler(date), ssl_context=tls
        )
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"web-{self.port}",
            daemon=True,
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting and wait for the accepting thread."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(date: Callable[[], float] | None) -> type[WSGIRequestHandler]:
    class Handler(WSGIRequestHandler):
        """Quiet (query strings and forms hold codes and passwords), and with our idea of the date."""

        def log(self, type: str, message: str, *args: object) -> None:
            pass

        def date_time_string(self, timestamp: float | None = None) -> str:
            moment = date() if date is not None and timestamp is None else timestamp
            return email.utils.formatdate(moment, usegmt=True)

    return Handler


def pretend_https(app: WsgiApp) -> WsgiApp:
    """Authlib refuses plain HTTP, which loopback is allowed to be here."""

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        return app({**environ, "wsgi.url_scheme": "https"}, start_response)

    return wrapped


def only_loopback_host(app: WsgiApp) -> WsgiApp:
    """Refuse other Host headers: a web page must not reach the control port by DNS rebinding."""

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname
        if host not in ("127.0.0.1", "::1", "localhost"):
            start_response("421 Misdirected Request", [("Content-Type", "text/plain")])
            return [b"ask for the loopback address\n"]
        return app(environ, start_response)

    return wrapped
