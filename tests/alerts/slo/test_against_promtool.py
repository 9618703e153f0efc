"""The replay fires when Prometheus does: the same runs through the generated rule file, evaluated by promtool."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from alerts.burn import camel
from alerts.deployment import Deployment
from alerts.replay import Episode, episodes, rules_of
from alerts.rules_file import rules_yaml
from alerts.timeline import MINUTE, Run, slicing_of, timeline_of
from alerts.windows import TIERS
from exporters import metrics as m
from probes.model import Outcome

if TYPE_CHECKING:
    from tests.alerts.slo.conftest import Make, Verdict

pytestmark = pytest.mark.process

MINUTES = 600
GOOD, BAD, OUT = Outcome.SUCCESS, Outcome.FAILURE, Outcome.EXCLUDED


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    assert path, "promtool is missing: apt-get install prometheus"
    return path


def outages(region: str, minute: int) -> Outcome:
    """The first runs fail; later those of two of three regions for half an hour, then all for ten minutes."""
    return BAD if minute <= 4 or (300 <= minute < 330 and region != "ap") or 500 <= minute < 510 else GOOD


def few_regions(region: str, minute: int) -> Outcome:
    """One region fails for an hour; later another one does while the other two are no evidence."""
    if 300 <= minute < 360:
        return BAD if region == "eu" else OUT
    return BAD if 100 <= minute < 160 and region == "us" else GOOD


def fifth(region: str, minute: int) -> Outcome:
    """A fifth of the runs fails for an hour and a half, and a few runs at any time."""
    share = 200 if 300 <= minute < 390 else 4  # per mille
    return BAD if zlib.crc32(f"{region} {minute}".encode()) % 1000 < share else GOOD


SCENARIOS: tuple[tuple[Callable[[str, int], Outcome], float], ...] = (
    (outages, 60.0),
    (few_regions, 60.0),
    (fifth, 60.0),
    (outages, 300.0),
)


@dataclass(frozen=True)
class Point:
    """What PromQL gives at a minute: one sample without labels, or nothing."""

    minute: int
    expr: str
    value: float | None

    def document(self) -> dict[str, Any]:
        samples = [] if self.value is None else [{"labels": "{}", "value": self.value}]
        return {"expr": self.expr, "eval_time": f"{self.minute}m", "exp_samples": samples}


@pytest.mark.parametrize(("verdict", "interval"), SCENARIOS, ids=lambda each: getattr(each, "__name__", str(each)))
def test_replay_and_prometheus_fire_at_the_same_time(
    promtool: str, tmp_path: Path, make: Make, verdict: Verdict, interval: float
) -> None:
    deployment = make.deployment(make.check(interval=interval))
    slo = deployment.slos[0]
    runs = make.runs(verdict, MINUTES, interval=interval)
    rules = rules_of(deployment, slo)

    found = episodes(rules, timeline_of(runs, make.start, MINUTES, slicing_of(deployment, slo)))

    every = int(interval) // 60
    points: list[Point] = []
    for rule in rules:
        alert = f"Oidc{camel(slo.name)}Burn{rule.tier.name.capitalize()}"
        spans = [_minutes(episode, make.start) for episode in found if episode.tier is rule.tier]
        points += _points(alert, spans, every)
    said = _judged(promtool, tmp_path, deployment, _series(runs, make.start, interval), points, every)
    assert said == "", f"{[(each.tier.name, *_minutes(each, make.start)) for each in found]}\n{said}"


def test_the_scenarios_make_every_tier_fire(make: Make) -> None:
    fired = set()
    for verdict, interval in SCENARIOS:
        deployment = make.deployment(make.check(interval=interval))
        timeline = make.timeline(verdict, MINUTES, interval=interval)
        fired |= {episode.tier for episode in episodes(rules_of(deployment, deployment.slos[0]), timeline)}

    assert fired == set(TIERS)


def _minutes(episode: Episode, start: datetime) -> tuple[int, int]:
    return (episode.start - start) // MINUTE, min((episode.end - start) // MINUTE, MINUTES + 1)


def _points(alert: str, spans: list[tuple[int, int]], every: int) -> Iterator[Point]:
    """Both ends of every episode to one evaluation, and how long it fired altogether."""
    firing = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
    for start, end in spans:
        for minute, value in ((start - 2 * every, None), (start + every, 1), (end - 2 * every, 1), (end + every, None)):
            inside = any(first - every <= minute < last + every for first, last in spans)
            if 0 < minute <= MINUTES and (value or not inside) and (value is None or start <= minute < end):
                yield Point(minute, f"count({firing})", value)
    total = f"sum(count_over_time({firing}[{MINUTES}m]))"
    if spans:
        evaluations = sum(end - start for start, end in spans) / every
        yield Point(MINUTES, f"abs({total} - {evaluations}) <= bool {2 * len(spans)}", 1)
    else:
        yield Point(MINUTES, total, None)


def _series(runs: list[Run], start: datetime, interval: float) -> Iterator[dict[str, str]]:
    """What the agents' exporters would have shown at every minute."""
    for region in sorted({run.region for run in runs}):
        ended = {round((run.at - start.timestamp()) / 60): run.outcome for run in runs if run.region == region}
        labels = f'issuer="acme",target="portal",probe="login",region="{region}",drill="false"'
        for outcome in Outcome:
            counted = itertools.accumulate(int(ended.get(minute) is outcome) for minute in range(MINUTES + 1))
            yield _written(f'{m.RUNS.name}{{{labels},result="{outcome}"}}', counted)
        shown = {GOOD: "1", BAD: "0", OUT: "stale"}
        newest = [
            max((at for at in ended if at <= minute and at > minute - interval / 60), default=None)
            for minute in range(MINUTES + 1)
        ]
        yield _written(f"{m.SUCCESS.name}{{{labels}}}", ("_" if at is None else shown[ended[at]] for at in newest))
        yield _written(f"{m.LAST_RUN.name}{{{labels}}}", (60 * (at or 0) for at in newest))
        yield _written(f"{m.INTERVAL.name}{{{labels}}}", (interval for _ in newest))


def _written(series: str, values: Iterable[object]) -> dict[str, str]:
    return {"series": series, "values": " ".join(map(str, values))}


def _judged(
    promtool: str,
    folder: Path,
    deployment: Deployment,
    series: Iterable[dict[str, str]],
    points: list[Point],
    every: int,
) -> str:
    """What promtool has to say against it; empty when all is as expected."""
    # Without the budget over 30 days, which no burn alert reads and which takes most of the time.
    groups = [
        group
        for group in yaml.safe_load(rules_yaml(deployment))["groups"]
        if not group["name"].startswith("oidc-budget")
    ]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    document = {
        "rule_files": ["rules.yaml"],
        "group_eval_order": [group["name"] for group in groups],
        "evaluation_interval": f"{every}m",
        "tests": [
            {
                "interval": "1m",
                "input_series": list(series),
                "promql_expr_test": [point.document() for point in points],
            }
        ],
    }
    (folder / "test.yaml").write_text(json.dumps(document))  # JSON is YAML, and quicker to write
    done = subprocess.run(
        [promtool, "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
