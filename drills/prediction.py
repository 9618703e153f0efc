"""Predicts when a verifier takes a new key, gives up a removed one and stops without a key set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from alerts.promql import duration
from drills.verifiers import ErrorBody, Headers, OnFetchError, Seconds, UnknownKid, Verifier, VerifierClass, Word

LONGEST_FETCH = 30.0
"""Seconds that we wait for a key set at most."""


class Outage(StrEnum):
    """How the key set's endpoint fails."""

    DEAD = "dead"
    """It does not answer, too late, or with something that is no JSON."""
    ERROR_BODY = "error_body"
    """It answers with an error as JSON, and with status 200."""
    ERROR_STATUS = "error_status"
    """It answers with an error as JSON, and with a status that says so."""
    SLOW = "slow"
    """It answers with the key set, which takes longer than some verifiers wait."""


TAKEN_FOR_EMPTY: Mapping[ErrorBody, frozenset[Outage]] = MappingProxyType(
    {
        ErrorBody.FAILURE: frozenset(),
        ErrorBody.EMPTY: frozenset({Outage.ERROR_BODY}),
        ErrorBody.EMPTY_AT_ANY_STATUS: frozenset({Outage.ERROR_BODY, Outage.ERROR_STATUS}),
    }
)
"""Answers that are a key set without keys to a verifier."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of an issuer's key set. Durations in seconds."""

    max_age: float | None = None
    """Of Cache-Control before the new key is published; 0 when it forbids caching, None when there is none."""
    headers_seen: bool = True
    """False: nobody looked, `max_age` says nothing."""
    fetch_seconds: float = 0.0
    """What one fetch of the key set takes."""
    outage: Outage = Outage.DEAD
    unknown_kids: bool = False
    """Tokens arrive whose kid nobody publishes: scanners send them, and so does a rotation during an outage."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The longest that something takes, in seconds; None: there is no bound, or (not `known`) nobody knows of one."""

    seconds: float | None
    why: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one verifier will do, counted per cache: where there are many, failures are partial and decay in steps."""

    verifier: Verifier
    accept: Bound
    """From the publication of a key until its tokens are accepted (T_accept). 0: after the one fetch that they cause."""
    reject: Bound
    """From the removal of a key until its tokens are refused (T_reject)."""
    outage: Bound
    """From the death of the endpoint until tokens of a cached key are refused (T_outage)."""


def predict(verifier: Verifier, observed: Observed) -> Prediction:
    """The three times of one verifier, each with a sentence that says why."""
    accept = _ACCEPT[verifier.class_](verifier, observed)
    return Prediction(verifier, accept, _reject(verifier, observed), _outage(verifier, observed))


def _at_once(verifier: Verifier, observed: Observed) -> Bound:
    if verifier.ttl == 0:
        return Bound(0.0, "it caches nothing: one fetch")
    if not verifier.cooldown:
        return Bound(0.0, "an unknown kid makes it fetch at once: one fetch")
    why = f"one fetch; {_span(verifier.cooldown)} after a kid that was not found"
    return _bound(verifier.cooldown if observed.unknown_kids else 0.0, why)


def _after_cooldown(verifier: Verifier, _: Observed) -> Bound:
    since = verifier.anchor.replace("_", " ") if verifier.anchor else "last fetch"
    why = f"an unknown kid makes it fetch, {_span(verifier.cooldown)} after the {since} at the soonest"
    if verifier.unknown_kid is UnknownKid.BACKGROUND:
        why += "; the request that meets it is refused all the same"
    return _bound(verifier.cooldown, why)


def _at_next_period(verifier: Verifier, observed: Observed) -> Bound:
    ttl = _ttl(verifier, observed)
    return _bound(ttl, f"it fetches every {_span(ttl)}, whatever kid a token names")


def _after_max_age(verifier: Verifier, observed: Observed) -> Bound:
    headers = verifier.headers or Headers()
    moment = f"{_span(headers.early)} before the" if headers.early else "when the"
    why = f"it fetches {moment} max-age of the set passes ({_header(headers, observed)})"
    return _bound(freshness(headers, observed), why)


def _never(_: Verifier, __: Observed) -> Bound:
    return Bound(None, "it reads its keys once: until a restart or a change of its configuration")


_ACCEPT: Mapping[VerifierClass, Callable[[Verifier, Observed], Bound]] = MappingProxyType(
    {
        VerifierClass.A: _at_once,
        VerifierClass.B: _after_cooldown,
        VerifierClass.C: _at_next_period,
        VerifierClass.D: _after_max_age,
        VerifierClass.E: _never,
    }
)


_NOT_FLUSHED: Mapping[VerifierClass, str] = MappingProxyType(
    {
        VerifierClass.A: "; until a restart",
        VerifierClass.B: "; until a restart",
        VerifierClass.D: "; until it fetches for an unknown kid",
        VerifierClass.E: "; until a restart",
    }
)


def _reject(verifier: Verifier, observed: Observed) -> Bound:
    ttl = _ttl(verifier, observed)
    flushed = "; one token with an unknown kid makes it drop the key" if flushes(verifier) else ""
    if ttl is Word.NEVER:
        return Bound(None, f"a key that it holds has no time limit{flushed or _NOT_FLUSHED[verifier.class_]}")
    if verifier.retains and not isinstance(ttl, Word):
        kept = ttl + verifier.retains
        return Bound(kept, f"it fetches after {_span(ttl)}, and keeps a removed key for {_span(verifier.retains)} more")
    return _bound(ttl, f"it uses a key for {_span(ttl)} without a fetch{flushed}")


def _outage(verifier: Verifier, observed: Observed) -> Bound:
    if observed.outage is Outage.SLOW:
        return _slow(verifier, observed)
    ttl = _ttl(verifier, observed)
    if observed.outage in TAKEN_FOR_EMPTY[verifier.error_body]:
        looks_up = observed.unknown_kids and verifier.class_ in "AB"
        why = "it takes the error for a key set without keys, at its next fetch"
        return _bound(verifier.cooldown if looks_up else ttl, why)
    match verifier.on_fetch_error:
        case OnFetchError.KEEP if verifier.keeps_for is Word.NEVER:
            return Bound(None, "it keeps its keys when a fetch fails")
        case OnFetchError.KEEP:
            return _bound(verifier.keeps_for, f"it keeps its keys for {_span(verifier.keeps_for)} when fetches fail")
        case OnFetchError.CLEAR if observed.unknown_kids:
            return Bound(0.0, "a token with an unknown kid makes it fetch, and the failed fetch empties its cache")
        case OnFetchError.CLEAR:
            return _bound(ttl, f"its keys serve for {_span(ttl)}; a token with an unknown kid ends that at once")
        case OnFetchError.DENY:
            return _bound(ttl, f"its keys serve for {_span(ttl)}, then it must fetch and refuses every token")
        case OnFetchError.UNKNOWN:
            return Bound(None, "nobody says what it does when a fetch fails", known=False)


def _slow(verifier: Verifier, observed: Observed) -> Bound:
    waits = longest_fetch(verifier)
    assumed = ", as is assumed" if isinstance(verifier.fetch_timeout, Word) else ""
    taken = f"the key set takes {_span(observed.fetch_seconds)}, and it waits {_span(waits)} for it{assumed}"
    if observed.fetch_seconds <= waits:
        return Bound(None, taken)
    without = _outage(verifier, replace(observed, outage=Outage.DEAD))
    return replace(without, why=f"{taken}: {without.why}")


def longest_fetch(verifier: Verifier) -> float:
    """Seconds that it waits for a key set: its own limit, and half a minute where it has none or nobody says."""
    own = verifier.fetch_timeout
    return LONGEST_FETCH if isinstance(own, Word) else min(own, LONGEST_FETCH)


def flushes(verifier: Verifier) -> bool:
    """Whether a token with an unknown kid rids it of removed keys: it fetches then, and replaces its whole set."""
    fetches = verifier.unknown_kid in (UnknownKid.REFETCH, UnknownKid.BACKGROUND)
    return fetches and verifier.caches == "set" and verifier.class_ in "AB" and not verifier.retains


def _ttl(verifier: Verifier, observed: Observed) -> Seconds:
    if verifier.ttl == "max-age":
        return freshness(verifier.headers or Headers(), observed)
    return verifier.ttl


def freshness(headers: Headers, observed: Observed) -> Seconds:
    """How long it takes the set for fresh (RFC 9111 §4.2.1), within its own limits."""
    age: Seconds = observed.max_age if observed.max_age is not None else headers.default
    if not observed.headers_seen or isinstance(age, Word):
        return Word.UNKNOWN
    age = max(age, headers.min)
    if headers.max is Word.UNKNOWN and age > 0:
        return Word.UNKNOWN
    if not isinstance(headers.max, Word):
        age = min(age, headers.max)
    return max(0.0, age - headers.early)


def _bound(span: Seconds, why: str) -> Bound:
    if isinstance(span, Word):
        return Bound(None, why, known=span is not Word.UNKNOWN)
    return Bound(span, why)


def _header(headers: Headers, observed: Observed) -> str:
    if not observed.headers_seen:
        return "nobody looked"
    if observed.max_age is None:
        return f"there is none, it takes {_span(headers.default)}"
    return f"max-age {_span(observed.max_age)}"


def _span(span: Seconds) -> str:
    if span is Word.UNKNOWN:
        return "a time that is not documented"
    if span is Word.NEVER:
        return "ever"
    return duration(timedelta(seconds=span)) if span else "0s"
