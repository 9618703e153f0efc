"""From evidence to one named cause: what was seen failing, where, and which of it explains the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from probes.model import Reason, Stage
from probes.reasons import REASONS, Owner, SliClass
from runbooks.precedence import PLACE, TOLD_ONCE

_STAGES = tuple(Stage)


class Source(StrEnum):
    """Where a piece of evidence comes from, the strongest first."""

    PROBE = "probe"  # a run of the deployment's own check, made now
    CHECK = "check"  # another check of the page, made now
    RECORDED = "recorded"  # failures that Prometheus counted in the last minutes
    THRESHOLD = "threshold"  # a measured value beyond its limit; nothing has failed because of it yet


@dataclass(frozen=True, slots=True)
class Sighting:
    """One reason, seen once. `stage` is None where the source does not tell it."""

    reason: Reason
    stage: Stage | None
    region: str
    source: Source
    check: str
    """What failed: `issuer/target/probe`, or the name of a check of the page."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the checks brought. `passed` holds (check, region) of probe runs of now that succeeded."""

    sightings: tuple[Sighting, ...] = ()
    passed: frozenset[tuple[str, str]] = frozenset()

    @property
    def regions(self) -> frozenset[str]:
        """The regions that say something about the provider: not those in which only the probe itself broke."""
        seen = {one.region for one in self.sightings if one.reason is not Reason.PROBE_ERROR}
        return frozenset(seen | {region for _, region in self.passed})


class Certainty(StrEnum):
    """How good the evidence for the cause is."""

    SEEN = "seen now"
    BEHIND = "recorded in the last minutes; what follows from it is seen now"
    RECENT = "not seen now, but in the last minutes"
    MEASURED = "a measured value is beyond its limit; nothing has failed because of it yet"
    NONE = "nothing fails"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one cause (None: none found), where it was seen, and how certain it is."""

    cause: Reason | None
    stage: Stage | None
    regions: tuple[str, ...]
    looked: tuple[str, ...]
    """Regions that were able to see it."""
    certainty: Certainty
    owner: Owner | None = None

    @property
    def partial(self) -> bool:
        """Whether some regions see it and others do not."""
        return 0 < len(self.regions) < len(self.looked)


def diagnose(evidence: Evidence, expected: Collection[Reason] = ()) -> Verdict:
    """Exactly one cause, or none. `expected` are the reasons that the alert itself names.

    1. What is seen now goes before what was recorded, and that before measured values. Changes are told once, so
       recorded ones count as seen when something fails now.
    2. An alert about runs that spend no budget (login page, security controls, the probe itself) is explained by its
       own reasons alone, when they are seen: an outage beside it does not make a login page change. So is every alert
       when nothing fails any more: what else was recorded can be over for longer.
    3. What most regions see goes before what a minority sees.
    4. Of the rest, the first in `runbooks.precedence` is the root.
    5. The picture over the regions can change the name: see `_refined`.
    """
    certainty, candidates = _strongest(evidence.sightings)
    looked = tuple(sorted(evidence.regions))
    if not candidates:
        return Verdict(None, None, (), looked, Certainty.NONE)
    candidates = _of_most_regions(_own(candidates, expected, certainty), looked)
    cause = min((one.reason for one in candidates), key=PLACE.__getitem__)
    sightings = [one for one in candidates if one.reason is cause]
    regions = tuple(sorted({one.region for one in sightings} | _recorded_elsewhere(cause, evidence)))
    if certainty is Certainty.SEEN and all(one.source is Source.RECORDED for one in sightings):
        certainty = Certainty.BEHIND
    verdict = Verdict(cause, _stage(sightings), regions, looked or regions, certainty, REASONS[cause].owner)
    return _refined(verdict, sightings, evidence)


def _strongest(sightings: Iterable[Sighting]) -> tuple[Certainty, list[Sighting]]:
    by_source: dict[Source, list[Sighting]] = {source: [] for source in Source}
    for one in sightings:
        by_source[one.source].append(one)
    now = by_source[Source.PROBE] + by_source[Source.CHECK]
    recorded = by_source[Source.RECORDED]
    if any(one.reason is not Reason.PROBE_ERROR for one in now):
        return Certainty.SEEN, now + [one for one in recorded if one.reason in TOLD_ONCE]
    if any(one.reason is not Reason.PROBE_ERROR for one in recorded):
        return Certainty.RECENT, recorded
    if now or recorded:  # only the probes broke
        return (Certainty.SEEN, now) if now else (Certainty.RECENT, recorded)
    return Certainty.MEASURED, by_source[Source.THRESHOLD]


def _own(candidates: list[Sighting], expected: Collection[Reason], certainty: Certainty) -> list[Sighting]:
    own = [one for one in candidates if one.reason in expected]
    independent = all(REASONS[one.reason].sli is not SliClass.BAD for one in own)
    return own if own and (independent or certainty is Certainty.RECENT) else candidates


def _of_most_regions(candidates: list[Sighting], looked: tuple[str, ...]) -> list[Sighting]:
    """Those of reasons that most regions see, if there are any: one region's own trouble explains no outage."""
    regions: dict[Reason, set[str]] = {}
    for one in candidates:
        regions.setdefault(one.reason, set()).add(one.region)
    common = [one for one in candidates if 2 * len(regions[one.reason]) > len(looked)]
    return common or candidates


def _recorded_elsewhere(cause: Reason, evidence: Evidence) -> set[str]:
    """Regions that nobody has looked from now, and whose agents met the cause in the last minutes."""
    now = {one.region for one in evidence.sightings if one.source is not Source.RECORDED}
    now |= {region for _, region in evidence.passed}
    met = {one.region for one in evidence.sightings if one.source is Source.RECORDED and one.reason is cause}
    return met - now


def _stage(sightings: Iterable[Sighting]) -> Stage | None:
    """The earliest step in protocol order: later ones are not reached, or fail for the same reason."""
    stages = [one.stage for one in sightings if one.stage is not None]
    return min(stages, key=_STAGES.index, default=None)


def _refined(verdict: Verdict, sightings: Iterable[Sighting], evidence: Evidence) -> Verdict:
    """What the comparison of regions adds (the same check must have succeeded elsewhere).

    A kid that only some regions miss is published: their edge serves an old set. A time-out that only some regions
    meet is on their way to the provider, not inside it.
    """
    checks = {one.check for one in sightings if one.source is Source.PROBE}
    elsewhere = any(check in checks and region not in verdict.regions for check, region in evidence.passed)
    if not elsewhere:
        return verdict
    match verdict.cause:
        case Reason.KID_UNKNOWN:
            owner = REASONS[Reason.JWKS_INCONSISTENT].owner
            return _named(verdict, Reason.JWKS_INCONSISTENT, owner)
        case Reason.TIMEOUT:
            return _named(verdict, Reason.TIMEOUT, Owner.NETWORK)
        case _:
            return verdict


def _named(verdict: Verdict, cause: Reason, owner: Owner) -> Verdict:
    return Verdict(cause, verdict.stage, verdict.regions, verdict.looked, verdict.certainty, owner)
