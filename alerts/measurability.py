"""Says of each objective what its probes can tell: which tiers can fire, on how much evidence, how soon, how falsely."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from alerts.arithmetic import k_needed
from alerts.burn import burn_threshold, floor_of, slices_floor
from alerts.deployment import Deployment, Slo
from alerts.model import ANY
from alerts.recording import burns_events, has_events, has_slices, slice_length, spends_slices
from alerts.replay import Rule, rules_of
from alerts.simulation import Shape, Trouble, detection, false_alarms
from alerts.timeline import MINUTE, Slicing, slicing_of
from alerts.windows import TIERS, Severity, Tier

DEFAULT_NOISE = 0.002
"""Share of runs that fail for no reason of the provider's, where nobody has measured it."""
MIN_BUDGET = 20
"""Bad runs in the whole budget, under which single failures decide whether the objective is met."""
_FEW = 3
_HORIZON = 12 * 60
"""Minutes after which trouble that has raised no alert counts as not detected."""
_OUTAGE, _HALF, _FIFTH = 1.0, 0.5, 0.2
_DETECTIONS, _MONTHS = range(3), range(2)
"""Seeds of the simulations."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An issuer (target `*`) or a client that has a budget of its own."""

    issuer: str
    target: str

    def __str__(self) -> str:
        return self.issuer if self.target == ANY else f"{self.issuer}/{self.target}"


Noise = Callable[[Slo, Subject], float]
"""The share, 0 to 1, of the subject's runs that fail at random."""


@dataclass(frozen=True, slots=True)
class TierVerdict:
    """What becomes of one tier. Times are minutes from the beginning of the trouble, None: not within twelve hours."""

    tier: Tier
    obstacle: str
    """Why it can never fire; empty when it can."""
    k: int | None
    """Bad ones of `n` in the long window from which on it fires; None when there is no such number."""
    n: int
    unit: Literal["runs", "slices"]
    outage: float | None = None
    half: float | None = None
    fifth: float | None = None
    """Until it fires when all runs, half of them, a fifth of them fail, in every region."""
    false_alarms: float = 0.0
    """In 30 days in which nothing but noise fails."""

    @property
    def can_fire(self) -> bool:
        """Whether any trouble makes it fire."""
        return not self.obstacle


@dataclass(frozen=True, slots=True)
class Advice:
    """What stands in the way of measuring, and what would help."""

    text: str
    refuses: bool = False
    """Whether the objective cannot be measured at all as things are."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One objective for all subjects that are probed in the same way."""

    slo: Slo
    subjects: tuple[Subject, ...]
    shape: Shape
    noise: float
    budget_runs: float
    """Runs that may be bad in the objective's window; 0 when it counts none."""
    tiers: tuple[TierVerdict, ...]
    advice: tuple[Advice, ...]

    @property
    def budget_minutes(self) -> float:
        """Minutes of the window that may be bad."""
        return self.slo.window / MINUTE * float(self.slo.budget)


def measure(deployment: Deployment, noise: Noise) -> Iterator[Measured]:
    """Every objective that is fed, once for each way in which its subjects are probed.

    Runs stand for events: a probe that validates two tokens a run gives twice the evidence that is counted here.
    """
    for slo in deployment.fed():
        alike: dict[tuple[Shape, float], list[Subject]] = {}
        for subject, shape in shapes_of(deployment, slo).items():
            alike.setdefault((shape, noise(slo, subject)), []).append(subject)
        for (shape, share), subjects in alike.items():
            yield _measured(deployment, slo, tuple(subjects), shape, share)


def shapes_of(deployment: Deployment, slo: Slo) -> Mapping[Subject, Shape]:
    """How each subject of the objective is probed."""
    found: dict[Subject, dict[str, list[float]]] = {}
    for check in deployment.checks_of(slo):
        regions = found.setdefault(subject_of(slo, check.issuer.name, check.target), {})
        for region in check.regions or (each.name for each in deployment.regions):
            regions.setdefault(region, []).append(check.interval)
    return {
        subject: Shape(tuple(sorted(tuple(sorted(intervals)) for intervals in regions.values())))
        for subject, regions in found.items()
    }


def subject_of(slo: Slo, issuer: str, target: str) -> Subject:
    """Whose budget the checks of that issuer and target count for."""
    return Subject(issuer, ANY if slo.sli.issuer_wide else target)


def _measured(deployment: Deployment, slo: Slo, subjects: tuple[Subject, ...], shape: Shape, noise: float) -> Measured:
    slicing, rules = slicing_of(deployment, slo), rules_of(deployment, slo)
    months = _MONTHS if noise < slo.budget else _MONTHS[:1]  # where alarms are many, one month tells
    rules_by_tier = {rule.tier: rule for rule in rules}
    can = [rule for rule in rules if not _obstacle(deployment, slo, shape, rule)]
    times = {share: _detected(shape, slicing, can, share) for share in (_OUTAGE, _HALF, _FIFTH)}
    alarms = false_alarms(shape, slicing, can, noise=noise, seeds=months)
    verdicts = []
    for tier in TIERS:
        rule = rules_by_tier.get(tier)
        verdicts.append(
            TierVerdict(
                tier,
                _obstacle(deployment, slo, shape, rule) if rule else _infeasible(slo, tier),
                *_evidence(deployment, slo, shape, tier),
                outage=times[_OUTAGE].get(tier),
                half=times[_HALF].get(tier),
                fifth=times[_FIFTH].get(tier),
                false_alarms=alarms.get(tier, 0.0),
            )
        )
    budget = _runs(shape, slo.window) * float(slo.budget) if has_events(slo) else 0.0
    advice = tuple(_advice(deployment, slo, shape, noise, tuple(verdicts)))
    return Measured(slo, subjects, shape, noise, budget, tuple(verdicts), advice)


def _detected(shape: Shape, slicing: Slicing, rules: list[Rule], share: float) -> Mapping[Tier, float | None]:
    longest = max((rule.long for rule in rules), default=0)
    return detection(shape, slicing, rules, Trouble(longest, share), horizon=_HORIZON, seeds=_DETECTIONS)


def _runs(shape: Shape, window: timedelta) -> float:
    return sum(window.total_seconds() / interval for intervals in shape.regions for interval in intervals)


def _evidence(
    deployment: Deployment, slo: Slo, shape: Shape, tier: Tier
) -> tuple[int | None, int, Literal["runs", "slices"]]:
    threshold = float(burn_threshold(slo, tier))
    if burns_events(slo):
        n = int(_runs(shape, tier.long))
        k = k_needed(n, threshold)
        return (None if k is None else max(k, int(floor_of(deployment, slo, tier)) + 1)), n, "runs"
    n = tier.long // slice_length(deployment, slo)
    floor = int(slices_floor(deployment, slo, tier))
    k = max(floor, int(n * threshold) + 1)
    return (k if k <= n else None), n, "slices"


def _infeasible(slo: Slo, tier: Tier) -> str:
    """Why the objective has no rule for the tier."""
    if tier.long > slo.window:
        return "its window is longer than the objective's"
    return f"it would need {float(burn_threshold(slo, tier)):.0%} of everything to be bad"


def _obstacle(deployment: Deployment, slo: Slo, shape: Shape, rule: Rule) -> str:
    """Why the rule can never fire for this shape; empty when it can."""
    there, needed = len(shape.regions), rule.regions
    if there < needed:
        return f"{needed} regions must agree, and it is probed from {there}"
    if not burns_events(slo) and there < deployment.alerting.min_regions:
        return f"{deployment.alerting.min_regions} regions must agree on a slice, and it is probed from {there}"
    k, n, unit = _evidence(deployment, slo, shape, rule.tier)
    by_slices = has_slices(slo) and there >= deployment.alerting.min_regions
    if (k is None or k > n) and not by_slices:
        return f"{n} {unit} in {_hours(rule.tier.long)} are too few to be sure of anything"
    return ""


def _advice(
    deployment: Deployment, slo: Slo, shape: Shape, noise: float, tiers: tuple[TierVerdict, ...]
) -> Iterator[Advice]:
    window, runs = f"{slo.window.days} d", _runs(shape, slo.window)
    budget = runs * float(slo.budget)
    if has_events(slo) and budget < MIN_BUDGET:
        yield Advice(
            f"{slo.objective} % of the {runs:.0f} runs in {window} leave {budget:.1f} that may fail: too few to measure. "
            f"Lower the objective to {_attainable(runs):g} % or less, probe "
            f"{MIN_BUDGET / budget:.1f} times as often, or add regions.",
            refuses=True,
        )
    firing = [verdict for verdict in tiers if verdict.can_fire]
    if not firing:
        yield Advice("No tier can ever fire. " + _obstacles(tiers), refuses=True)
    elif not any(verdict.tier.severity is Severity.PAGE for verdict in firing):
        yield Advice(f"Nobody is ever paged. {_obstacles(tiers)} {_remedy(deployment, shape)}")
    scarce = [verdict for verdict in firing if verdict.unit == "runs" and (verdict.k or _FEW) < _FEW]
    if scarce:
        names = ", ".join(f"{verdict.tier.name} ({verdict.k} of {verdict.n})" for verdict in scarce)
        yield Advice(f"Chance alone can raise {names}. Probe more often, add regions, or lower the objective.")
    if noise >= slo.budget and not spends_slices(slo):
        yield Advice(
            f"{noise:.2%} of the runs fail at random: that alone spends the budget {noise / float(slo.budget):.1f} times "
            f"over. {_confirm(deployment, slo)}ind out what fails, or lower the objective."
        )
    elif (pages := sum(each.false_alarms for each in firing if each.tier.severity is Severity.PAGE)) >= 1:
        yield Advice(
            f"With {noise:.2%} of the runs failing at random, {pages:.0f} pages a month are false. "
            f"{_confirm(deployment, slo)}ind out what fails, or lower the objective."
        )
    yield from _stretched(deployment, slo, shape)


def _confirm(deployment: Deployment, slo: Slo) -> str:
    """The beginning of an advice; a check that is run twice already is not told to be."""
    return "F" if all(check.confirm for check in deployment.checks_of(slo)) else "Let checks confirm (confirm: true), f"


def _stretched(deployment: Deployment, slo: Slo, shape: Shape) -> Iterator[Advice]:
    fastest = min(interval for intervals in shape.regions for interval in intervals)
    slowest = deployment.slowest(slo)
    if has_slices(slo) and slowest > MINUTE and fastest * 2 <= slowest.total_seconds():
        slow = next(check for check in deployment.checks_of(slo) if check.interval >= slowest.total_seconds())
        yield Advice(
            f"{slow.name} runs every {slowest.total_seconds():g} s only, so slices are "
            f"{slice_length(deployment, slo).total_seconds():g} s long for all checks of this objective. Run it more "
            "often, or give its issuer an objective of its own."
        )


def _remedy(deployment: Deployment, shape: Shape) -> str:
    """What would let it page."""
    if len(shape.regions) < deployment.alerting.min_regions:
        return (
            "Probe it from more regions; or, where there is one only, set alerting.min_regions: 1 and accept that its "
            "own network pages you."
        )
    return "Raise the objective, or probe more often."


def _obstacles(tiers: tuple[TierVerdict, ...]) -> str:
    """Each obstacle of a page once, as a sentence."""
    texts = dict.fromkeys(
        verdict.obstacle for verdict in tiers if verdict.obstacle and verdict.tier.severity is Severity.PAGE
    )
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in texts)


def _attainable(runs: float) -> float:
    """The highest objective in percent, to two decimals, that leaves enough runs in the budget."""
    return max(0.0, math.floor(10_000 * (1 - MIN_BUDGET / runs)) / 100)


def _hours(length: timedelta) -> str:
    return f"{length / timedelta(hours=1):g} h"
