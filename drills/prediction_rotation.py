"""What a rotation of keys needs to be safe for some verifiers, and what the next one would break."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drills.prediction import Bound, Observed, Prediction, flushes, predict
from drills.verifiers import Seconds, UnknownKid, Verifier, Word

CAUTIOUS_LEEWAY = 300.0
"""Seconds that are assumed of a verifier whose leeway nobody says: the largest known one (Microsoft.IdentityModel)."""


@dataclass(frozen=True, slots=True)
class SafeRotation:
    """The least times of a rotation that nobody notices. Seconds; counted from and to what every edge shows.

    `lead`: from publishing a key to signing with it. `overlap`: from the last token of a key to its removal.
    """

    lead: float | None
    """None: no lead is long enough for the verifiers in `without_bound`."""
    lead_of_others: float
    """The lead that does for all but those."""
    overlap: float
    slowest: str
    """The verifier that the lead of the others waits for; empty when each of them is in `without_bound`."""
    without_bound: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """What the next rotation does to the users of one verifier."""

    prediction: Prediction
    breaks: bool
    """Whether tokens of the new key may be refused."""
    window: Bound
    """For how long, at most. 0 beside `breaks`: those alone that arrive before the fetch that they cause is done."""


def safe_rotation(
    verifiers: Sequence[Verifier], observed: Observed, *, token_lifetime: float, edge_ttl: float = 0.0
) -> SafeRotation:
    """The lead and overlap that these verifiers need.

    `token_lifetime` is that of the longest-lived thing signed with the key, `edge_ttl` how long an edge in front of the
    issuer may serve an old set, both in seconds (OIDC Core §10.1.1: retain decommissioned keys for a reasonable time).
    """
    needed = {verifier.name: needed_lead(predict(verifier, observed)).seconds for verifier in verifiers}
    bounded = {name: seconds for name, seconds in needed.items() if seconds is not None}
    without = tuple(name for name, seconds in needed.items() if seconds is None)
    longest = max(bounded.values(), default=0.0)
    leeway = max((_leeway(verifier.leeway) for verifier in verifiers), default=0.0)
    return SafeRotation(
        lead=None if without else longest,
        lead_of_others=longest,
        overlap=token_lifetime + leeway + edge_ttl,
        slowest=max(bounded, key=bounded.__getitem__, default=""),
        without_bound=without,
    )


def needed_lead(prediction: Prediction) -> Bound:
    """How long a key must be published so that this verifier refuses none of its tokens.

    That is T_accept, but for a verifier that refetches in the background: it refuses the token that tells it of the
    key, so the key has to come with one of its periodic fetches.
    """
    verifier = prediction.verifier
    if verifier.unknown_kid is not UnknownKid.BACKGROUND:
        return prediction.accept
    ttl = prediction.reject
    return Bound(ttl.seconds, "it refuses the first token of a key that no periodic fetch has brought", ttl.known)


def next_rotation(verifiers: Iterable[Verifier], observed: Observed, lead: float) -> tuple[Impact, ...]:
    """What a rotation with this lead, in seconds, does to each verifier."""
    return tuple(_impact(predict(verifier, observed), lead) for verifier in verifiers)


def verdict(impacts: Sequence[Impact], observed: Observed) -> tuple[str, ...]:
    """What a person should know before the next rotation, in sentences."""
    return (
        *_on_broken(impacts),
        *_on_unbounded(impacts, observed),
        *_on_deadlines(impacts, observed),
        *_on_removed_keys(impacts),
        *_on_overlap(impacts),
    )


def _impact(prediction: Prediction, lead: float) -> Impact:
    needed, accept = needed_lead(prediction), prediction.accept
    if needed.seconds is not None and lead >= needed.seconds:
        return Impact(prediction, breaks=False, window=Bound(0.0, "the lead is long enough"))
    window = None if accept.seconds is None else max(0.0, accept.seconds - lead)
    return Impact(prediction, breaks=True, window=Bound(window, needed.why, needed.known))


def _on_unbounded(impacts: Sequence[Impact], observed: Observed) -> Iterable[str]:
    never = [_name(each) for each in impacts if each.window.seconds is None and each.window.known]
    unknown = [each for each in impacts if each.window.seconds is None and not each.window.known]
    unseen = [_name(each) for each in unknown if not observed.headers_seen and each.prediction.verifier.headers]
    undocumented = [_name(each) for each in unknown if _name(each) not in unseen]
    if never:
        yield f"No lead is long enough for {_listed(never)}: restart or reconfigure before the new key is used."
    if unseen:
        yield f"Nobody looked at the key set's headers, which {_listed(unseen)} goes by: look, or give its max-age."
    if undocumented:
        yield f"Nobody says how long {_listed(undocumented)} needs: measure it before you rely on a lead."


def _on_broken(impacts: Sequence[Impact]) -> Iterable[str]:
    broken = [_name(each) for each in impacts if each.breaks and each.window.known]
    unknown = [_name(each) for each in impacts if each.breaks and not each.window.known]
    if broken:
        yield f"The next rotation would break {_listed(broken)}."
    if unknown:
        yield f"The next rotation may break {_listed(unknown)}."
    if not broken and not unknown:
        yield "The next rotation breaks nothing."


def _on_deadlines(impacts: Sequence[Impact], observed: Observed) -> Iterable[str]:
    for each in impacts:
        deadline = each.prediction.verifier.fetch_timeout
        if not isinstance(deadline, Word) and observed.fetch_seconds > deadline:
            taken = f"the key set took {observed.fetch_seconds:.1f} s"
            yield f"{_name(each)} gives a fetch {deadline:g} s and {taken}: it may get no key at all."


def _on_removed_keys(impacts: Sequence[Impact]) -> Iterable[str]:
    lasting = [each for each in impacts if each.prediction.reject.seconds is None]
    flushed = [_name(each) for each in lasting if flushes(each.prediction.verifier)]
    others = [_name(each) for each in lasting if not flushes(each.prediction.verifier)]
    if flushed:
        yield f"After a compromise send one token with an unknown kid to each process of {_listed(flushed)}."
    if others:
        yield f"After a compromise restart {_listed(others)}: nothing else is known to end a removed key there."


def _on_overlap(impacts: Sequence[Impact]) -> Iterable[str]:
    unsaid = [_name(each) for each in impacts if each.prediction.verifier.leeway is Word.UNKNOWN]
    if unsaid:
        yield f"The leeway of {_listed(unsaid)} is not documented: the overlap counts {CAUTIOUS_LEEWAY:g} s for it."


def _leeway(leeway: Seconds) -> float:
    return CAUTIOUS_LEEWAY if isinstance(leeway, Word) else leeway


def _name(impact: Impact) -> str:
    return impact.prediction.verifier.name


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
