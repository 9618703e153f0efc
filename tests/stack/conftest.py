"""One live stack for the whole folder: real agents, Prometheus and Alertmanager, with windows twenty times shorter."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from oidcwatch.sandbox_config import REGIONS, Pace
from oidcwatch.stack import Stack, StackOptions, start_stack
from oidcwatch.stack_receiver import Notification, Notified

T = TypeVar("T")

SPEED = 20
# No logins: three browsers on two cores would make the times of everything else a matter of luck.
PACE = Pace(discovery="2s", jwks="2s", client_credentials="2s")
TOKEN_ERRORS = ({"path": "/token$", "kind": "status", "status": 500},)


@dataclass
class Live:
    """The stack, and what a test does to it and waits for. Only what came after `begin` counts."""

    stack: Stack
    begun: int = 0

    def begin(self) -> None:
        """Forgets earlier notifications."""
        self.begun = len(self.stack.notifications())

    def break_token_endpoint(self, *regions: str) -> datetime:
        """500 from the token endpoint for exactly these regions, and the time."""
        for region, agent in self.stack.agents.items():
            agent.path.proxy_rules(TOKEN_ERRORS if region in regions else ())
        return datetime.now(UTC)

    def notifications(self, route: str) -> list[Notification]:
        """Those of one route, oldest first."""
        return [each for each in self.stack.notifications()[self.begun :] if each.route == route]

    def told(self, route: str, status: str = "firing") -> list[Notified]:
        """The alerts in them."""
        return [alert for each in self.notifications(route) for alert in each.alerts if alert.status == status]

    def firing(self) -> set[tuple[str, str]]:
        """Name and `drill` of what fires in Prometheus."""
        return {(alert.name, alert.labels["drill"]) for alert in self.stack.alerts() if alert.state == "firing"}

    def values(self, promql: str) -> list[float]:
        """The values of the vector."""
        return [sample.value for sample in self.stack.query(promql)]

    def until(self, what: Callable[[], T], seconds: float = 90.0) -> T:
        """Waits until it is something, and gives it; fails with what fires and what was sent."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = what()
            if found:
                return found
            time.sleep(0.2)
        sent = [(each.route, [alert.name for alert in each.alerts]) for each in self.stack.notifications()]
        pytest.fail(f"did not happen within {seconds:g} s; firing: {sorted(self.firing())}; sent: {sent}")


@pytest.fixture(scope="module")
def stack() -> Iterator[Live]:
    """Everything, once every objective has its budget and every region its say."""
    with start_stack(StackOptions(speed=SPEED, pace=PACE), os.environ) as running:
        live = Live(running)
        fed = len(running.deployment.fed())
        live.until(lambda: len(live.values('issuer_target:oidc_sli_budget_left:ratio{drill="false"}')) >= fed)
        live.until(lambda: set(live.values("issuer_target:oidc_sli_regions:count")) == {len(REGIONS)})
        yield live


@pytest.fixture
def live(stack: Live) -> Iterator[Live]:
    """The stack without faults and drills, before and after."""
    stack.begin()
    yield stack
    stack.break_token_endpoint()
    stack.stack.drill("off")
