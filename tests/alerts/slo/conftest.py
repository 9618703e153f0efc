"""Deployments of a few checks, and histories of their runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from alerts.deployment import Alerting, Deployment, Slo
from alerts.timeline import Run, Slicing, Timeline, timeline_of
from exporters.slis import BY_NAME
from probes.model import Check, Outcome
from probes.subjects import Client, Issuer, Region

START = datetime(2026, 3, 1, tzinfo=UTC)
REGIONS = ("ap", "eu", "us")

Verdict = Callable[[str, int], Outcome]
"""What the run in that region ends with that ends at that full minute."""


@dataclass(frozen=True)
class Make:
    """Builds what a test is about; what it does not care about has a plausible value."""

    start: datetime = START

    def check(self, probe: str = "login", interval: float = 60, regions: tuple[str, ...] = ()) -> Check:
        client = Client("portal", "portal")
        issuer = Issuer("acme", "https://login.acme.example", owner="identity", clients=(client,))
        return Check(
            issuer, probe, None if probe in {"discovery", "jwks"} else client, interval=interval, regions=regions
        )

    def deployment(
        self,
        *checks: Check,
        sli: str = "login-success",
        objective: str = "99.9",
        regions: tuple[str, ...] = REGIONS,
        min_regions: int = 2,
        window: timedelta = timedelta(days=30),
    ) -> Deployment:
        of = checks or (self.check(),)
        return Deployment(
            issuers=(of[0].issuer,),
            checks=of,
            regions=tuple(map(Region, regions)),
            slos=(Slo(sli, BY_NAME[sli], Decimal(objective), window),),
            alerting=Alerting(min_regions=min_regions),
        )

    def runs(
        self,
        verdict: Verdict,
        minutes: int,
        *,
        regions: tuple[str, ...] = REGIONS,
        interval: float = 60,
        name: str = "acme/portal/login",
    ) -> list[Run]:
        """One run in every region every `interval`, which is a multiple of a minute, the first after one interval."""
        step = int(interval) // 60
        return [
            Run(self.start.timestamp() + 60 * minute, name, region, interval, verdict(region, minute))
            for minute in range(step, minutes + 1, step)
            for region in regions
        ]

    def timeline(self, verdict: Verdict, minutes: int, *, interval: float = 60, min_regions: int = 2) -> Timeline:
        runs = self.runs(verdict, minutes, interval=interval)
        return timeline_of(runs, self.start, minutes, Slicing(int(interval) // 60, min_regions))


@pytest.fixture
def make() -> Make:
    return Make()
