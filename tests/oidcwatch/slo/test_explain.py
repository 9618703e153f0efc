"""`oidcwatch slo explain` as a person and a program meet it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alerts.deployment import DEFAULT_SLOS
from alerts.measurability import Subject
from exporters.slis import BY_NAME
from oidcwatch.explain import ObservedNoise

if TYPE_CHECKING:
    from tests.oidcwatch.slo.conftest import History, Run

pytestmark = pytest.mark.process

KEYS = {"slo", "tier", "can_fire", "k", "n", "detect_outage_seconds", "false_pages_per_30d"}


def test_every_tier_of_every_objective_is_explained(run: Run, config: Path) -> None:
    done = run("explain", "--json", "-c", str(config), "--noise", "0.02")

    rows = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert {row["slo"] for row in rows} == {"jwks-fetch", "jwks-freshness", "idp-availability"}
    assert len(rows) == 3 * 5
    assert all(row.keys() >= KEYS for row in rows)
    fast = _row(rows, "jwks-fetch", "fast")
    assert (fast["can_fire"], fast["k"], fast["n"]) == (True, 6, 180)
    assert fast["detect_outage_seconds"] == 120
    assert fast["false_pages_per_30d"] == 0


def test_a_person_reads_a_table_and_what_would_help(run: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("objective: 99.9}", "objective: 99.99}"))

    done = run("explain", "-c", str(config), "--noise", "0.02")

    assert done.returncode == 1
    assert "jwks-fetch for acme: 99.99 % of 30 d; 3 regions every 60 s; budget 4 min or 13 runs" in done.stdout
    assert "cannot be measured: 99.99 % of the 129600 runs in 30 d leave 13.0 that may fail" in done.stdout
    assert "6 of 180 runs" not in done.stdout
    assert "2 of 180 runs" in done.stdout


def test_the_example_is_explained(run: Run, root: Path) -> None:
    done = run("explain", "--json", "-c", str(root / "examples" / "oidcwatch.yaml"))

    rows = json.loads(done.stdout)
    assert {row["slo"] for row in rows} >= {slo.name for slo in DEFAULT_SLOS}
    assert done.returncode == int(not all(row["measurable"] for row in rows))


def test_noise_is_measured_where_there_is_a_run_history(run: Run, config: Path, history: History) -> None:
    recent = type(history)(start=datetime.now(UTC) - timedelta(hours=9), outage=range(300, 320))
    recent.write(config.parent / "data" / "runs.sqlite", noise=lambda minute, region: minute % 100 == 7)

    done = run("explain", "--json", "-c", str(config))

    noise = {row["noise"] for row in json.loads(done.stdout)}
    assert noise == {0.0083}  # four of 480 in each region; the fifth is a part of the outage


def test_a_broken_run_history_is_said_so(run: Run, config: Path) -> None:
    (config.parent / "data").mkdir()
    (config.parent / "data" / "runs.sqlite").write_text("nothing of ours " * 100)

    done = run("explain", "-c", str(config))

    assert done.returncode == 2
    assert "file is not a database; give --noise to do without" in done.stderr


@pytest.mark.parametrize("noise", ["-1", "51", "much"])
def test_noise_that_is_no_share_is_refused(run: Run, config: Path, noise: str) -> None:
    assert run("explain", "-c", str(config), "--noise", noise).returncode == 2


@pytest.mark.parametrize(
    ("runs", "expected"),
    [(999, 0.002), (1000, 0.005)],
    ids=["few-runs-tell-nothing", "many-runs-tell"],
)
def test_noise_is_assumed_until_enough_runs_were_seen(runs: int, expected: float) -> None:
    slo = next(slo for slo in DEFAULT_SLOS if slo.sli is BY_NAME["login-success"])
    noise = ObservedNoise({("acme", "portal", "login"): (5, runs), ("acme", "portal", "refresh"): (9, 9999)}, 0.002)

    assert noise(slo, Subject("acme", "portal")) == expected
    assert noise(slo, Subject("acme", "kiosk")) == 0.002


def _row(rows: list[dict[str, Any]], slo: str, tier: str) -> dict[str, Any]:
    return next(row for row in rows if (row["slo"], row["tier"]) == (slo, tier))
