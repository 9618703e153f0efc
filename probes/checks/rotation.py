"""Checks of a rotation that need the key ledger: ROT-03 to ROT-06, ROT-14, ROT-15."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from probes.checks.base import Problem, ProtocolCheck, run_checks
from probes.ledger import KeyFacts, KeyRecord, KeyState, Ledger, Sight, Use, states_of, watching
from probes.ledger_measures import lead_of, longest_lifetime
from probes.model import Finding, Reason, Severity
from probes.subjects import Issuer

_LEEWAY = 300.0  # seconds that ASP.NET Core accepts a token beyond its exp: the widest default among common verifiers
_DAY = 86_400
_DORMANT_DAYS = 90


@dataclass(frozen=True, slots=True)
class Rotation:
    """The ledger of an issuer as one region judges it, just after a fetch of the key set."""

    issuer: Issuer
    ledger: Ledger
    region: str
    now: datetime
    max_age: int | None
    """Of the key set's Cache-Control, in seconds."""
    drill: bool = False
    """A drill runs on the issuer: what drills did is judged. Otherwise it is no part of how keys are rotated."""


def _removed_early(subject: Rotation) -> Iterator[str]:
    for record, use, _ in _gone(subject):
        left = (use.expires - subject.now).total_seconds()
        if left > 0:
            yield (
                f"{_name(record.facts)} left the set while a token that it signed is valid for another {left:.0f} s: "
                "publish it again"
            )


def _overlap(subject: Rotation) -> Iterator[str | Problem]:
    lifetime = longest_lifetime(subject.ledger, subject.now)
    for record, use, left in _gone(subject):
        since = (subject.now - use.last).total_seconds()
        if subject.now < use.expires or since >= lifetime + _LEEWAY:
            continue  # ROT-05 speaks of it, or nobody holds a token of it any more
        severity = None if since < lifetime else Severity.WARNING
        yield Problem(
            f"{_name(record.facts)} left the set, {_span(use.last, left):.0f} s after a token of it was seen; tokens live "
            f"for {lifetime:.0f} s, and verifiers may accept them {_LEEWAY:.0f} s longer",
            severity=severity,
        )


def _unpublished(subject: Rotation) -> Iterator[str | Problem]:
    published = {
        record.facts.kid: sight.first
        for record in subject.ledger.keys.values()
        if (sight := record.sights.get(subject.region)) is not None and sight.gone is None
    }
    for note in subject.ledger.unpublished.values():
        left = (note.expires - subject.now).total_seconds()
        if left <= 0 or not note.kid or (note.drill and not subject.drill):
            continue
        since = published.get(note.kid)
        if since is None:
            yield (
                f"tokens name kid {note.kid[:60]!r}, which no key set holds; the last one is valid for another "
                f"{left:.0f} s: publish the key, or sign with a published one"
            )
        elif since > note.first:
            late = (since - note.first).total_seconds()
            message = f"kid {note.kid[:60]!r} was published {late:.0f} s after a token had named it"
            yield Problem(message, severity=Severity.WARNING)  # over, and worth to be known while those tokens live


def _nameless(subject: Rotation) -> Iterator[str]:
    """Verifiers cannot tell which of several keys signed, and many refuse the token."""
    note = subject.ledger.unpublished.get("")
    if note is not None and note.expires > subject.now and (subject.drill or not note.drill):
        yield "tokens have no kid in their header, and no single published key can be theirs"


def _lead(subject: Rotation) -> Iterator[str | Problem]:
    max_age = subject.max_age or 0
    waits = {row.name: row.wait(subject.max_age) or 0.0 for row in subject.issuer.verifier_facts}
    required = max(subject.issuer.policy.min_key_lead, max_age, *waits.values())
    for record in subject.ledger.keys.values():
        if record.use is None or record.exposed or (record.use.drill and not subject.drill):
            continue
        if subject.now - record.use.first >= timedelta(seconds=required):
            continue  # verifiers have fetched it by now
        lead = lead_of(subject.ledger, record)
        if lead is None or lead.at_most >= required:
            continue
        message = (
            f"{_name(record.facts)} signed {lead.seconds:.0f} s after its publication, {required:.0f} s are wanted"
        )
        slow = [name for name, wait in waits.items() if lead.at_most < wait]
        if slow:
            longest = max(waits[name] for name in slow)
            names = f"{', '.join(slow)} {'refuse' if len(slow) > 1 else 'refuses'}"
            yield Problem(f"{message}; {names} its tokens for up to {longest:.0f} s", severity=Severity.FAILURE)
        else:
            yield message


def _age(subject: Rotation) -> Iterator[str]:
    for record in _in_state(subject, KeyState.ACTIVE):
        days, most = _days(record, subject.now), subject.issuer.policy.max_key_age / _DAY
        if days > most:
            yield f"{_name(record.facts)} has been in use for at least {days:.0f} days; the policy allows {most:.0f}"
    if subject.issuer.policy.standby_key:
        yield from _standby(subject)


def _standby(subject: Rotation) -> Iterator[str]:
    ready = list(_in_state(subject, KeyState.ANNOUNCED))
    for record in _in_state(subject, KeyState.ACTIVE):
        if not any(_can_follow(record.facts, other.facts) for other in ready):
            yield f"{_name(record.facts)} signs, and no next key for {record.facts.alg} is published"


def _can_follow(active: KeyFacts, other: KeyFacts) -> bool:
    """A key of another algorithm cannot take over; one that names none can if it is of the same kind."""
    if other.alg:
        return other.alg == active.alg
    return (other.kty, other.crv) == (active.kty, active.crv)


def _dormant(subject: Rotation) -> Iterator[str]:
    if not any(record.use for record in subject.ledger.keys.values()):
        return  # no probe looks at tokens
    promised = _promised(subject) if subject.issuer.policy.standby_key else frozenset()
    for record in _in_state(subject, KeyState.ANNOUNCED):
        days = _days(record, subject.now)
        if days > _DORMANT_DAYS and record.facts.thumbprint not in promised:
            yield f"{_name(record.facts)} has been published for {days:.0f} days, and no token signed with it was seen"


def _promised(subject: Rotation) -> frozenset[str]:
    """Thumbprints of the keys that stand by: for each key that signs the newest that can follow it."""
    ready = sorted(_in_state(subject, KeyState.ANNOUNCED), key=lambda record: record.first_seen or subject.now)
    signing = _in_state(subject, KeyState.ACTIVE)
    able = ([other for other in ready if _can_follow(record.facts, other.facts)] for record in signing)
    return frozenset(others[-1].facts.thumbprint for others in able if others)


def _gone(subject: Rotation) -> Iterator[tuple[KeyRecord, Use, datetime]]:
    """Keys that signed and have left this region's set, and when. A compromised one cannot leave too early."""
    looking = watching(subject.ledger)
    for record in subject.ledger.keys.values():
        if record.use is None or record.exposed:
            continue
        sight = _last_sight(record, subject.region, looking)
        if sight is not None and (subject.drill or not sight.drill):
            yield record, record.use, sight.gone or sight.last


def _last_sight(record: KeyRecord, region: str, looking: frozenset[str]) -> Sight | None:
    """Of a key that this region has not got; None when it has, or when only regions that still look ever had it.

    A region that is new, or that was given another name, cannot see a key leave: it has what the former ones saw.
    """
    own = record.sights.get(region)
    if own is not None:
        return own if own.gone else None
    former = [sight for other, sight in record.sights.items() if other not in looking]
    return max(former, key=lambda sight: sight.last, default=None)


def _in_state(subject: Rotation, state: KeyState) -> Iterator[KeyRecord]:
    states = states_of(subject.ledger)
    return (record for thumbprint, record in subject.ledger.keys.items() if states[thumbprint] is state)


def _span(after: datetime, before: datetime) -> float:
    return max((before - after).total_seconds(), 0.0)


def _days(record: KeyRecord, now: datetime) -> float:
    return (now - (record.first_seen or now)).total_seconds() / _DAY


def _name(facts: KeyFacts) -> str:
    return f"key {facts.kid[:60]!r}" if facts.kid else f"the key with thumbprint {facts.thumbprint[:12]}"


_F, _W, _UNSAFE = Severity.FAILURE, Severity.WARNING, Reason.ROTATION_UNSAFE
_PLACE = "OIDC Core §10.1.1"

ROTATION: tuple[ProtocolCheck[Rotation], ...] = (
    ProtocolCheck("ROT-05", _F, _UNSAFE, "no key leaves before the tokens that it signed", _PLACE, _removed_early),
    ProtocolCheck("ROT-06", _F, Reason.KID_UNKNOWN, "no key signs before it is published", _PLACE, _unpublished),
    ProtocolCheck("ROT-04", _F, _UNSAFE, "a key stays for a token's longest life", _PLACE, _overlap, tolerated=True),
    ProtocolCheck("ROT-03", _W, _UNSAFE, "a key is published well before it signs", _PLACE, _lead, tolerated=True),
    ProtocolCheck(
        "ROT-14",
        _W,
        _UNSAFE,
        "no key signs for too long, and the next one is ready where the policy promises it",
        "RFC 7517 §9.1; OIDC Core §10.1.1",
        _age,
    ),
    ProtocolCheck(
        "ROT-15", Severity.INFO, _UNSAFE, f"no key lies unused for more than {_DORMANT_DAYS} days", _PLACE, _dormant
    ),
)

_TOKENS_KID = ProtocolCheck("ROT-01", _F, Reason.KID_UNKNOWN, "each token names its key", "OIDC Core §10.1", _nameless)


def rotation_of(subject: Rotation) -> list[Finding]:
    """Findings of the ledger: those of the table, and of ROT-01, whose other half (`probes.checks.jwks`) sees keys."""
    return run_checks((*ROTATION, _TOKENS_KID), subject)
