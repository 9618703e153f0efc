"""From a scene on the sandbox to the alert: the finding is a level in a real registry, and promtool says what fires."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from alerts.deployment import Deployment
from alerts.rotation_table import ROTATION
from alerts.rules_file import rules_yaml
from exporters import metrics as m
from exporters.findings import ROTATION_CHECKS
from exporters.metric_set import expose
from exporters.prometheus import PrometheusExporter
from probes.model import Check, ProbeResult
from probes.registry import PROBES
from probes.subjects import Issuer, Region
from sandbox.realm import Settings

if TYPE_CHECKING:
    from tests.probes.rotation.conftest import Scene, Stage

LEVELS = {"info": 1, "warning": 2, "failure": 3}
BROKEN, COMPROMISED, TICKET = "OidcKeyRotationBroken", "OidcKeyCompromised", "OidcKeyRotationFinding"
CERTIFICATE, SHARED, UNUSED = "OidcKeySetCertificate", "OidcKeyShared", "OidcKeyUnused"
FIRES: Mapping[tuple[str, str], set[str]] = {
    ("ROT-01", "failure"): {TICKET},
    ("ROT-02", "failure"): {BROKEN, TICKET},
    ("ROT-03", "warning"): {TICKET},
    ("ROT-03", "failure"): {TICKET},
    ("ROT-04", "failure"): {TICKET},
    ("ROT-05", "failure"): {BROKEN, TICKET},
    ("ROT-06", "failure"): {BROKEN, TICKET},
    ("ROT-07", "failure"): {BROKEN, TICKET},
    ("ROT-08", "info"): set(),
    ("ROT-08", "warning"): {TICKET},
    ("ROT-08", "failure"): {TICKET},
    ("ROT-09", "warning"): set(),
    ("ROT-09", "failure"): {TICKET},
    ("ROT-10", "failure"): {TICKET},
    ("ROT-11", "failure"): {TICKET},
    ("ROT-12", "failure"): {COMPROMISED},
    ("ROT-13", "warning"): {TICKET},
    ("ROT-13", "failure"): {TICKET},
    ("ROT-14", "warning"): {TICKET},
    ("ROT-15", "info"): {UNUSED},
    ("ROT-16", "warning"): {TICKET},
    ("ROT-17", "failure"): {TICKET},
    ("ROT-18", "info"): set(),
    ("ROT-18", "warning"): {CERTIFICATE},
    ("ROT-19", "warning"): {TICKET},  # a failure never comes so far: DISC-06 refuses the document that names the place
    ("ROT-20", "info"): set(),
    ("ROT-20", "warning"): {SHARED},
    ("ROT-20", "failure"): {COMPROMISED, SHARED},
}
"""Which alerts fire for a finding of that severity; of those for one finding the page hides the ticket."""

Levels = Mapping[str, float]
"""By id."""


@dataclass(frozen=True, slots=True)
class Played:
    """A scene, and what was exposed after it for the issuer and the region that it is about."""

    scene: Scene
    levels: Levels


def test_the_alerts_the_metric_and_the_checks_have_the_same_ids() -> None:
    assert list(ROTATION) == list(ROTATION_CHECKS) == [f"ROT-{number:02}" for number in range(1, 21)]
    assert {id for (id, _), alerts in FIRES.items() if alerts} == set(ROTATION)


@pytest.mark.process
async def test_every_finding_reaches_its_level_and_its_alert_and_a_safe_rotation_none(
    stage: Callable[..., Stage], scenes: Sequence[Scene], tmp_path: Path
) -> None:
    played = [await _played(stage, scene) for scene in scenes]

    levels = {str(each.scene): each.levels.get(each.scene.check) for each in played if each.scene.check}
    safe = {
        str(each.scene): {id for id, level in each.levels.items() if level} for each in played if not each.scene.check
    }
    assert levels == {str(each.scene): LEVELS[each.scene.severity] for each in played if each.scene.check}
    assert safe
    assert all(each.levels.keys() == ROTATION_CHECKS.keys() for each in played if not each.scene.check)
    assert set().union(*safe.values()) == set()
    assert _complaints(played, tmp_path) == ""


async def _played(stage: Callable[..., Stage], scene: Scene) -> Played:
    """Plays it on a sound sandbox, and publishes every run as an agent does."""
    on = stage(scene)
    _restore(on)
    await on.play()
    registry = CollectorRegistry()
    regions = tuple(Region(name) for name in sorted({result.region for result in on.results}))
    exporter = PrometheusExporter(registry, regions, on.clock, kinds=PROBES)
    exporter.configure({result.check.name: result.check for result in on.results}.values())
    for result in on.results:
        exporter.publish(result)
    return Played(scene, dict(_levels(registry, on.results[-1])))


def _restore(on: Stage) -> None:
    """What the fixture does after a test, between the scenes of this one."""
    control = on.sandbox.control
    control.clear()
    control.clock(0, date=0)
    control.settings(**{name: getattr(Settings(), name) for name in Settings.__dataclass_fields__})
    control.rotate("publish")
    control.rotate("retire")


def _levels(registry: CollectorRegistry, last: ProbeResult) -> Iterator[tuple[str, float]]:
    """What Prometheus would scrape."""
    text = expose(registry, "text/plain")[0].decode()
    assert f"# TYPE {m.FINDING_LEVEL.name} gauge" in text
    base = {"issuer": last.check.issuer.name, "target": "", "probe": "jwks", "region": last.region, "drill": "false"}
    for id in ROTATION_CHECKS:
        value = registry.get_sample_value(m.FINDING_LEVEL.name, {**base, m.FINDING.name: id})
        if value is not None:  # a set that is not accepted tells nothing of its history
            yield id, value


def _complaints(played: Sequence[Played], folder: Path) -> str:
    """What promtool says of the alerts that the generated rules raise, all scenes in one call; empty when it agrees."""
    issuer = Issuer("sandbox", "https://127.0.0.1")
    deployment = Deployment((issuer,), (Check(issuer, "jwks", regions=("eu",)),), (Region("eu"),), slos=())
    (folder / "rules.yml").write_text(rules_yaml(deployment), encoding="utf-8")
    tests = [_promtool_test(each) for each in played]
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yml").write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: apt-get install prometheus"
    command = [promtool, "test", "rules", str(folder / "tests.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _promtool_test(played: Played) -> dict[str, Any]:
    check, severity = played.scene.check, played.scene.severity
    base = 'issuer="sandbox",probe="jwks",region="eu",drill="false"'
    told = f'alertstate="firing",role="finding"{f""",finding="{check}" """.rstrip() if check else ""}'
    fires = sorted(FIRES[check, severity]) if check else []
    return {
        "name": str(played.scene),
        "interval": "1m",
        "input_series": [
            {"series": f'{m.FINDING_LEVEL.name}{{{base},finding="{id}"}}', "values": f"{level:g}x5"}
            for id, level in played.levels.items()
        ],
        "promql_expr_test": [
            {
                "expr": f"count by (alertname) (ALERTS{{{told}}})",
                "eval_time": "3m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in fires],
            }
        ],
    }
