"""Checks of a token's form and signature, before any claim is believed: IDT-01, IDT-05, IDT-06; ACC-06, ACC-07."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from probes.checks.base import Problem, ProtocolCheck
from probes.documents import text
from probes.jose import ASYMMETRIC, Jws, parse_jws, verify
from probes.keys import KeySet
from probes.model import ProbeFailure, Reason, Severity


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token as it was received. `jws` is None when `problem` says why it is no compact JWS."""

    jws: Jws | None
    problem: str
    keys: KeySet = field(repr=False)
    allowed: frozenset[str]
    """Algorithms that we accept; whatever the header says."""

    @classmethod
    def of(cls, raw: str, keys: KeySet, allowed: frozenset[str]) -> SignedToken:
        """Takes the token apart."""
        try:
            return cls(parse_jws(raw), "", keys, allowed)
        except ProbeFailure as failure:
            return cls(None, failure.detail, keys, allowed)


def _form(subject: SignedToken) -> Iterator[str]:
    if subject.jws is None:
        yield subject.problem


def _id_token_form(subject: SignedToken) -> Iterator[str | Problem]:
    yield from _form(subject)
    kind = text(subject.jws.header, "typ") if subject.jws else ""
    if kind and kind.lower() not in ("jwt", "application/jwt"):
        yield Problem(f"typ is {kind[:40]!r}: this is another kind of token", Reason.CLAIM_INVALID)


def _alg(subject: SignedToken) -> Iterator[str]:
    alg = subject.jws.alg if subject.jws else ""
    if subject.jws and (alg not in subject.allowed or alg not in ASYMMETRIC):
        yield f"alg {alg[:20]!r}, allowed {sorted(subject.allowed)}"


def _signature(subject: SignedToken) -> Iterator[Problem]:
    if subject.jws is None or any(_alg(subject)):
        return
    try:
        verify(subject.jws, subject.keys, subject.allowed)
    except ProbeFailure as failure:
        yield Problem(failure.detail, failure.reason)


_F = Severity.FAILURE
_RULES = "OIDC Core §3.1.3.7"

ID_TOKEN: tuple[ProtocolCheck[SignedToken], ...] = (
    ProtocolCheck(
        "IDT-01", _F, Reason.BAD_RESPONSE, "is a JWT by its form and typ", f"RFC 7519 §5.1, §7.2; {_RULES} rule 1",
        _id_token_form,
    ),
    ProtocolCheck(
        "IDT-06", _F, Reason.ALG_NOT_ALLOWED, "alg is the registered one", f"{_RULES} rules 7 and 8; RFC 8725 §3.1", _alg
    ),
    ProtocolCheck(
        "IDT-05", _F, Reason.SIGNATURE_INVALID, "verifies with a key published now", f"{_RULES} rule 6; RFC 7515 §5.2",
        _signature,
    ),
)  # fmt: skip

ACCESS_TOKEN: tuple[ProtocolCheck[SignedToken], ...] = (
    ProtocolCheck("ACC-06", _F, Reason.ALG_NOT_ALLOWED, "alg is asymmetric and known", "RFC 9068 §2.1, §4", _alg),
    ProtocolCheck(
        "ACC-07", _F, Reason.SIGNATURE_INVALID, "verifies with a key published now", "RFC 9068 §4", _signature
    ),
)
