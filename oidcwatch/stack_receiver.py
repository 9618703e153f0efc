"""A webhook receiver that keeps what Alertmanager sends, for people to read and for tests to judge."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
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


@dataclass(slots=True)
class Receiver:
    """A receiver on loopback: `POST /ROUTE` keeps a notification, `GET /notifications` gives them all."""

    url: str
    _kept: deque[Notification]

    def notifications(self) -> tuple[Notification, ...]:
        """The newest thousand, oldest first."""
        return tuple(self._kept)


@contextmanager
def start_receiver(clock: Clock = utc_now) -> Iterator[Receiver]:
    """Listens on a free port for the length of the block, in a thread of its own."""
    kept: deque[Notification] = deque(maxlen=_KEPT)
    server = ThreadingHTTPServer((_LOOPBACK, 0), _handler(kept, clock))
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="receiver", daemon=True)
    thread.start()
    try:
        yield Receiver(f"http://{_LOOPBACK}:{server.server_port}", kept)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(kept: deque[Notification], clock: Clock) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > _MOST_BYTES:
                self._answer(HTTPStatus.BAD_REQUEST, {"error": f"expected a body of at most {_MOST_BYTES} bytes"})
                return
            try:
                document = json.loads(self.rfile.read(int(length)))
                kept.append(Notification.from_document(self.path.strip("/"), clock(), document))
            except ValueError as error:
                self._answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            else:
                self._answer(HTTPStatus.OK, {})

        def do_GET(self) -> None:
            if self.path != "/notifications":
                self._answer(HTTPStatus.NOT_FOUND, {"error": "there is /notifications"})
                return
            self._answer(HTTPStatus.OK, [notification.as_json() for notification in tuple(kept)])

        def _answer(self, status: HTTPStatus, document: object) -> None:
            body = json.dumps(document, indent=2).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Standard error belongs to the progress of the stack."""

    return Handler


def _texts(values: Mapping[str, Any]) -> Mapping[str, str]:
    return MappingProxyType({name: str(value) for name, value in values.items()})
