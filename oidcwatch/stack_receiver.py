"""A webhook receiver that keeps what Alertmanager sends, and serves the runbooks that the alerts link to."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, Self

from probes.probe import Clock, utc_now

_LOOPBACK = "127.0.0.1"
_KEPT = 1000
_RUNBOOKS = "/runbooks/"
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Notified:
    """One alert of a notification."""

    status: str
    """`firing` or `resolved`."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def name(self) -> str:
        """The label `alertname`."""
        return self.labels.get("alertname", "")


@dataclass(frozen=True, slots=True)
class Notification:
    """What was posted at once to one route."""

    route: str
    received_at: datetime
    alerts: tuple[Notified, ...]
    document: Mapping[str, Any] = field(repr=False)
    """All that was sent: the webhook payload of Alertmanager, version 4."""

    @classmethod
    def from_document(cls, route: str, at: datetime, document: Any) -> Self:
        """Raises ValueError for what is not a payload of Alertmanager."""
        try:
            alerts = tuple(
                Notified(str(alert["status"]), _texts(alert["labels"]), _texts(alert["annotations"]))
                for alert in document["alerts"]
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a webhook payload of Alertmanager") from error
        return cls(route, at, alerts, document)

    def as_json(self) -> dict[str, Any]:
        """For GET /notifications."""
        return {"route": self.route, "received_at": self.received_at.isoformat(), **self.document}


Site = Callable[[], Mapping[str, str]]
"""Makes the files of the runbook site, by name."""


@dataclass(slots=True)
class Receiver:
    """A receiver on loopback: `POST /ROUTE` keeps a notification, `GET /notifications` gives them all, and
    `GET /runbooks/PAGE` one file of the site.
    """

    url: str = ""
    _kept: deque[Notification] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _site: Site = dict
    _files: Mapping[str, str] | None = None
    _making: threading.Lock = field(default_factory=threading.Lock)

    def notifications(self) -> tuple[Notification, ...]:
        """The newest thousand, oldest first."""
        return tuple(self._kept)

    def keep(self, notification: Notification) -> None:
        """One more; the oldest goes when there are too many."""
        self._kept.append(notification)

    def serve_runbooks(self, site: Site) -> None:
        """From now on. The site is made when somebody first asks for a page: that takes seconds, and few do."""
        self._site, self._files = site, None

    def runbook(self, name: str) -> str | None:
        """A file of the site; None when there is no such file."""
        with self._making:
            if self._files is None:
                self._files = self._site()
            return self._files.get(name)


@contextmanager
def start_receiver(clock: Clock = utc_now) -> Iterator[Receiver]:
    """Listens on a free port for the length of the block, in a thread of its own."""
    receiver = Receiver()
    server = ThreadingHTTPServer((_LOOPBACK, 0), _handler(receiver, clock))
    receiver.url = f"http://{_LOOPBACK}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="receiver", daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(receiver: Receiver, clock: Clock) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > _MOST_BYTES:
                self._answer(HTTPStatus.BAD_REQUEST, {"error": f"expected a body of at most {_MOST_BYTES} bytes"})
                return
            try:
                document = json.loads(self.rfile.read(int(length)))
                receiver.keep(Notification.from_document(self.path.strip("/"), clock(), document))
            except ValueError as error:
                self._answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            else:
                self._answer(HTTPStatus.OK, {})

        def do_GET(self) -> None:
            page = receiver.runbook(self.path.removeprefix(_RUNBOOKS)) if self.path.startswith(_RUNBOOKS) else None
            if self.path == "/notifications":
                self._answer(HTTPStatus.OK, [notification.as_json() for notification in receiver.notifications()])
            elif page is None:
                self._answer(HTTPStatus.NOT_FOUND, {"error": "there is /notifications and /runbooks/index.html"})
            else:
                media_type = "text/html; charset=utf-8" if self.path.endswith(".html") else "text/plain; charset=utf-8"
                self._send(HTTPStatus.OK, media_type, page.encode())

        def _answer(self, status: HTTPStatus, document: object) -> None:
            self._send(status, "application/json", json.dumps(document, indent=2).encode())

        def _send(self, status: HTTPStatus, media_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Standard error belongs to the progress of the stack."""

    return Handler


def _texts(values: Mapping[str, Any]) -> Mapping[str, str]:
    return MappingProxyType({name: str(value) for name, value in values.items()})
