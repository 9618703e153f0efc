"""Small values to export: checks, results, and a clock that stands still until it is told."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from exporters.prometheus import PrometheusExporter
from probes.model import (
    Artifact,
    Check,
    Failure,
    Finding,
    Measurement,
    ProbeResult,
    Reason,
    Stage,
    Step,
)
from probes.registry import PROBES
from probes.subjects import Client, Issuer, Region

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class SetClock:
    """Gives the time that it was set to."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **duration: float) -> None:
        self.at += timedelta(**duration)


@dataclass(slots=True)
class Make:
    """Builds checks and results; what a test does not care about has a plausible value."""

    clock: SetClock

    def check(self, probe: str = "login", client: str = "portal", issuer: str = "acme", interval: float = 60) -> Check:
        of_issuer = probe in {"discovery", "jwks"}
        return Check(
            Issuer(issuer, "https://login.acme.example"),
            probe,
            client=None if of_issuer else Client(client, client),
            interval=interval,
        )

    def result(
        self,
        check: Check | None = None,
        region: str = "eu",
        *,
        reason: Reason | None = None,
        stage: Stage = Stage.TOKEN,
        detail: str = "the provider answered 503",
        first: Reason | None = None,
        seconds: float = 1.5,
        findings: tuple[Finding, ...] = (),
        artifacts: tuple[Artifact, ...] = (),
        measurements: tuple[Measurement, ...] = (),
    ) -> ProbeResult:
        failure = Failure(reason, stage, detail) if reason else None
        begun = self.clock() - timedelta(seconds=seconds)
        return ProbeResult(
            check=check or self.check(),
            region=region,
            run_id=secrets.token_hex(16),
            started_at=begun,
            seconds=seconds,
            steps=(Step(Stage.AUTHORIZE, begun, 0.3, ok=True), Step(Stage.TOKEN, begun, 0.2, ok=failure is None)),
            findings=findings,
            failure=failure,
            artifacts=artifacts,
            measurements=measurements,
            first_try=Failure(first, stage, detail) if first else failure,
        )


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def make(clock: SetClock) -> Make:
    return Make(clock)


@pytest.fixture
def regions() -> tuple[Region, ...]:
    return (Region("eu", "gcpv", "IE"), Region("us", "dqcj", "US"))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def exporter(
    registry: CollectorRegistry, regions: tuple[Region, ...], clock: Callable[[], datetime]
) -> PrometheusExporter:
    return PrometheusExporter(registry, regions, clock, kinds=PROBES)
