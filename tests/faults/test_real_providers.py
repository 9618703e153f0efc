"""Faults in front of Keycloak and node-oidc-provider come out as they do in front of the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from sandbox.control_client import Control
from sandbox.peers import Peer, start_keycloak, start_node_oidc_provider
from sandbox.peers.process import choose_port

pytestmark = [pytest.mark.real, pytest.mark.process]

Judge = Callable[[Any, Iterable[Any]], Awaitable[Any]]
Start = Callable[..., AbstractContextManager[Peer]]
STARTS: Mapping[str, Start] = MappingProxyType(
    {"keycloak": start_keycloak, "node-oidc-provider": start_node_oidc_provider}
)


@contextmanager
def fault_proxy(peer: Peer, port: int) -> Iterator[dict[str, str]]:
    """`python -m sandbox.faultproxy` with TLS on that port; what it says about itself."""
    command = [sys.executable, "-m", "sandbox.faultproxy", "--tls", "--port", str(port), "--upstream", peer.address]
    command += ["--upstream-ca", str(peer.ca_file)] if peer.ca_file else []
    # Nobody reads what it says of clients that go away in the middle: that is what many rows are about.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture(params=list(STARTS))
def real_provider(request: pytest.FixtureRequest, provide: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
    """The provider, whose public address is that of a fault proxy in front of it."""
    name, port = request.param, choose_port(0)
    with (
        STARTS[name](tmp_path, port=0, public_url=f"https://127.0.0.1:{port}") as peer,
        fault_proxy(peer, port) as proxy,
    ):
        control = Control(url="", fault_url=proxy["fault_control"])

        def restore() -> None:
            control.proxy_rules([])
            control.certificate("good")

        yield provide(name, peer.issuer, Path(proxy["ca_file"]), peer.environ, control, restore)


async def test_a_fault_in_front_of_a_real_provider_is_attributed_as_in_front_of_the_sandbox(
    real_provider: Any, matrix: Sequence[Any], judge: Judge, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = await judge(real_provider, [row for row in matrix if row.real])

    with capsys.disabled():
        print(f"\n{verdict} ({real_provider.name})")
    assert not verdict.mismatches, verdict.explained()
