"""Stored runs are replayed by objective, subject and drill."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from alerts.backtest import Backtest, Watched, backtest, of_runs
from alerts.deployment import DEFAULT_SLOS, Deployment
from alerts.measurability import Subject
from alerts.model import ANY
from exporters.stored_runs import StoredRun
from probes.model import Outcome, Reason, Stage

if TYPE_CHECKING:
    from tests.alerts.slo.conftest import Make

HOURS = 8


def stored(
    make: Make, failing: range, *, probe: str = "login", drill: bool = False, skew: float = 0
) -> list[StoredRun]:
    """A run a minute in every region; those that start in the failing minutes fail."""
    return [
        StoredRun(
            "acme", "" if probe in {"discovery", "jwks"} else "portal", probe, region, drill,
            make.start + timedelta(minutes=minute, seconds=20 + skew), 1.5, 60,
            Outcome.FAILURE if minute in failing else Outcome.SUCCESS, Outcome.SUCCESS,
            Reason.TIMEOUT if minute in failing else None, Stage.TOKEN if minute in failing else None,
            f"{minute}-{region}",
        )
        for minute in range(HOURS * 60)
        for region in ("ap", "eu", "us")
    ]  # fmt: skip


def replayed(make: Make, deployment: Deployment, runs: list[StoredRun]) -> Backtest:
    end = make.start + timedelta(hours=HOURS)

    def read(issuer: str, probe: str) -> Iterable[StoredRun]:
        return (run for run in runs if (run.issuer, run.probe) == (issuer, probe))

    return backtest(deployment, of_runs(deployment, read, make.start, end), make.start, end)


def minute(make: Make, moment: datetime) -> int:
    return (moment - make.start) // timedelta(minutes=1)


def test_a_recorded_outage_is_found_where_it_was(make: Make) -> None:
    found = replayed(make, make.deployment(), stored(make, range(300, 320)))

    first = next(alarm for alarm in found.alarms if alarm.episode.tier.name == "fast")
    assert first.watched == Watched(Subject("acme", "portal"), drill=False)
    assert minute(make, first.episode.start) == 302
    assert first.episode.bad == 6


def test_alerts_of_one_incident_are_one_page(make: Make) -> None:
    found = replayed(make, make.deployment(), stored(make, range(300, 320)))

    assert {alarm.episode.tier.name for alarm in found.alarms} >= {"fast", "medium", "slow", "long"}
    assert found.pages == 1
    assert found.pages_per_30d == 90  # one in eight hours


def test_a_drill_is_replayed_and_is_no_page(make: Make) -> None:
    found = replayed(make, make.deployment(), stored(make, range(300, 320), drill=True))

    assert {alarm.watched.drill for alarm in found.alarms} == {True}
    assert found.pages == 0


def test_an_objective_of_the_whole_issuer_is_replayed_from_all_its_probes(make: Make) -> None:
    checks = (make.check("discovery"), make.check("client_credentials"))
    deployment = make.deployment(*checks, sli="idp-availability", objective="99.9")
    runs = stored(make, range(0), probe="discovery") + stored(make, range(300, 330), probe="client_credentials", skew=9)

    found = replayed(make, deployment, runs)

    assert {alarm.watched.subject for alarm in found.alarms} == {Subject("acme", ANY)}
    first = next(alarm for alarm in found.alarms if alarm.episode.tier.name == "fast")
    assert first.episode.total == 60  # slices: in each, a region is bad when one of its probes failed


def test_runs_of_checks_that_are_not_configured_are_left_out(make: Make) -> None:
    found = replayed(make, make.deployment(), stored(make, range(300, 320), probe="refresh"))

    assert found.alarms == ()
    assert found.replayed == ()


def test_objectives_that_do_not_count_runs_are_not_replayed_from_runs(make: Make) -> None:
    checks = (make.check("login"), make.check("jwks"), make.check("refresh"))
    deployment = Deployment((checks[0].issuer,), checks, make.deployment().regions, DEFAULT_SLOS)
    runs = [run for check in checks for run in stored(make, range(0), probe=check.probe)]

    found = replayed(make, deployment, runs)

    assert {slo.name for slo in found.replayed} == {
        *("login-success", "idp-availability", "jwks-fetch", "jwks-freshness", "refresh-success"),
    }
    assert {slo.name for slo in deployment.fed()} - {slo.name for slo in found.replayed} == {
        *("token-validation", "token-latency", "token-errors"),
    }
