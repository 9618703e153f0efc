"""The watcher watched: regions and probes that stand still, data that is gone, an agent's own health, the dead man."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from alerts import series as s
from alerts.causes_model import team
from alerts.deployment import Deployment
from alerts.model import ANY, Alert, Area, Condition, Group, Level, Recording, Role
from alerts.promql import duration
from alerts.texts import AT_TARGET
from alerts.windows import Severity
from exporters import metrics as m
from exporters.metrics import Metric
from probes.reasons import Owner

REGION_EXPECTED = "region:oidc_region_expected:info"
"""1 for every configured region, whether or not any agent shows it."""
REGION_FRESH = "region:oidc_region_fresh:bool"
"""Whether anything has run in the region lately; 0 too when its agent is gone and has taken all its series along."""
STALL = "issuer_target_region:oidc_stall:ratio"
"""Age of the last run of the check that waits longest, in units of three intervals, in regions that do run."""

WATCHDOG = "Watchdog"
"""The name that dead man's switches look for."""

_MINUTE = timedelta(minutes=1)
_QUARTER = timedelta(minutes=15)
_STALE_AFTER = 3
ENOUGH = Decimal("0.75")
_CHECK = f"{m.ISSUER}, {m.TARGET}, {m.PROBE}, {m.REGION}"


def watching_groups(deployment: Deployment) -> Iterator[Group]:
    """What is recorded about the watcher, then its alerts."""
    yield Group("oidc-watching", _MINUTE, (*_recordings(deployment), *watching_alerts(deployment)))


def watching_alerts(deployment: Deployment) -> Iterator[Alert]:
    """Every alert about the watcher. They count drills' runs as runs: who watches a drill is not standing still."""
    yield _absent(deployment)
    yield _blind(deployment)
    yield _region_stalled(deployment)
    yield _probe_stalled(deployment)
    yield _coverage(deployment)
    yield _unseen(deployment)
    for row in HEALTH:
        yield _health(deployment, row)
    yield _drill()
    yield _watchdog(deployment)


def _recordings(deployment: Deployment) -> Iterator[Recording]:
    for region in deployment.regions:
        yield Recording(REGION_EXPECTED, "vector(1)", {m.REGION: region.name})
    last, interval = m.LAST_RUN.name, m.INTERVAL.name
    # Newest run of anything, against the interval of the quickest check.
    age = f"time() - max by ({m.REGION}) ({last})"
    fresh = f"({age} < bool {_STALE_AFTER} * min by ({m.REGION}) ({interval}))"
    yield Recording(REGION_FRESH, f"({fresh} and {REGION_EXPECTED}) or {REGION_EXPECTED} * 0")
    # The newest of a check's runs in and out of drills: while a drill runs, the others rest.
    waits = f"(time() - max by ({_CHECK}) ({last})) / ({_STALE_AFTER} * max by ({_CHECK}) ({interval}))"
    longest = f"max by ({m.ISSUER}, {m.TARGET}, {m.REGION}) ({waits}) and on ({m.REGION}) {REGION_FRESH} == 1"
    named = f'label_replace({longest}, "{m.TARGET}", "{ANY}", "{m.TARGET}", "")'
    yield Recording(STALL, named, {m.DRILL: "false"})


def _watcher(
    deployment: Deployment,
    name: str,
    severity: Severity,
    condition: Condition,
    *,
    summary: str,
    impact: str,
    about: str,
    lasting: timedelta,
    level: Level = Level.AGENT,
) -> Alert:
    return Alert(
        name=name,
        severity=severity,
        area=Area.PROBE,
        role=Role.WATCHER,
        level=level,
        any_of=((condition,),),
        summary=summary,
        impact=impact,
        owner=team(deployment, Owner.PROBE_OWNER),
        lasting=lasting,
        about=about,
    )


def _absent(deployment: Deployment) -> Alert:
    series = f"absent({m.LAST_RUN.name})"
    return _watcher(
        deployment, "OidcProbeAbsent", Severity.PAGE,
        Condition("Nothing is probed (1)", series, "==", Decimal(1)),
        summary="No probe data at all: no agent runs, or Prometheus cannot scrape any",
        impact="An outage would go unnoticed: every other alert is silent now.",
        about="Rules over data that is not there never fire, so its absence is an alert of its own.",
        lasting=5 * _MINUTE,
    )  # fmt: skip


def _blind(deployment: Deployment) -> Alert:
    agree = min(deployment.alerting.min_regions, len(deployment.regions))
    return _watcher(
        deployment, "OidcRegionQuorumLost", Severity.PAGE,
        Condition("Regions that run", f"sum({REGION_FRESH})", "<", Decimal(agree)),
        summary=f"{{{{ $value }}}} of {len(deployment.regions)} regions run, and {agree} are needed to judge",
        impact="An outage would page nobody.",
        about="Without a quorum of regions the provider's time slices are unknown, and no page can fire.",
        lasting=5 * _MINUTE,
    )  # fmt: skip


def _region_stalled(deployment: Deployment) -> Alert:
    return _watcher(
        deployment, "OidcRegionStalled", Severity.TICKET,
        Condition("Regions in which nothing runs", f"count({REGION_FRESH}) - sum({REGION_FRESH})", ">", Decimal(0)),
        summary=f"{{{{ $value }}}} of {len(deployment.regions)} regions stand still:{_each(f'{REGION_FRESH} == 0')}",
        impact="None for users. Trouble in that region goes unnoticed, and less is left to lose elsewhere.",
        about="Nothing has run there for three intervals of its quickest check. An agent that was killed has taken its "
        "series along: a configured region without any counts as standing still too.",
        lasting=2 * _MINUTE,
    )  # fmt: skip


def _probe_stalled(deployment: Deployment) -> Alert:
    return _watcher(
        deployment, "OidcProbeStalled", Severity.TICKET,
        Condition("Age of the last run, in units of three intervals", STALL, ">", Decimal(1)),
        summary=f"{AT_TARGET} from {{{{ $labels.{m.REGION} }}}}: a check has not run for three intervals",
        impact="None for users: nobody knows how this is.",
        about="Other checks of the region do run, so the agent lives; where all stand still, that is told once.",
        lasting=2 * _MINUTE, level=Level.REGION,
    )  # fmt: skip


def _coverage(deployment: Deployment) -> Alert:
    worst = f"bottomk(3, {s.COVERAGE} < {ENOUGH})"
    each = f'{{{{ range query "{worst}" }}}} {{{{ .Labels.issuer }}}}/{{{{ .Labels.slo }}}}{{{{ end }}}}'
    return _watcher(
        deployment, "OidcRegionCoverageLow", Severity.TICKET,
        Condition("Share of the regions that judge, at the objective with the least", f"min({s.COVERAGE})", "<", ENOUGH),
        summary=f"Too few of the configured regions judge, the fewest:{each}",
        impact="None for users. Pages need more agreement among fewer regions.",
        about="Regions with a result that is younger than three intervals, of those seen in the last day. Runs that "
        "say nothing about the provider (a synthetic user that is locked) leave no result.",
        lasting=5 * _MINUTE,
    )  # fmt: skip


def _unseen(deployment: Deployment) -> Alert:
    missing = f"{REGION_EXPECTED} unless on ({m.REGION}) {m.REGION_INFO.name}"
    shown = f"count({REGION_EXPECTED} and on ({m.REGION}) {m.REGION_INFO.name})"
    series = f"count({REGION_EXPECTED}) - ({shown} or vector(0))"
    return _watcher(
        deployment, "OidcRegionUnseen", Severity.TICKET,
        Condition("Configured regions that no agent shows", series, ">", Decimal(0)),
        summary=f"{{{{ $value }}}} of {len(deployment.regions)} configured regions are shown by no agent:{_each(missing)}",
        impact="None for users. Nobody looks from there.",
        about="Each agent exposes the regions that it looks from. The configuration names one that none does: its "
        "agent is down, is not scraped, or was never started.",
        lasting=5 * _MINUTE,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Health:
    """One of an agent's own metrics and what of it is too much."""

    name: str
    metric: Metric
    op: Literal[">=", "<"]
    threshold: int
    wrong: str
    impact: str
    about: str


HEALTH: tuple[_Health, ...] = (
    _Health(
        "OidcConfigReloadFailed", m.RELOAD_OK, "<", 1, "the configuration on disk was refused",
        "None for users. The agent goes on with the configuration before.",
        "Changes to the file have no effect until it is valid: `oidcwatch config check` says what is wrong.",
    ),
    _Health(
        "OidcRunsMissed", m.MISSED, ">=", 5, "runs were due and never started",
        "None for users. There is less evidence than the rules assume.",
        "A run is missed when the one before has not ended, or when the process stood still.",
    ),
    _Health(
        "OidcBrowserLaunchFailing", m.BROWSER_LAUNCH_FAILURES, ">=", 3, "browsers cannot be started",
        "None for users: logins are not probed.", "Memory, a missing library, or a sandbox that the kernel refuses.",
    ),
    _Health(
        "OidcArtifactsFailing", m.ARTIFACT_FAILURES, ">=", 3, "artifacts of failed runs cannot be stored",
        "None for users. Screenshots and request lists of failures are lost.", "Usually the disk is full.",
    ),
    _Health(
        "OidcRunHistoryFailing", m.RUN_STORE_FAILURES, ">=", 3, "runs cannot be added to the run history",
        "None for users. What rules are tried on has gaps.", "Usually the disk is full.",
    ),
)  # fmt: skip


def _health(deployment: Deployment, row: _Health) -> Alert:
    window = duration(deployment.paced(_QUARTER))
    if row.op == "<":
        series, each, title = f"min({row.metric.name})", f"{row.metric.name} < {row.threshold}", "Last load held (1)"
    else:
        counted = f"increase({row.metric.name}[{window}])"
        series, each, title = f"sum({counted})", f"{counted} > 0", f"{row.metric.help.rstrip('.')} In 15m"
    return _watcher(
        deployment, row.name, Severity.TICKET,
        Condition(title, series, row.op, Decimal(row.threshold) if row.op == "<" else row.threshold - Decimal("0.5")),
        summary=f"{row.wrong[0].upper()}{row.wrong[1:]}:{_each(each, 'instance')}",
        impact=row.impact, about=row.about, lasting=_MINUTE,
    )  # fmt: skip


def _drill() -> Alert:
    rehearsed = f'count by ({m.ISSUER}, {m.DRILL}) ({m.INTERVAL.name}{{{m.DRILL}="true"}})'
    return Alert(
        name="OidcDrillRunning",
        severity=Severity.INFO,
        area=Area.DRILL,
        role=Role.WATCHER,
        level=Level.ISSUER,
        any_of=((Condition("Checks that run in a drill", rehearsed, ">", Decimal(0)),),),
        summary="{{ $labels.issuer }}: a drill is running; its failures spend no budget",
        impact="As announced by whoever runs the drill.",
        about="Runs of a drill are labelled so, and rules keep the label: alerts about them reach the drill's receiver.",
    )


def _watchdog(deployment: Deployment) -> Alert:
    return _watcher(
        deployment, WATCHDOG, Severity.INFO, Condition("Always 1", "vector(1)", "==", Decimal(1)),
        summary="Prometheus evaluates rules and reaches Alertmanager",
        impact="None: it always fires. When it stops, nobody is told of anything any more.",
        about="A dead man's switch outside of this system expects it and calls somebody when it stays away.",
        lasting=timedelta(0),
    )  # fmt: skip


def _each(promql: str, label: str = m.REGION) -> str:
    """The label's values in a query's result, each after a blank."""
    return f'{{{{ range query "{promql}" | sortByLabel "{label}" }}}} {{{{ .Labels.{label} }}}}{{{{ end }}}}'
