"""One verifier of a fleet: the real library with its own times shortened, or its row played by us."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import jwt

from drills.canaries.client import RunningCanary, Verdict
from drills.canaries.failures import CanaryFailed
from drills.canaries.registry import CANARIES, Canary, Time
from drills.emulated_cache import EmulatedCache, Served
from drills.emulator import Emulated
from drills.outside import kid_of
from drills.scenario import Generation
from drills.subject import Kind, Sample
from drills.verifiers import Headers, Seconds, Verifier, Word, verifiers

_SHARED = MappingProxyType({"mod-auth-openidc-2.4.12": "mod-auth-openidc"})
"""Rows that another row's canary can run."""


@dataclass(frozen=True, slots=True)
class _Release:
    """Releases of a canary that another row is about."""

    canary: str
    version: str
    """How their versions begin."""
    row: str


_RELEASES = (_Release("mod-auth-openidc", "2.4.12", "mod-auth-openidc-2.4.12"),)


@dataclass(frozen=True, slots=True)
class CanarySubject:
    """A real library, as a subject of a drill (`drills.subject.Subject`)."""

    row: Verifier
    running: RunningCanary

    @property
    def kind(self) -> Kind:
        return Kind.CANARY

    @property
    def language(self) -> str:
        return self.running.canary.language

    @property
    def version(self) -> str:
        return self.running.version

    def check(self, token: str) -> Verdict:
        """Raises CanaryFailed when it has ended."""
        return self.running.check(token)


@dataclass(slots=True)
class Member:
    """A subject, and when it fetched, as follows from its row and from what it was asked."""

    subject: CanarySubject | Emulated
    started: float | None = None
    """POSIX time of a fetch before the first token, for those that make one."""
    _shadow: EmulatedCache[bool] = field(init=False, repr=False)
    _kids: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        self._shadow = EmulatedCache(self.subject.row)

    def ask(self, token: str, generation: Generation) -> Sample:
        """One answer. What has ended or failed gives none, and says so."""
        at, answered = time.time(), True
        try:
            verdict = self.subject.check(token)
        except CanaryFailed as ended:
            verdict, answered = Verdict(False, str(ended), 0.0), False
        except Exception as error:  # noqa: BLE001 - it must not end the thread that asks, unheard
            verdict, answered = Verdict(False, f"it could not be asked: {type(error).__name__}", 0.0), False
        seconds = max(0.0, time.time() - at)
        with contextlib.suppress(jwt.DecodeError):
            self._follow(kid_of(token), at)
        return Sample(self.subject.row.name, generation, at, verdict.ok, verdict.error, seconds, answered)

    def fetched(self, kid: str) -> float | None:
        """POSIX time of the fetch of what it holds for this kid; None when nothing came yet."""
        return self.subject.fetched(kid) if isinstance(self.subject, Emulated) else self._shadow.fetched(kid)

    def _follow(self, kid: str, at: float) -> None:
        """It looked for this kid: whatever has signed a token is taken to be published."""
        if self.started is not None and not self._kids:
            self._shadow.find(kid, self.started, lambda _: Served({kid: True}))
        self._kids.add(kid)
        self._shadow.find(kid, at, lambda _: Served(dict.fromkeys(self._kids, True)))


def canary_of(row: Verifier) -> Canary | None:
    """The canary that runs this row; None when there is none."""
    return CANARIES.get(_SHARED.get(row.name, row.name))


def configured(row: Verifier, canary: Canary, shorten: Mapping[str, float]) -> tuple[Verifier, Mapping[str, float]]:
    """The row as the canary will keep to it, and the options for `drills.canaries.client.start`.

    Only what is not the library's default is an option: a time that the user's row gives, or a shorter one that the
    drill wants. Raises ValueError for another name of a time than `ttl` and `cooldown`.
    """
    wished = {Time(name): seconds for name, seconds in shorten.items()}
    times: dict[str, float] = {}
    options: dict[str, float] = {}
    for setting in canary.settings:
        bounds = setting.bounds
        given = row.ttl if bounds is Time.TTL else row.cooldown
        seconds = min(_number(given, setting.default_seconds), wished.get(bounds, math.inf))
        times[bounds.value] = float(max(seconds, setting.least_seconds))
        if times[bounds.value] != setting.default_seconds:
            options.update(canary.shortened(**{bounds.value: seconds}))
    return _with_times(row, times), options


def played(row: Verifier, shorten: Mapping[str, float]) -> Verifier:
    """The row with ttl and cooldown capped by the wish; `never` and `unknown` stay what they are."""
    ttl, cooldown = shorten.get(Time.TTL), shorten.get(Time.COOLDOWN)
    if ttl is not None:
        headers = None if row.headers is None else _capped(row.headers, ttl)
        row = replace(row, ttl=row.ttl if row.ttl == "max-age" else _least(row.ttl, ttl), headers=headers)
    if cooldown is not None:
        row = replace(row, cooldown=_least(row.cooldown, cooldown))
    return row


def of_release(row: Verifier, canary: Canary, version: str) -> Verifier:
    """The row that is about the release of the canary which runs, with the `ttl` that the given row has."""
    for release in _RELEASES:
        if canary.name == release.canary:
            name = release.row if version.startswith(release.version) else release.canary
            return row if row.name == name else replace(verifiers()[name], ttl=row.ttl)
    return row


def _with_times(row: Verifier, times: Mapping[str, float]) -> Verifier:
    return replace(row, ttl=times.get(Time.TTL, row.ttl), cooldown=times.get(Time.COOLDOWN, row.cooldown))


def _capped(headers: Headers, ttl: float) -> Headers:
    return Headers(
        min=min(headers.min, ttl),
        max=ttl if headers.max is Word.NEVER else _least(headers.max, ttl),
        default=_least(headers.default, ttl),
        early=min(headers.early, ttl / 10),  # so that something is left to measure
    )


def _least(span: Seconds, wish: float) -> Seconds:
    return span if isinstance(span, Word) else min(span, wish)


def _number(span: Seconds | str, otherwise: float) -> float:
    return otherwise if isinstance(span, str) else span
