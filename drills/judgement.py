"""Whether a verifier did what was predicted of it, in a sentence; and why a difference is none to worry about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drills.expectation import Expected
from drills.prediction import Bound
from drills.scenario import Measure
from drills.subject import Kind
from drills.verifiers import Scope, Verifier

SOONER: Mapping[tuple[str, Measure], str] = MappingProxyType(
    {
        ("nimbus-jwk-source", Measure.ACCEPT): "its rate limit allows two fetches in each interval, and one was left",
        ("nimbus-jwk-source", Measure.REJECT): "it refreshes a tenth of its time to live ahead",
        ("kong-openid-connect", Measure.REJECT): "a rediscovery brings the key set as well",
        ("airlock-iam", Measure.REJECT): "it refreshes when half of its time has passed",
    }
)
"""What is known to make a verifier quicker than its row, where the row has no field for that."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of one verifier."""

    ok: bool
    said: str
    """A sentence with the verifier, the prediction and the observation."""
    watched: bool = True
    """False: what was predicted comes later than it was looked for, so that nothing is known of it."""


_DONE: Mapping[Measure, str] = MappingProxyType(
    {
        Measure.ACCEPT: "accepted tokens of the new key",
        Measure.REJECT: "refused the removed key",
        Measure.OUTAGE: "refused tokens without the key set",
    }
)


def judge(
    expected: Expected,
    bound: Bound,
    observed: float | None,
    *,
    measure: Measure,
    poll: float,
    window: float,
    life: float,
    latency: float,
    row: Verifier,
    kind: Kind,
    token_ended: float | None = None,
    cut_short: bool = False,
) -> Judgement:
    """Whether that is well. Of a drill that was `cut_short`, what has not come yet is not known.

    It is as predicted within one poll and `latency`, what an answer and the fetch for it may take. `window` is how
    long it was asked about the token that shows it, `life` that of a token, `token_ended` from when on there was no old
    one to ask about; None when there always was. All in seconds.
    """
    tolerance = poll + latency
    if observed is None:
        wanted = expected.seconds + expected.waits + tolerance if expected.seconds is not None else math.inf
        if cut_short and expected.known and wanted >= window:
            return _cut_short(expected, measure, window, row)
        way = how_to_see(measure, lives=wanted < life, token_ended=token_ended)
        return _never(expected, measure, window, wanted, way, row)
    said = f"{row.name} {_DONE[measure]} after {observed:.1f} s"
    if not expected.known:
        return Judgement(True, f"{said}: nobody knew how long it takes")
    if expected.seconds is not None and (apart := abs(observed - expected.seconds)) <= tolerance:
        answers = "" if apart <= poll else f", within a poll and the {latency:.1f} s that an answer may take"
        return Judgement(True, f"{said}, as predicted ({expected.seconds:.1f} s){answers}")
    said += ", predicted was never" if expected.seconds is None else f", predicted were {expected.seconds:.1f} s"
    if bound.seconds is not None and observed > bound.seconds + tolerance:
        return Judgement(False, f"{said} and {bound.seconds:.1f} s at most")
    if expected.seconds is None or observed < expected.seconds:
        return _sooner(said, bound, measure, row, kind)
    several = "" if row.per is Scope.PROCESS else f", and each {row.per} has a cache of its own"
    most = "without a bound" if bound.seconds is None else f"within the {bound.seconds:.1f} s of its row"
    return Judgement(True, f"{said}: later, but {most}: it had fetched later than was known{several}")


def how_to_see(measure: Measure, *, lives: bool, token_ended: float | None) -> str:
    """Why something was not watched for long enough, and what would show it. `lives`: a token lives for as long."""
    if measure is not Measure.ACCEPT and token_ended is not None:
        return f"its token ended after {token_ended:.0f} s, and tokens that live longer show it"
    # The new token is renewed while a drill lasts; of the old key there are no more.
    shows = measure is Measure.ACCEPT or lives
    return "a longer --longest shows it" if shows else "a longer --longest and tokens that live longer show it"


def _cut_short(expected: Expected, measure: Measure, window: float, row: Verifier) -> Judgement:
    told = "never" if expected.seconds is None else f"{expected.seconds:.1f} s"
    said = f"{row.name} had not {_DONE[measure]} within {window:.0f} s, when the drill was ended (predicted {told})"
    return Judgement(False, said, watched=False)


def _never(expected: Expected, measure: Measure, window: float, wanted: float, way: str, row: Verifier) -> Judgement:
    said = f"{row.name} had not {_DONE[measure]} within {window:.0f} s"
    if not expected.known:
        return Judgement(True, f"{said}: nobody knew how long it takes")
    if expected.seconds is None:
        return Judgement(True, f"{said}, as predicted")
    if wanted >= window:
        why = f"not watched for long enough (predicted {expected.seconds:.1f} s): {way}"
        return Judgement(False, f"{said}: {why}", watched=False)
    return Judgement(False, f"{said}, predicted were {expected.seconds:.1f} s")


def _sooner(said: str, bound: Bound, measure: Measure, row: Verifier, kind: Kind) -> Judgement:
    """Sooner is well where tokens are accepted or a removed key refused, and a loss where the key set is out."""
    known = SOONER.get((row.name, measure)) if kind is Kind.CANARY else None
    if known:
        return Judgement(True, f"{said}: sooner, because {known}")
    if measure is Measure.OUTAGE:
        return Judgement(False, f"{said}: its keys did not last as long as they should")
    within = "" if bound.seconds is None else f", within the {bound.seconds:.1f} s of its row"
    return Judgement(True, f"{said}: sooner{within}: it had fetched, or fetched again, for a reason of its own")
