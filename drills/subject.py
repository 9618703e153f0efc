"""What is measured in a drill: verifiers, real or emulated, and what they said of tokens at which time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drills.canaries.client import Verdict
from drills.scenario import Generation
from drills.verifiers import Verifier


class Kind(StrEnum):
    """How a verifier takes part."""

    CANARY = "canary"
    """The real library, in a process of its own."""
    EMULATED = "emulated"
    """The row of the table, played by us: it fetches the real key set by the row's rules."""


class Subject(Protocol):
    """One verifier in a drill. `check` may be called from one thread at a time."""

    @property
    def row(self) -> Verifier:
        """As it runs here: with its times shortened where the drill shortens them."""

    @property
    def kind(self) -> Kind:
        """Whether it is real."""

    @property
    def language(self) -> str:
        """Of the library; empty for one that is emulated."""

    @property
    def version(self) -> str:
        """Of the library, or what was read of it for an emulated one."""

    def check(self, token: str) -> Verdict:
        """What it says of a token. Raises CanaryFailed when it has ended."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer of one verifier."""

    verifier: str
    generation: Generation
    at: float
    """POSIX time in seconds at which it was asked."""
    ok: bool
    error: str = ""
    """Empty when it accepted; never holds a part of the token."""
    seconds: float = 0.0
    """That the answer took: a verifier may fetch, or wait for its own rate limit, meanwhile."""
    answered: bool = True
    """False: it has ended or failed, and what it would say is not known."""
