"""The verifiers of a drill, side by side: the real ones that are there, the others emulated; asked and ended together."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from drills.canaries.client import Verdict, start
from drills.canaries.failures import CanaryFailed
from drills.canaries.registry import CANARIES, Canary, Time
from drills.emulated_cache import assumptions
from drills.emulator import Emulated, FetchKeys, key_set
from drills.fleet_members import CanarySubject, Member, canary_of, configured, of_release, played
from drills.outside import kid_of
from drills.scenario import Generation
from drills.subject import Sample, Subject
from drills.verifiers import Verifier
from probes.http import make_http
from sandbox.loopthread import loop_thread

Say = Callable[[str], None]
Tokens = Callable[[], Mapping[Generation, str]]
Sink = Callable[[Sample], None]

_AT_ONCE = 4  # most of a start is the work of a JVM or an interpreter
_GRACE_SECONDS = 2.0
_NO_TIMES: Mapping[str, float] = MappingProxyType({})
_NOBODY: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class Fleet:
    """Running verifiers. Its methods may be called while it is polled."""

    members: Sequence[Member]
    notes: tuple[str, ...]
    """For whoever started the drill: why a verifier is emulated, and what is assumed of it."""
    _warm_kid: str = field(default="", init=False)
    _warm_time: float = field(default=0.0, init=False)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return tuple(member.subject for member in self.members)

    @property
    def warmed(self) -> Mapping[str, float]:
        """POSIX time at which each verifier last fetched the key of the token that it was warmed with.

        An emulated one knows; for a canary it follows from its row and from what it was asked. For a verifier that
        holds no key set it is the time at which it was warmed.
        """
        return {
            member.subject.row.name: self._warm_time if moment is None else moment
            for member in self.members
            for moment in (member.fetched(self._warm_kid),)
        }

    def warm(self, token: str) -> Mapping[str, Verdict]:
        """Asks each about a token of the old key, so that each holds it. Raises jwt.DecodeError for no JWS.

        All of them fetch now. One that refuses is asked again when the others are done: Nimbus waits for half a second
        only, and what it says then is not about the key set.
        """
        self._warm_kid, self._warm_time = kid_of(token), time.time()
        said: dict[str, Verdict] = {}
        waiting = list(self.members)
        for at_once in (_AT_ONCE, 1):
            with ThreadPoolExecutor(at_once, "warm") as pool:
                samples = list(pool.map(lambda member: member.ask(token, Generation.OLD), waiting))
            said |= {sample.verifier: Verdict(sample.ok, sample.error, 0.0) for sample in samples}
            waiting = [member for member, sample in zip(waiting, samples, strict=True) if not sample.ok]
        return said

    def ask(self, token: str, generation: Generation) -> list[Sample]:
        """Asks each once, all at the same time."""
        if not self.members:
            return []
        with ThreadPoolExecutor(len(self.members), "ask") as pool:
            return list(pool.map(lambda member: member.ask(token, generation), self.members))

    @contextlib.contextmanager
    def polling(self, tokens: Tokens, every: float, sink: Sink) -> Iterator[None]:
        """Asks each about the tokens every so many seconds, for the length of the block.

        `tokens` is called for each question; `sink` gets one sample at a time, and none after the block. A verifier
        that takes long is asked less often and holds nobody up.
        """
        over, one_at_a_time = threading.Event(), threading.Lock()

        def deliver(sample: Sample) -> None:
            with one_at_a_time:
                if not over.is_set():
                    sink(sample)

        threads = [
            threading.Thread(
                name=f"poll-{member.subject.row.name}",
                target=_poll,
                args=(member, tokens, every, deliver, over),
                daemon=True,
            )
            for member in self.members
        ]
        try:
            for thread in threads:
                thread.start()
            yield
        finally:
            with one_at_a_time:
                over.set()
            # A verifier may be in the midst of a fetch of half a minute: its thread ends after that, unheard.
            deadline = time.monotonic() + _GRACE_SECONDS
            for thread in threads:
                if thread.ident is not None:
                    thread.join(max(0.0, deadline - time.monotonic()))


@contextlib.contextmanager
def start_fleet(
    rows: Sequence[Verifier],
    *,
    issuer: str,
    jwks_uri: str,
    audience: str,
    environ: Mapping[str, str],
    ca_file: Path | None,
    shorten: Mapping[str, float] = _NO_TIMES,
    emulate: frozenset[str] = frozenset(),
    stand_in: Mapping[str, str] = _NOBODY,
    strict: bool = False,
    say: Say,
) -> Iterator[Fleet]:
    """Run the verifiers for the length of the block; nothing is asked of them yet.

    `shorten` caps `ttl` and `cooldown` (seconds), as far as each library's own settings go. `emulate` names rows that
    are not to run for real. `stand_in` gives a row the canary of another one, which is judged by that row all the
    same: the way to see that a drill finds a verifier that is not what it is said to be. A canary that cannot start is
    emulated; with `strict` that raises CanaryFailed. Raises ValueError for a name that is none of those allowed.
    """
    _require("shorten", shorten, [time.value for time in Time])
    _require("emulate", emulate, [row.name for row in rows])
    _require("stand-in", stand_in, [row.name for row in rows])
    _require("stand-in", stand_in.values(), CANARIES)
    with loop_thread("fleet") as loop:
        fetch = key_set(make_http(ca_file), jwks_uri, loop.run)
        target = _Target(issuer, jwks_uri, audience, environ, ca_file, fetch)
        names = frozenset(row.name for row in rows)
        starter = _Starter(target, shorten, emulate, stand_in, strict, names, say)
        with _ended_together() as stacks:
            with ThreadPoolExecutor(_AT_ONCE, "start") as pool:
                begun = list(pool.map(lambda row: starter.begin(row, stacks), rows))
            yield Fleet([member for member, _ in begun], tuple(note for _, notes in begun for note in notes))


@dataclass(frozen=True, slots=True)
class _Target:
    """What all of them verify against."""

    issuer: str
    jwks_uri: str
    audience: str
    environ: Mapping[str, str] = field(repr=False)
    ca_file: Path | None
    fetch: FetchKeys


@dataclass(frozen=True, slots=True)
class _Starter:
    target: _Target
    shorten: Mapping[str, float]
    emulate: frozenset[str]
    stand_in: Mapping[str, str]
    strict: bool
    names: frozenset[str]
    say: Say

    def begin(self, row: Verifier, stacks: list[ExitStack]) -> tuple[Member, tuple[str, ...]]:
        """One verifier, and what is to be said about it. What it must be ended by goes to `stacks`."""
        canary = canary_of(row)
        if row.name in self.stand_in:
            canary = CANARIES[self.stand_in[row.name]]
        if canary is None or row.name in self.emulate:
            return self._play(row, "no canary" if canary is None else "as asked for")
        stack = ExitStack()
        stacks.append(stack)
        try:
            return self._run(row, canary, stack)
        except CanaryFailed as failed:
            if self.strict:
                raise
            return self._play(row, str(failed))

    def _run(self, row: Verifier, canary: Canary, stack: ExitStack) -> tuple[Member, tuple[str, ...]]:
        own = canary_of(row) or canary
        kept, options = configured(row, own, self.shorten)
        target = self.target
        running = stack.enter_context(
            start(
                canary,
                issuer=target.issuer,
                jwks_uri=target.jwks_uri,
                audience=target.audience,
                environ=target.environ,
                ca_file=target.ca_file,
                settings=options if canary is own else {},
            )
        )
        judged = of_release(kept, canary, running.version)
        if judged.name != row.name and judged.name in self.names:
            stack.close()
            return self._play(row, f"{running.version} is installed, which is {judged.name}")
        member = Member(CanarySubject(judged, running), time.time() if own.fetches_at_start else None)
        self.say(f"{judged.name}: {running.library} {running.version} ({canary.language})")
        return member, tuple(_differences(row, judged, canary is not own and canary.name))

    def _play(self, row: Verifier, why: str) -> tuple[Member, tuple[str, ...]]:
        self.say(f"{row.name}: emulated, {why}")
        subject = Emulated(played(row, self.shorten), self.target.fetch, self.target.issuer, self.target.audience)
        assumed = tuple(f"{row.name}: {sentence}" for sentence in assumptions(row))
        return Member(subject), (f"{row.name} is emulated: {why}", *assumed)


def _differences(row: Verifier, judged: Verifier, stands_in: str | bool) -> Iterator[str]:
    if stands_in:
        yield f"{stands_in} stands in for {row.name}"
    if judged.name != row.name:
        yield f"{row.name} runs a release that is judged as {judged.name}"


def _require(what: str, names: Iterable[str], allowed: Collection[str]) -> None:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{what}: there is no {name!r}, only {', '.join(allowed)}")


@contextlib.contextmanager
def _ended_together() -> Iterator[list[ExitStack]]:
    """What is put into the list is closed at the end, all at once: each end may take seconds."""
    stacks: list[ExitStack] = []
    try:
        yield stacks
    finally:
        with ThreadPoolExecutor(max(1, len(stacks)), "end") as pool:
            list(pool.map(ExitStack.close, stacks))


def _poll(member: Member, tokens: Tokens, every: float, deliver: Sink, over: threading.Event) -> None:
    started = time.monotonic()
    while not over.is_set():
        known = tokens()
        for generation in Generation:  # the old one first: a new one may flush the old key
            if generation in known and not over.is_set():
                deliver(member.ask(known[generation], generation))
        passed = time.monotonic() - started
        over.wait(every - passed % every)
