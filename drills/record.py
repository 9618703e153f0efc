"""What is left of a drill: one value that the report, the history and `--json` are made from. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from drills.scenario import Generation, Judge, Measure
from drills.subject import Kind


class Verdict(StrEnum):
    """How a drill ended."""

    PASS = "pass"
    FAIL = "fail"
    ABORTED = "aborted"


class Phase(StrEnum):
    """The phases of a drill, in order."""

    PREFLIGHT = "preflight"
    PREDICT = "predict"
    INJECT = "inject"
    OBSERVE = "observe"
    RECOVER = "recover"
    REPORT = "report"


class EventKind(StrEnum):
    """What an entry of the timeline is about."""

    PHASE = "phase"
    MOVE = "move"
    VERIFIER = "verifier"
    """One began to refuse, or to accept again."""
    SIGHTING = "sighting"
    """A probe failed, or was well again."""
    ALERT = "alert"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the timeline. Aware UTC."""

    at: datetime
    kind: EventKind
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One line of the preflight."""

    name: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Times:
    """T_accept, T_reject and T_outage in seconds; None for one that has no bound, was not measured or did not come."""

    accept: float | None = None
    reject: float | None = None
    outage: float | None = None

    def of(self, measure: Measure) -> float | None:
        """One of the three."""
        return {Measure.ACCEPT: self.accept, Measure.REJECT: self.reject, Measure.OUTAGE: self.outage}[measure]


@dataclass(frozen=True, slots=True)
class Point:
    """An answer on a curve: seconds since the drill's clock started, negative before."""

    seconds: float
    generation: Generation
    ok: bool


@dataclass(frozen=True, slots=True)
class VerifierRecord:
    """One verifier: what was predicted, what came, and whether that is well."""

    name: str
    version: str
    kind: Kind
    language: str
    predicted: Times
    """Of this drill: from the row, with the time of its last fetch before the clock started. None: never."""
    bounds: Times
    """The longest that each may take, whenever the last fetch was."""
    observed: Times
    ok: bool
    said: str
    """The judgement in a sentence; for a difference from the prediction it says why there is one."""
    why: str
    """Why this was predicted."""
    known: bool = field(default=True, kw_only=True)
    """Whether anybody knows what to predict; None in `predicted` means never only then."""
    watched: bool = field(default=True, kw_only=True)
    """False: it was predicted for later than was looked for, so that it is not known whether it does that."""
    recovered: float | None
    """Seconds from the end of the fault until it accepted every token again; None when it never refused or never did."""
    out: bool = field(default=False, kw_only=True)
    """It still refused a valid token in the end, or did not answer any more."""
    refusals: tuple[str, ...]
    """Its own words, each once; no part of a token is in them."""
    curve: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """One alert that fired during the drill."""

    name: str
    at: datetime
    severity: str
    notified: bool
    """Alertmanager has told somebody."""
    runbook: str
    """URL of its page."""
    role: str = field(default="", kw_only=True)
    """As `alerts.model.Role`; empty where the rule has no such label."""
    area: str = field(default="", kw_only=True)
    """As `alerts.model.Area`."""


@dataclass(frozen=True, slots=True)
class Alerts:
    """Names of alerts. Empty all over when nobody looked."""

    looked: bool = False
    expected: tuple[str, ...] = ()
    fired: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    seen: tuple[AlertSeen, ...] = ()
    consequences: tuple[str, ...] = field(default=(), kw_only=True)
    """Fired, and follow from what was expected, or disturbed nobody."""
    not_judged: tuple[str, ...] = field(default=(), kw_only=True)
    """Expected, and fired already before the first move: the drill shows nothing of them."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What the probes, or the comparison of probes and verifiers, said first of each reason."""

    at: datetime
    reason: str
    stage: str
    owner: str
    findings: tuple[str, ...]
    by: str
    """The probe, or the verifier that refused a token that verifies."""
    expected: bool
    """Whether the scenario wants this reason from this owner."""


@dataclass(frozen=True, slots=True)
class Record:
    """A whole drill. Times of the day are aware UTC, spans are seconds."""

    id: str
    scenario: str
    title: str
    why: str
    judge: Judge
    measure: Measure | None
    issuer: str
    url: str
    provider: str
    started: datetime
    clock_started: datetime | None
    """Zero of the curves; None when the drill did not come so far."""
    flushed: datetime | None = field(default=None, kw_only=True)
    """When every verifier was given a token of the new key so that it drops the old one; None when that was not done."""
    healed: datetime | None
    """When the recovery was done; None when there was none."""
    ended: datetime
    poll: float
    """Seconds between two questions to a verifier."""
    verdict: Verdict
    because: tuple[str, ...]
    """Sentences; the first names what was decisive."""
    preflight: tuple[Checked, ...]
    events: tuple[Event, ...]
    verifiers: tuple[VerifierRecord, ...]
    detected: tuple[Detected, ...]
    alerts: Alerts
    detect_seconds: float | None
    """From the first move until a probe saw it; None when none did."""
    page_seconds: float | None
    """From the first move until an alert of severity page fired."""
    recover_seconds: float | None
    """From the end of the fault until every verifier accepted every token again; None when not all of them did."""
    runbook: tuple[str, ...]
    """Steps that the runbooks of the fired or expected alerts advise, in order."""
    follow_ups: tuple[str, ...]
    """What somebody should do now."""


_RECORD = TypeAdapter(Record)


def to_json(record: Record) -> dict[str, Any]:
    """As `drill run --json` prints it; names never change, new ones may come."""
    data: dict[str, Any] = _RECORD.dump_python(record, mode="json")
    return data


def from_json(data: object) -> Record:
    """Raises ValueError (pydantic's) for what `to_json` did not write."""
    return _RECORD.validate_python(data, strict=False)
