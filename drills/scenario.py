"""What a drill is: the moves that it makes on a provider, what it measures, and what ought to be noticed. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from probes.model import Reason
from probes.reasons import Owner

SLOW_SECONDS = 6.0
"""By which an endpoint is late in the kind `slow`: longer than jose and AWS STS wait, shorter than most."""


class Action(StrEnum):
    """What can be done to a provider. Each driver says which of them it can do."""

    ANNOUNCE = "announce"
    """A new key enters the key set; the old one goes on signing."""
    ACTIVATE = "activate"
    """The announced key signs; the old one stays published."""
    ROTATE = "rotate"
    """A new key enters the set and signs at once: no lead."""
    REPLACE = "replace"
    """A new key signs, and the old one leaves the set at once."""
    REMOVE = "remove"
    """The key that signed before the drill leaves the set, whether or not it signs now."""
    UNPUBLISHED = "unpublished"
    """A key signs that is not in the set."""
    REUSE_KID = "reuse_kid"
    """A new key signs under the kid of the old one, which it replaces."""
    ALGORITHM = "algorithm"
    """Tokens are signed with another algorithm: `alg`."""
    JWKS = "jwks"
    """The key set's endpoint fails: `kind` is one of 5xx, timeout, html, error_body, empty, slow."""
    STALE_EDGE = "stale_edge"
    """Some answers of the key set's endpoint are those from before the drill."""
    KID_MISSING = "kid_missing"
    """Neither published keys nor tokens name a kid."""
    KID_DUPLICATE = "kid_duplicate"
    """Two different keys are published under one kid."""
    CACHE_CONTROL = "cache_control"
    """The key set comes with the header `value`."""
    CLOCK = "clock"
    """The provider's clock is ahead by `seconds`; a negative number: behind."""
    ISSUER = "issuer"
    """Discovery names another issuer: `suffix` is appended to the right one."""
    TOKEN_ENDPOINT = "token_endpoint"
    """The token endpoint fails: `kind` is one of 5xx, 429, slow."""
    CLIENT_SECRET = "client_secret"
    """The client's secret is not valid any more."""
    HEAL = "heal"
    """What was done to answers and clocks ends; keys stay as they are."""


MAKES_KEYS = frozenset(
    {Action.ANNOUNCE, Action.ROTATE, Action.REPLACE, Action.UNPUBLISHED, Action.REUSE_KID, Action.KID_DUPLICATE}
)
"""Actions that leave a key behind."""


class Measure(StrEnum):
    """What the clock of a drill runs for (see `drills.prediction`)."""

    ACCEPT = "accept"
    REJECT = "reject"
    OUTAGE = "outage"


class Generation(StrEnum):
    """Which token a verifier is asked about."""

    OLD = "old"
    """Issued before the first move."""
    NEW = "new"
    """Issued after the newest move, and again before it is too old."""


ASKED: Mapping[Measure, Generation] = MappingProxyType(
    {Measure.ACCEPT: Generation.NEW, Measure.REJECT: Generation.OLD, Measure.OUTAGE: Generation.OLD}
)
"""Which token shows what is measured."""


class Hold(StrEnum):
    """What a drill waits for after a move."""

    NONE = "none"
    ADOPTED = "adopted"
    """The longest T_accept that is predicted for the verifiers that have one: the safe lead."""
    OVERLAP = "overlap"
    """Until no token of the old key is valid any more."""
    OBSERVED = "observed"
    """Until the curves show what was predicted, or the window is over."""


class Judge(StrEnum):
    """What makes a drill pass."""

    NO_IMPACT = "no_impact"
    """No verifier refuses any token, and nobody is paged."""
    AS_PREDICTED = "as_predicted"
    """Every verifier does what was predicted, and each comes to accept new tokens where acceptance is measured."""
    DETECTED = "detected"
    """The probes give the reason and the owner that are expected; verifiers are watched, not judged."""


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that is done to the provider, and what is waited for afterwards."""

    action: Action
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    hold: Hold = Hold.NONE
    starts: Measure | None = None
    """The clock of this measure starts with the move."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What the probes are to say: any of the reasons, with its owner."""

    reasons: frozenset[Reason]
    owner: Owner
    findings: frozenset[str] = frozenset()
    """Ids of checks of which at least one is to be found, as "ROT-05"; empty: none is expected in particular."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A row of the table of drills."""

    name: str
    title: str
    why: str
    """What happens in the real world that this rehearses, in a sentence or two."""
    moves: tuple[Move, ...]
    judge: Judge
    polls: frozenset[Generation]
    """Tokens that verifiers are asked about while the drill is observed."""
    measures: Measure | None = None
    detects: Detection | None = None
    alerts: frozenset[str] = frozenset()
    """Names of the alerts that ought to fire when Prometheus watches the drill."""
    keeps: bool = False
    """The provider stays rotated in the end, as after a rotation that is done well; otherwise it is as before."""
    verifiers: tuple[str, ...] = ()
    """Rows that take part even when the issuer names others: those of the incident that is replayed."""
    flushes: bool = False
    """After the observation each verifier gets one token of the new key, and must then refuse the old key's."""
    incident: str = ""
    """Number of the incident that it replays, as "I1"."""
    caution: str = ""
    """What real users would notice; empty when they would not."""

    @property
    def actions(self) -> frozenset[Action]:
        """Everything that a driver must be able to do for it."""
        return frozenset(move.action for move in self.moves)
