"""What probes remember of an issuer ends with its URL: under another one the same name is another provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from probes.ledger import Ledger
from probes.memory import Memory
from probes.model import ProbeResult
from probes.subjects import Issuer, Policy

if TYPE_CHECKING:
    from tests.probes.conftest import Lab, Signer

HOST = "https://login.acme.example"
OLD, NEW = Issuer("acme", f"{HOST}/realms/old"), Issuer("acme", f"{HOST}/realms/new")


def discovery(issuer: Issuer) -> dict[str, Any]:
    """With which no check has anything to say."""
    return {
        "issuer": issuer.url,
        "authorization_endpoint": f"{issuer.url}/authorize",
        "token_endpoint": f"{issuer.url}/token",
        "jwks_uri": f"{issuer.url}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "request_uri_parameter_supported": False,
    }


@dataclass(slots=True)
class Reloading(httpx.AsyncBaseTransport):
    """Answers as another transport does, once the reload is over."""

    answer: Callable[[httpx.Request], Awaitable[httpx.Response]]
    reload: Callable[[], None]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.reload()
        return await self.answer(request)


@dataclass(slots=True)
class Agent:
    """One memory through reloads, and two realms on one host."""

    lab: Lab
    memory: Memory = field(default_factory=Memory)
    told: list[tuple[str, Ledger]] = field(default_factory=list)
    """What was to be stored, with the issuer's URL."""

    def __post_init__(self) -> None:
        self.memory.keep = lambda issuer, ledger, _: self.told.append((issuer.url, ledger))

    def reload(self, issuer: Issuer) -> None:
        """In the agent's order: first the probes are built, then the memory forgets."""
        self.lab.issuer, self.lab.memory = issuer, self.memory.of(issuer)
        self.memory.keep_only([issuer])

    async def run(self) -> ProbeResult:
        self.lab.clock.forward(seconds=60)
        return await self.lab.run("jwks")

    async def run_over_a_reload(self, issuer: Issuer) -> ProbeResult:
        """The reload comes while the provider makes its answers."""
        provider = self.lab.provider
        self.lab.provider = Reloading(provider.handle_async_request, lambda: self.reload(issuer))  # type: ignore[assignment] # all that a run needs of it
        try:
            return await self.run()
        finally:
            self.lab.provider = provider

    def kids(self) -> list[str]:
        """In the ledger of the issuer as it is configured now."""
        return [record.facts.kid for record in self.memory.ledger_of(self.lab.issuer).keys.values()]


@pytest.fixture
def agent(lab: Lab, other_signer: Signer) -> Agent:
    """An agent that has started with the old realm."""
    for issuer, signer in ((OLD, lab.signer), (NEW, other_signer)):
        path = httpx.URL(issuer.url).path
        lab.provider.json(f"{path}/.well-known/openid-configuration", discovery(issuer))
        lab.provider.json(f"{path}/jwks", {"keys": [signer.jwk()]}, cache_control="max-age=300")
    made = Agent(lab)
    made.reload(OLD)
    return made


async def test_nothing_of_the_old_provider_is_held_against_the_new_one(agent: Agent, other_signer: Signer) -> None:
    await agent.run()

    agent.reload(NEW)
    results = [await agent.run() for _ in range(7)]

    assert [(result.ok, list(result.findings)) for result in results] == [(True, [])] * 7
    assert agent.kids() == [other_signer.kid]


async def test_other_settings_of_an_issuer_cost_none_of_what_is_known(agent: Agent) -> None:
    await agent.run()

    agent.reload(replace(OLD, policy=Policy(max_token_lifetime=600)))

    assert set(agent.memory.keys) == set(agent.memory.metadata) == {("acme", "eu")}


async def test_a_run_of_the_old_provider_that_ends_after_the_reload_leaves_nothing_behind(
    agent: Agent, other_signer: Signer
) -> None:
    late = await agent.run_over_a_reload(NEW)

    results = [await agent.run() for _ in range(2)]

    assert late.ok
    assert [(result.ok, list(result.findings)) for result in results] == [(True, [])] * 2
    assert agent.kids() == [other_signer.kid]


async def test_what_such_a_run_sees_is_added_to_what_was_known_of_the_old_provider(
    agent: Agent, other_signer: Signer
) -> None:
    await agent.run()
    agent.lab.provider.json("/realms/old/jwks", {"keys": [other_signer.jwk()]}, cache_control="max-age=300")

    await agent.run_over_a_reload(NEW)

    url, ledger = agent.told[-1]
    assert url == OLD.url
    assert {record.facts.kid for record in ledger.keys.values()} == {agent.lab.signer.kid, other_signer.kid}
