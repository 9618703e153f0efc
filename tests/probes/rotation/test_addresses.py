"""The addresses of the key set's host are asked one by one: edges that do not agree are seen, and named."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from probes.edges import MOST_ADDRESSES, ask_each_address
from probes.http import HttpClient, make_http
from probes.model import ProbeFailure, Quantity, Reason, Severity
from sandbox.certificates import Certificates
from sandbox.faultproxy import FaultProxy
from sandbox.http1 import Upstream
from sandbox.launch import Sandbox

if TYPE_CHECKING:
    from tests.probes.rotation.conftest import Stage

pytestmark = pytest.mark.process

FIRST, SECOND, NOBODY = "127.0.0.1", "127.0.0.2", "127.0.0.3"
OUT_OF_REACH = "::1"  # nobody answers there, and it is the only IPv6 address
ON_LOCALHOST = {"at": "discovery", "kind": "json", "set": {"jwks_uri": "https://localhost:PORT/jwks"}}
STALE = {"rules": [{"path": "^/jwks$", "kind": "stale"}]}


@dataclass(slots=True)
class Edge:
    """The sandbox's second address."""

    proxy: FaultProxy
    client: HttpClient
    addresses: tuple[str, ...] = (FIRST, SECOND, OUT_OF_REACH)
    asked: int = 0


@pytest.fixture
async def edge(rotation_sandbox: Sandbox) -> AsyncIterator[Edge]:
    """The same provider on a second address under the same name, and a client that knows both and one that is out of reach."""
    assert rotation_sandbox.ca_file is not None
    chains = MappingProxyType({kind: rotation_sandbox.ca_file.parent / f"{kind}.pem" for kind in ("good", "expired")})
    provider, issuer = urlsplit(rotation_sandbox.provider), urlsplit(rotation_sandbox.issuer)
    proxy = FaultProxy(
        Upstream(FIRST, provider.port or 0),
        bind=SECOND,
        port=issuer.port or 0,
        certificates=Certificates(rotation_sandbox.ca_file, chains),
    )
    await proxy.start()
    made = Edge(proxy, make_http(rotation_sandbox.ca_file))

    async def resolve(host: str, port: int) -> Sequence[str]:
        made.asked += 1
        return made.addresses if host == "localhost" else [host]

    made.client = replace(made.client, resolve=resolve)
    yield made
    await proxy.stop()


@pytest.fixture
def scene(stage: Callable[..., Stage], edge: Edge) -> Callable[[], Stage]:
    """The key set's host is called localhost."""

    def on() -> Stage:
        made = stage(http=edge.client)
        made.scene = replace(made.scene, allowed_hosts=("localhost",))
        made.sandbox.control.proxy_rules([made.rule(ON_LOCALHOST)])
        return made

    return on


def found(result: Any) -> list[tuple[str, Severity, str]]:
    return [(each.check_id, each.severity, each.message) for each in result.findings]


def agreement(result: Any) -> list[float]:
    return [each.value for each in result.measurements if each.quantity is Quantity.JWKS_AGREEMENT]


async def test_an_address_with_an_old_set_is_told_and_fails_when_it_lasts(
    scene: Callable[[], Stage], edge: Edge
) -> None:
    played = scene()
    await edge.proxy.set_rules(STALE)
    agreed = await played.play(["keys"])

    early = await played.play([{"rotate": "standby"}, {"wait": 60}, "keys"])
    late = await played.play([{"wait": 601}, "keys"])
    await edge.proxy.set_rules({"rules": []})
    healed = await played.play([{"wait": 60}, "keys"])

    message = f"address {SECOND} of 2 addresses shows another key set than most"
    assert found(agreed) == []
    assert found(early) == [("ROT-09", Severity.WARNING, message)]
    assert agreement(early) == [pytest.approx(2 / 3)]
    assert found(late) == [("ROT-09", Severity.FAILURE, message)]
    assert late.failure is not None
    assert late.failure.reason is Reason.JWKS_INCONSISTENT
    assert found(healed) == []


async def test_the_ledger_tells_which_address_has_which_key(scene: Callable[[], Stage], edge: Edge) -> None:
    played = scene()
    await edge.proxy.set_rules(STALE)
    await played.play(["keys"])

    await played.play([{"rotate": "standby"}, {"wait": 60}, "keys"])

    records = played.memory.ledger_of(played.issuer()).keys.values()
    begun = min(record.first_seen for record in records if record.first_seen)
    at = {record.facts.kid: {address for _, address in record.addresses} for record in records}
    old = {record.facts.kid for record in records if record.first_seen == begun}
    assert 0 < len(old) < len(records)
    assert at == {kid: {FIRST, SECOND} if kid in old else {FIRST} for kid in at}


async def test_addresses_that_agree_are_asked_every_five_minutes(scene: Callable[[], Stage], edge: Edge) -> None:
    played = scene()

    await played.play([*["keys", {"wait": 60}] * 5, {"wait": 1}, "keys"])

    assert edge.asked == 2


async def test_an_address_that_answers_with_an_error_is_a_warning(scene: Callable[[], Stage], edge: Edge) -> None:
    played = scene()
    await edge.proxy.set_rules({"rules": [{"path": "^/jwks$", "kind": "status", "status": 503}]})

    result = await played.play(["keys"])

    assert found(result) == [
        ("ROT-09", Severity.WARNING, f"address {SECOND} shows no key set: HTTP status 503, expected 200")
    ]


async def test_an_address_that_refuses_is_a_warning_and_fails_when_it_lasts(
    scene: Callable[[], Stage], edge: Edge
) -> None:
    played = scene()
    edge.addresses = (FIRST, NOBODY, OUT_OF_REACH)

    early = await played.play(["keys"])
    await played.play([{"wait": 60}, "keys"])
    late = await played.play([{"wait": 601}, "keys"])

    [(check_id, severity, message)] = found(early)
    assert (check_id, severity) == ("ROT-09", Severity.WARNING)
    assert message.startswith(f"address {NOBODY} shows no key set: ConnectError")
    assert agreement(early) == [1]
    assert found(late) == [("ROT-09", Severity.FAILURE, message)]
    assert agreement(late) == [pytest.approx(2 / 3)]


async def test_an_address_with_a_bad_certificate_is_a_warning(scene: Callable[[], Stage], edge: Edge) -> None:
    played = scene()
    await edge.proxy.set_certificate({"kind": "expired"})

    [(check_id, severity, message)] = found(await played.play(["keys"]))

    assert (check_id, severity) == ("ROT-09", Severity.WARNING)
    assert message.startswith(f"address {SECOND} shows no key set: ")
    assert "certificate" in message


async def test_an_address_to_which_our_own_network_has_no_route_is_left_out(edge: Edge) -> None:
    class Routeless(HttpClient):
        async def __call__(self, method: str, url: str, *, address: str = "", **rest: Any) -> Any:
            if address == NOBODY:
                raise httpx.ConnectError("no route") from OSError(errno.ENETUNREACH, "Network is unreachable")
            raise TimeoutError if address == SECOND else ProbeFailure(Reason.SERVER_ERROR, "HTTP status 503")

    async def resolve(host: str, port: int) -> Sequence[str]:
        return [FIRST, SECOND, NOBODY]

    samples = await ask_each_address(
        Routeless(edge.client.transport, resolve=resolve), "https://login.acme.example/jwks"
    )

    assert [(sample.address, sample.problem) for sample in samples] == [
        (FIRST, "HTTP status 503"),
        (SECOND, "no answer within 2 s"),
    ]


async def test_a_region_behind_a_proxy_asks_no_addresses(rotation_sandbox: Sandbox) -> None:
    http = make_http(rotation_sandbox.ca_file, proxy="http://127.0.0.1:9")

    assert await ask_each_address(http, f"{rotation_sandbox.issuer}/jwks") == ()


async def test_no_more_addresses_are_asked_than_allowed_and_both_families_are(edge: Edge) -> None:
    asked: list[str] = []

    async def many(host: str, port: int) -> Sequence[str]:
        return [*(f"192.0.2.{number}" for number in range(1, 30)), "2001:db8::1", "2001:db8::2"]

    class Noting(HttpClient):
        async def __call__(self, method: str, url: str, *, address: str = "", **rest: Any) -> Any:
            asked.append(address)
            raise TimeoutError

    client = Noting(edge.client.transport, resolve=many)

    assert await ask_each_address(client, "https://login.acme.example/jwks") == ()
    assert len(asked) == MOST_ADDRESSES
    assert {"2001:db8::1", "2001:db8::2"} <= set(asked)
