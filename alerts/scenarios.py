"""What agents would expose while something happens: input series of promtool's unit tests, minute by minute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from itertools import groupby

from alerts.deployment import Deployment
from exporters import metrics as m
from exporters.metrics import Metric
from exporters.slis import SLIS, Latency
from probes.model import Check, Outcome, Quantity, Reason
from probes.registry import PROBES

_MINUTE = timedelta(minutes=1)


class State(Enum):
    """What a minute is like in one region."""

    GOOD = "good"
    NOISE = "noise"  # one run fails, in however many such minutes follow one another
    BAD = "bad"  # every run fails
    STILL = "still"  # the agent lives, and nothing runs
    GONE = "gone"  # the agent is dead: its series have ended


Story = Callable[[int, int], State]
"""The state of the region with that number, in that minute."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How runs fail: for all of these reasons at once, and whether the token endpoint does."""

    reasons: tuple[Reason, ...] = (Reason.SERVER_ERROR,)
    token_endpoint: bool = True


Value = float | None
Series = dict[str, str]
"""One entry of `input_series`."""


@dataclass(frozen=True, slots=True)
class _Minute:
    """What has happened in one minute."""

    good: int
    bad: int
    gone: bool
    seconds: float
    """The time at its end."""


def tick(deployment: Deployment) -> timedelta:
    """A minute, as long as this deployment's rules take it for."""
    return deployment.paced(_MINUTE)


def minutes_between_runs(deployment: Deployment, check: Check) -> float:
    """The check's interval in the rules' minutes."""
    return check.interval * deployment.speed / _MINUTE.total_seconds()


def input_series(
    deployment: Deployment, checks: Iterable[Check], story: Story, minutes: int, fault: Fault, *, drill: bool = False
) -> Iterator[Series]:
    """All series of these checks from every region that they run in."""
    names = [region.name for region in deployment.regions]
    for check in checks:
        for region in check.regions or names:
            place = names.index(region)
            history = _history(deployment, check, [story(place, minute) for minute in range(minutes + 1)])
            base = {m.ISSUER: check.issuer.name, m.TARGET: check.target, m.PROBE: check.probe, m.REGION: region}
            yield from _of_check(check, history, {**base, m.DRILL: str(drill).lower()}, fault)


def region_series(deployment: Deployment, story: Story, minutes: int) -> Iterator[Series]:
    """What shows that agents look from the regions."""
    for place, region in enumerate(deployment.regions):
        shown = [None if story(place, minute) is State.GONE else 1 for minute in range(minutes + 1)]
        labels = {m.REGION: region.name, m.GEOHASH.name: region.geohash, m.COUNTRY.name: region.country}
        yield series(m.REGION_INFO, labels, shown)


def series(metric: Metric, labels: Mapping[str, str], values: Sequence[Value], suffix: str = "") -> Series:
    """One input series; None is where it does not exist."""
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items() if value)
    return {"series": f"{metric.name}{suffix}{{{inside}}}", "values": _notation(values)}


def _history(deployment: Deployment, check: Check, states: Sequence[State]) -> list[_Minute]:
    every, length = minutes_between_runs(deployment, check), tick(deployment).total_seconds()
    history, noisy = [], False
    for minute, state in enumerate(states):
        due = int(minute / every) - int((minute - 1) / every) if minute else 0
        runs = 0 if state in (State.STILL, State.GONE) else due
        bad = runs if state is State.BAD else min(runs, 1) if state is State.NOISE and not noisy else 0
        noisy = state is State.NOISE and (noisy or bad > 0)
        history.append(_Minute(runs - bad, bad, state is State.GONE, minute * length))
    return history


def _of_check(check: Check, history: Sequence[_Minute], base: Mapping[str, str], fault: Fault) -> Iterator[Series]:
    kind = PROBES[check.probe]
    good, bad = _summed(history, lambda each: each.good), _summed(history, lambda each: each.bad)
    both, none = _summed(history, lambda each: each.good + each.bad), _summed(history, lambda each: 0)
    last_run = _latest(history, lambda each: each.good + each.bad > 0)

    def of(metric: Metric, values: Sequence[Value], suffix: str = "", **labels: str) -> Series:
        return series(metric, {**base, **labels}, values, suffix)

    for result, values in ((Outcome.SUCCESS, good), (Outcome.FAILURE, bad), (Outcome.EXCLUDED, none)):
        yield of(m.RUNS, values, result=result)
    for reason in fault.reasons:
        if reason in kind.reasons:
            yield of(m.FAILURES, bad, reason=reason)
    yield of(m.SUCCESS, _verdicts(history))
    yield of(m.LAST_RUN, last_run)
    yield of(m.INTERVAL, [None if each.gone else check.interval for each in history])
    if Quantity.TOKEN_VALIDATION in kind.quantities:
        yield of(m.VALIDATIONS, good, result=Outcome.SUCCESS)
        yield of(m.VALIDATIONS, bad, result=Outcome.FAILURE)
    if Quantity.TOKEN_RESPONSE in kind.quantities:
        grant = kind.grants[-1]
        yield of(m.TOKEN_RESPONSES, good if fault.token_endpoint else both, grant=grant, outcome=m.OK)
        yield of(m.TOKEN_RESPONSES, bad if fault.token_endpoint else none, grant=grant, outcome="http_5xx")
        yield from _token_steps(of, good, both)
    if Quantity.JWKS_FETCHED in kind.quantities:
        yield of(m.JWKS_LAST_FETCH, _latest(history, lambda each: each.good > 0))


def _token_steps(of: Callable[..., Series], quick: Sequence[Value], all_of_them: Sequence[Value]) -> Iterator[Series]:
    """Bad runs are slow ones to the objectives of speed."""
    for sli in SLIS:
        if isinstance(sli.measure, Latency):
            step = {"step": next(each.value for each in sli.measure.good.matchers if each.label == m.STEP.name)}
            yield of(m.STEP_DURATION, quick, "_bucket", **step, le=str(sli.measure.threshold))
            yield of(m.STEP_DURATION, all_of_them, "_count", **step)


def _summed(history: Sequence[_Minute], count: Callable[[_Minute], int]) -> list[Value]:
    values: list[Value] = []
    total = 0
    for each in history:
        total += count(each)
        values.append(None if each.gone else total)
    return values


def _latest(history: Sequence[_Minute], happened: Callable[[_Minute], bool]) -> list[Value]:
    values: list[Value] = []
    latest = history[0].seconds  # of the configuration, until something has happened
    for each in history:
        latest = each.seconds if happened(each) else latest
        values.append(None if each.gone else latest)
    return values


def _verdicts(history: Sequence[_Minute]) -> list[Value]:
    values: list[Value] = []
    verdict: Value = None
    for each in history:
        verdict = 0 if each.bad else 1 if each.good else verdict
        values.append(None if each.gone else verdict)
    return values


def _notation(values: Sequence[Value]) -> str:
    """As promtool reads it: `0 0+1x9` for what grows evenly, `_` for nothing, `stale` where a series ends."""
    words: list[str] = []
    for gone, run in groupby(values, lambda value: value is None):
        stretch = list(run)
        if gone:
            first = "stale" if words else "_"
            words += [first, *([f"_x{len(stretch) - 1}"] if len(stretch) > 1 else [])]
        else:
            words += _even([value for value in stretch if value is not None])
    return " ".join(words)


def _even(numbers: Sequence[float]) -> Iterator[str]:
    """Each longest stretch with one step as `start+stepxcount`."""
    start = 0
    while start < len(numbers):
        end = start + 1
        step = numbers[end] - numbers[start] if end < len(numbers) else 0
        while end < len(numbers) and numbers[end] - numbers[end - 1] == step:
            end += 1
        count = end - start - 1
        yield f"{numbers[start]:.12g}{step:+.12g}x{count}" if count else f"{numbers[start]:.12g}"
        start = end
