"""Tells agents that a drill is on, so that what they see of it spends no budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from drills.driver import Ready
from drills.target import Target
from oidcwatch.config_duration import format_duration
from oidcwatch.drill_switch import LONGEST
from probes.classify import classify

_SECONDS = 10.0
_SPARE = 3600.0
"""Seconds beyond the longest observation: holds before it, and the recovery after it. The drill ends the agents' mode
itself; this bound is for a drill that dies."""


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents of a target. `longest`: seconds that the drill observes at most."""

    target: Target
    longest: float

    def tell(self, on: bool) -> tuple[Ready, ...]:
        """POST /-/drill at each of them, and a line about each."""
        return tuple(self._told(on))

    def _told(self, on: bool) -> Iterator[Ready]:
        length = min(4 * self.longest + _SPARE, LONGEST.total_seconds())
        asked = {"issuer": self.target.issuer.name, "state": "on" if on else "off"}
        asked |= {"for": format_duration(length)} if on else {}
        with httpx.Client(timeout=_SECONDS, trust_env=False) as client:
            for agent in self.target.agents:
                problem = _post(client, agent, asked)
                mend = f"{problem}; correct drill.agents, or start it" if problem else f"drill {asked['state']}"
                yield Ready(f"agent {agent}", not problem, mend)


def _post(client: httpx.Client, agent: str, asked: dict[str, str]) -> str:
    """What went wrong; empty when nothing did."""
    try:
        answer = client.post(f"{agent.rstrip('/')}/-/drill", params=asked)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return classify(error).detail
    return "" if answer.status_code == httpx.codes.OK else f"HTTP status {answer.status_code}: {answer.text[:200]}"
