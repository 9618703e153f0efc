"""The webhook receiver keeps what is sent, and gives it back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from oidcwatch.stack_receiver import Receiver, start_receiver

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PAYLOAD: dict[str, Any] = {
    "version": "4",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "OidcLoginSuccessBurnFast", "issuer": "acme"},
            "annotations": {"summary": "3 of 60 bad"},
        }
    ],
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with start_receiver(lambda: NOW) as receiver:
        yield receiver


@pytest.fixture
def client(receiver: Receiver) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=receiver.url, trust_env=False) as client:
        yield client


def test_a_notification_is_kept_with_its_route_and_time(receiver: Receiver, client: httpx.Client) -> None:
    answer = client.post("/page", json=PAYLOAD)

    (kept,) = receiver.notifications()
    (alert,) = kept.alerts
    assert answer.status_code == 200
    assert (kept.route, kept.received_at) == ("page", NOW)
    assert (alert.name, alert.status, alert.labels["issuer"]) == ("OidcLoginSuccessBurnFast", "firing", "acme")
    assert alert.annotations == {"summary": "3 of 60 bad"}


def test_all_notifications_are_read_as_json_oldest_first(client: httpx.Client) -> None:
    client.post("/page", json=PAYLOAD)
    client.post("/ticket", json=PAYLOAD)

    document = client.get("/notifications").json()

    assert [row["route"] for row in document] == ["page", "ticket"]
    assert document[0] == {"route": "page", "received_at": NOW.isoformat(), **PAYLOAD}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"alerts": [1]}', b'{"alerts": [{"status": "firing"}]}'])
def test_what_alertmanager_does_not_send_is_refused(receiver: Receiver, client: httpx.Client, body: bytes) -> None:
    answer = client.post("/page", content=body)

    assert answer.status_code == 400
    assert receiver.notifications() == ()


def test_runbooks_are_made_once_when_somebody_asks(receiver: Receiver, client: httpx.Client) -> None:
    made: list[int] = []

    def site() -> dict[str, str]:
        made.append(1)
        return {"Watchdog.html": "<h1>Watchdog</h1>"}

    receiver.serve_runbooks(site)
    before = list(made)

    first, second = client.get("/runbooks/Watchdog.html"), client.get("/runbooks/Watchdog.html")

    assert before == []
    assert first.text == second.text == "<h1>Watchdog</h1>"
    assert first.headers["content-type"].startswith("text/html")
    assert made == [1]


def test_a_runbook_that_is_not_there_is_not_found(receiver: Receiver, client: httpx.Client) -> None:
    receiver.serve_runbooks(lambda: {"Watchdog.html": ""})

    assert client.get("/runbooks/../oidcwatch.yaml").status_code == 404


def test_there_is_no_other_page(client: httpx.Client) -> None:
    assert client.get("/elsewhere").status_code == 404
