"""A running drill: the tokens that it asks about, what came back, and how it waits without losing sight of anything."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from drills.alert_watch import ALWAYS
from drills.curve import observed
from drills.driver import Snapshot
from drills.expectation import Expected
from drills.fleet import Fleet
from drills.journal import Entry
from drills.outside import expiry_of, kid_of
from drills.plan import Plan
from drills.progress import Progress, Standing, Tell
from drills.record import AlertSeen, Detected, Event, EventKind, Phase
from drills.scenario import Generation, Judge
from drills.subject import Sample, Subject
from drills.token import Token
from drills.triage import Cause, triage
from drills.verifiers import Verifier
from drills.watch import Sighting, Watch
from probes.classify import classify
from probes.registry import PROBES

OLD_ENDED = "old_token_ended"
"""The mark of the entry that says when the token of the old key ended, while verifiers were asked about it."""
_TICK = 0.2
_TELL, _LOOK = 1.0, 2.0  # seconds between two words to those who watch, and two looks at alerts and abort rules
_SAME = 15.0  # seconds for which one judgement of a token explains refusals
_RETRY = 5.0  # seconds until a token is asked for again that the provider did not give


def _tell_nobody(_: Progress) -> None:
    """Nobody watches any more."""


class Ended(Exception):
    """The drill must end now and roll back; the message says why."""


@dataclass(slots=True)
class Running:
    """What the phases of one drill share. The main thread runs them; verifiers and probes report from theirs."""

    plan: Plan
    tell: Tell
    stop: threading.Event
    fleet: Fleet | None = None
    watch: Watch | None = None
    phase: Phase = Phase.PREFLIGHT
    old: Token | None = None
    new: Token | None = None
    expected: Mapping[str, Expected] = field(default_factory=dict)
    clock: float | None = None
    """POSIX time at which the measure's clock started."""
    announced: float | None = None
    """POSIX time at which a key was published that did not sign yet."""
    window: float | None = None
    healed: float | None = None
    ending: str = ""
    """Why the drill was aborted; empty when it was not."""
    last_of_old: float = 0.0
    """The latest `exp` of a token of the old key that the drill has."""
    samples: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    """By verifier."""
    newest: dict[tuple[str, Generation], Sample] = field(default_factory=dict)
    detected: list[Detected] = field(default_factory=list)
    alerts: dict[str, AlertSeen] = field(default_factory=dict)
    firing_before: frozenset[str] = frozenset()
    """Names of alerts that the drill has not caused: they fired when it was last looked before the first move."""
    before: Snapshot | None = None
    """The provider as it was; None until the drill is about to touch it."""
    moved: float | None = None
    """POSIX time at which the first move was begun."""
    latest_move: float = 0.0
    """POSIX time at which the latest one was made."""
    restored: bool = False
    """Whether the key from before signs again, so that there are new tokens of it."""
    hurt: str = ""
    """Which verifier refused a valid token in a drill that must disturb nobody."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _refused: deque[Sample] = field(default_factory=deque)
    _asked: set[tuple[str, Generation]] = field(default_factory=set)
    _judged: tuple[Token, float, Cause] | None = None
    _pending: list[Event] = field(default_factory=list)
    _told: float = 0.0
    _looked: float = 0.0
    _renewed: float = 0.0
    _renewed_old: float = 0.0
    _old_ended: bool = False
    _unwritten: str = ""

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The verifiers that run; none before they were started."""
        return self.fleet.subjects if self.fleet else ()

    @property
    def rows(self) -> tuple[Verifier, ...]:
        """Of the verifiers, as they run here."""
        return tuple(subject.row for subject in self.subjects)

    @property
    def life(self) -> float:
        """Of a token, in seconds."""
        return self.old.expires - self.old.minted if self.old else self.plan.target.issuer.policy.max_token_lifetime

    @property
    def old_kid(self) -> str:
        """Of the key that signed before the drill; empty where tokens name none."""
        return self.old.kid if self.old else ""

    def begin_move(self) -> None:
        """From here on the provider is not as it was."""
        self.moved = self.moved or time.time()
        self.new = None  # until there is one that was issued after the move

    # What is reported from other threads.

    def sink(self, sample: Sample) -> None:
        """Takes a verifier's answer."""
        place = (sample.verifier, sample.generation)
        with self._lock:
            before = self.newest.get(place)
            self.newest[place] = sample
            self.samples[sample.verifier].append(sample)
        try:
            self.plan.journal.sample(sample)
            if (before is not None and before.ok != sample.ok) or (before is None and not sample.ok):
                said = "accepts" if sample.ok else "refuses"
                self.event(EventKind.VERIFIER, f"{sample.verifier} {said} the {sample.generation} token")
        except OSError as error:  # of the journal: the main thread ends the drill
            self._unwritten = f"the journal cannot be written: {error.strerror}"
        if not sample.ok and self.moved:
            self._refused.append(sample)
            if self.plan.scenario.judge is Judge.NO_IMPACT and self.plan.scenario.keeps:
                self.hurt = self.hurt or f"{sample.verifier} refused a valid token"

    def sighted(self, sighting: Sighting) -> None:
        """Takes what a probe saw."""
        if sighting.well:
            self.event(EventKind.SIGHTING, f"{sighting.by} is well again")
            return
        self.event(EventKind.SIGHTING, f"{sighting.by}: {sighting.reason} at {sighting.stage}, {sighting.owner}")
        if self.moved and sighting.at.timestamp() >= self.moved:
            self.found(sighting.at, sighting.reason, sighting.stage, sighting.owner, sighting.findings, sighting.by)

    def found(self, at: datetime, reason: str, stage: str, owner: str, findings: Iterable[str], by: str) -> None:
        """Notes a reason for a failure, each once for everything that tells of it."""
        wanted = self.plan.scenario.detects
        ids = tuple(findings)
        expected = (
            wanted is not None
            and self.phase in (Phase.INJECT, Phase.OBSERVE)  # what is seen later may be the rollback
            and (by in PROBES or not self.plan.scenario.verifiers or by in self.plan.scenario.verifiers)
            and reason in wanted.reasons
            and owner == wanted.owner
            and (not wanted.findings or bool(wanted.findings & set(ids)))
        )
        seen = Detected(at, reason, stage, owner, ids, by, expected)
        with self._lock:
            if any((each.reason, each.by, each.findings) == (reason, by, ids) for each in self.detected):
                return
            self.detected.append(seen)
        self.plan.journal.write(
            Entry.DETECTED, reason=reason, stage=stage, owner=owner, findings=ids, by=by, expected=expected, seen=at
        )

    def event(self, kind: EventKind, text: str, **marks: float) -> None:
        """Notes an entry of the timeline."""
        event = Event(datetime.now(UTC), kind, text)
        self.plan.journal.write(Entry.EVENT, kind=kind, text=text, **marks)
        with self._lock:
            self._pending.append(event)

    def mark(self, kind: EventKind, text: str, name: str) -> float:
        """Notes an entry of the timeline whose time the record needs under this name; gives it as POSIX time."""
        now = time.time()
        self.event(kind, text, **{name: now})
        return now

    # Tokens.

    def tokens(self) -> Mapping[Generation, str]:
        """Those that verifiers are asked about now; one that has expired is none of them."""
        wanted = self.plan.scenario.polls
        held = {Generation.OLD: self.old, Generation.NEW: self.new}
        return {
            generation: token.value
            for generation, token in held.items()
            if generation in wanted and token is not None and not token.spent
        }

    def mint(self) -> Token:
        """A new token. Raises what probes raise."""
        value = self.plan.outside.mint()
        token = Token(value, kid_of(value), time.time(), expiry_of(value))
        if self.old is None or token.kid == self.old.kid:
            self.last_of_old = max(self.last_of_old, token.expires)
        return token

    def renew_old(self) -> None:
        """A new token in place of the old one, where its key signs: one that has expired says nothing of anybody."""
        self._renewed_old = time.time()
        try:
            token = self.mint()
        except Exception as error:  # noqa: BLE001 - whatever the provider does to us in a drill is what it is for
            self.event(EventKind.NOTE, f"no new token of the old key: {classify(error).reason}")
            return
        if self.old is None or token.kid == self.old.kid:
            self.old = token

    def renew(self) -> None:
        """A new token in place of the newest one; none while the provider gives none, and soon another try."""
        again = self.new is None and self._renewed > (self.moved or 0.0)
        self._renewed = time.time()
        try:
            self.new = self.mint()
        except Exception as error:  # noqa: BLE001 - whatever the provider does to us in a drill is what it is for
            self.new = None
            if not again:
                self.event(EventKind.NOTE, f"no new token: {classify(error).reason}")

    # Time.

    def enter(self, phase: Phase) -> None:
        """Begins a phase."""
        self.phase = phase
        self.plan.journal.write(Entry.PHASE, phase=phase, ending=self.ending)
        self.event(EventKind.PHASE, phase)
        self.say()

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False, *, abortable: bool = True) -> bool:
        """Wait, at most so long, until `until`; gives whether it came. Raises Ended when the drill must end."""
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() >= deadline:
                return False
            if abortable and self.stop.is_set():
                raise Ended("it was stopped")
            self._tend(abortable)
            self.stop.wait(_TICK) if abortable else time.sleep(_TICK)
        return True

    def _tend(self, abortable: bool) -> None:
        """What has to be done all the time."""
        now = time.monotonic()
        self._keep_new_token()
        self._keep_old_token()
        self._ask_why()
        if abortable and (problem := self._unwritten or self.hurt):
            raise Ended(problem)
        if now - self._looked >= _LOOK:
            self._looked = now
            self.look()
            broken = self.plan.guard.broken() if abortable and self.plan.guard and self.moved else ""
            if broken:
                raise Ended(broken)
        if now - self._told >= _TELL:
            self.say()

    def _keep_new_token(self) -> None:
        if Generation.NEW not in self.plan.scenario.polls or not self.moved:
            return
        missing = self.new is None and self._renewed > self.moved and time.time() - self._renewed > _RETRY
        if missing or (self.new is not None and self.new.stale):
            self.renew()

    def _keep_old_token(self) -> None:
        """Only its own key's end lets it end: that is noted once, and what it hides is not held against verifiers."""
        if Generation.OLD not in self.plan.scenario.polls or self.old is None:
            return
        if self.restored and self.old.stale and time.time() - self._renewed_old > _RETRY:
            self.renew_old()
        elif self.phase is Phase.OBSERVE and self.old.spent and not self._old_ended:
            self._old_ended = True
            self.mark(EventKind.NOTE, "the token of the old key has ended", OLD_ENDED)

    def _ask_why(self) -> None:
        """Compares a verifier's refusal with our own judgement of the same token, once for each verifier and token."""
        while self._refused:
            sample = self._refused.popleft()
            place = (sample.verifier, sample.generation)
            token = self.old if sample.generation is Generation.OLD else self.new
            if place in self._asked or token is None or token.spent or self.healed is not None or not sample.answered:
                continue
            self._asked.add(place)
            cause = self._cause_of(token)
            self.found(datetime.now(UTC), cause.reason, cause.stage, cause.owner, (), sample.verifier)

    def _cause_of(self, token: Token) -> Cause:
        """One judgement serves all verifiers that refuse a token about the same time: it may take seconds."""
        if self._judged is None or self._judged[0] is not token or time.monotonic() - self._judged[1] > _SAME:
            self._judged = (token, time.monotonic(), triage(token.value, self.plan.outside))
        return self._judged[2]

    def look(self) -> None:
        """Notes alerts that fire; before the first move only the sign of the drill itself is the drill's."""
        firing = self.plan.alerts.now() if self.plan.alerts else ()
        if not self.moved:
            self.firing_before = frozenset(seen.name for seen in firing) - {ALWAYS}
        for seen in firing:
            if seen.name not in self.firing_before:
                self._note_alert(seen)

    def _note_alert(self, seen: AlertSeen) -> None:
        known = self.alerts.get(seen.name)
        if known is None:
            self.event(EventKind.ALERT, f"{seen.name} fires ({seen.severity})")
        else:  # it may have ended in between
            seen = replace(seen, at=known.at, notified=seen.notified or known.notified)
        if known != seen:
            self.alerts[seen.name] = seen
            self.plan.journal.write(
                Entry.ALERT, name=seen.name, since=seen.at, severity=seen.severity, notified=seen.notified,
                runbook=seen.runbook, role=seen.role, area=seen.area,
            )  # fmt: skip

    def say(self) -> None:
        """Tells those who watch."""
        self._told = time.monotonic()
        with self._lock:
            events, self._pending = tuple(self._pending), []
        elapsed = None if self.clock is None else time.time() - self.clock
        progress = Progress(self.plan.journal.id, self.phase, events, self._standings(), elapsed, self.window)
        try:
            self.tell(progress)
        except (Exception, SystemExit):  # noqa: BLE001 - a terminal that has gone away keeps no drill from its rollback
            self.tell = _tell_nobody
            self.stop.set()

    def _standings(self) -> tuple[Standing, ...]:
        measure = self.plan.scenario.measures
        rows = []
        for subject in self.subjects:
            name = subject.row.name
            latest = {generation: self.newest.get((name, generation)) for generation in Generation}
            came = None
            if measure and self.clock is not None:
                came = observed(self.of(name), measure, self.clock)
            expected = self.expected.get(name)
            rows.append(
                Standing(
                    name,
                    subject.kind,
                    expected.seconds if expected else None,
                    came,
                    *(sample.ok if sample else None for sample in latest.values()),
                )
            )
        return tuple(rows)

    def of(self, verifier: str) -> tuple[Sample, ...]:
        """What one verifier has said so far."""
        with self._lock:
            return tuple(self.samples[verifier])
