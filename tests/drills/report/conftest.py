"""Records of drills: one that is rich, variations of it, and any that the types allow."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from hypothesis import strategies as st

from drills.record import (
    Alerts,
    AlertSeen,
    Checked,
    Detected,
    Event,
    EventKind,
    Phase,
    Point,
    Record,
    Times,
    Verdict,
    VerifierRecord,
)
from drills.scenario import Generation, Judge, Measure
from drills.subject import Kind

_CLOCK = datetime(2026, 3, 3, 9, 30, 12, tzinfo=UTC)
_WINDOW, _HEALED = 64.0, 65.0
_RUNBOOKS = "https://runbooks.acme.example"

# name, language, version, predicted, bound, observed T_accept in seconds, why it was predicted; None: never
_VERIFIERS = (
    ("pyjwt", "Python", "2.10.1", 6.4, 10.0, 6.9, "an unknown kid makes it fetch, 10s after the last success at the soonest"),
    ("authlib", "Python", "1.7.0", 0.0, 0.0, 0.4, "it caches nothing: one fetch"),
    ("jose", "JavaScript", "6.0.10", 7.1, 10.0, 7.4, "an unknown kid makes it fetch, 10s after the last success at the soonest"),
    ("node-jwks-rsa", "JavaScript", "3.2.0", 0.0, 0.0, 0.5, "an unknown kid makes it fetch at once: one fetch"),
    ("openid-client", "JavaScript", "6.5.0", 43.2, 60.0, 43.9, "an unknown kid makes it fetch, 1m after the last attempt at the soonest"),
    ("go-oidc", "Go", "3.14.1", 0.0, 0.0, 0.3, "an unknown kid makes it fetch at once: one fetch"),
    ("keyfunc", "Go", "3.4.0", 10.0, 10.0, 10.6, "an unknown kid makes it fetch, 10s after the last forced at the soonest"),
    ("nimbus-jwk-source", "Java", "10.3", 8.8, 10.0, 9.4, "an unknown kid makes it fetch, 10s after the last attempt at the soonest"),
    ("spring-nimbus", "Java", "6.5.1", 0.0, 0.0, 0.6, "an unknown kid makes it fetch at once: one fetch"),
    ("mod-auth-openidc", "C", "2.4.16", 0.0, 60.0, 0.7, "one fetch; 1m after a kid that was not found"),
    ("envoy-jwt-authn", "", "02a45cb", 21.3, 30.0, 21.8, "it fetches every 30s, whatever kid a token names"),
    ("static-keys", "Python", "1.0.4", None, None, None, "it reads its keys once: until a restart or a change of its configuration"),
)  # fmt: skip
_WORDS = {
    "pyjwt": ('PyJWKClientError: Unable to find a signing key that matches: "rs256-77c0a1b2"',),
    "jose": ("ERR_JWKS_NO_MATCHING_KEY: no applicable key found in the JSON Web Key Set",),
    "openid-client": (
        "OAUTH_KEY_SELECTION_FAILED: error when selecting a JWT verification key, no applicable keys found",
    ),
    "nimbus-jwk-source": ("BadJOSEException: Signed JWT rejected: no matching key(s) found",),
    "static-keys": ("ValueError: no key for kid rs256-77c0a1b2", "InvalidKeyIdError: invalid key id"),
}


def _at(seconds: float) -> datetime:
    return _CLOCK + timedelta(seconds=seconds)


def _curve(observed: float | None) -> Iterator[Point]:
    for second in range(-8, int(_WINDOW) + 7):
        asked = second + 0.3
        yield Point(asked, Generation.OLD, True)
        if asked > 0:
            healed = asked > _HEALED
            yield Point(asked, Generation.NEW, healed or (observed is not None and asked >= observed - 0.5))


def _verifier(name: str, language: str, version: str, predicted: float | None, bound: float | None,
              observed: float | None, why: str) -> VerifierRecord:  # fmt: skip
    said = f"{name} had not accepted tokens of the new key within 64 s, as predicted"
    if observed is not None:
        said = f"{name} accepted tokens of the new key after {observed:.1f} s, as predicted ({predicted:.1f} s)"
    return VerifierRecord(
        name=name,
        version=version,
        kind=Kind.CANARY if language else Kind.EMULATED,
        language=language,
        predicted=Times(accept=predicted),
        bounds=Times(accept=bound, reject=20.0),
        observed=Times(accept=observed),
        ok=True,
        said=said,
        why=why,
        recovered=0.4 if observed is None or observed > 1 else None,
        refusals=_WORDS.get(name, ()),
        curve=tuple(_curve(observed)),
    )


def _events() -> Iterator[Event]:
    for phase, second in zip(Phase, (-14.0, -6.0, -1.2, 0.4, _WINDOW, 71.0), strict=True):
        yield Event(_at(second), EventKind.PHASE, phase)
    yield Event(_at(-9.0), EventKind.NOTE, "12 verifiers accept the old token")
    yield Event(_at(0.0), EventKind.MOVE, "rotate")
    for name, *_, observed, _ in _VERIFIERS:
        if observed is None or observed > 1:
            yield Event(_at(0.5), EventKind.VERIFIER, f"{name} refuses the new token")
        if observed is not None and observed > 1:
            yield Event(_at(observed), EventKind.VERIFIER, f"{name} accepts the new token")
    yield Event(_at(3.1), EventKind.SIGHTING, "jwks: rotation_unsafe at jwks, identity provider")
    yield Event(_at(24.0), EventKind.ALERT, "OidcDrillRunning fires (info)")
    yield Event(_at(38.5), EventKind.ALERT, "OidcRotationUnsafe fires (page)")
    yield Event(_at(_WINDOW + 0.6), EventKind.MOVE, "rolled back: the key that signed before signs again")
    yield Event(_at(_HEALED), EventKind.NOTE, "the fault is over")
    yield Event(_at(66.2), EventKind.SIGHTING, "jwks is well again")


def _alerts() -> Alerts:
    return Alerts(
        looked=True,
        expected=("OidcDrillRunning", "OidcRotationUnsafe", "OidcResourceRejected"),
        fired=("OidcDrillRunning", "OidcRotationUnsafe"),
        missing=("OidcResourceRejected",),
        seen=(
            AlertSeen("OidcDrillRunning", _at(24.0), "info", False, f"{_RUNBOOKS}/OidcDrillRunning.html"),
            AlertSeen("OidcRotationUnsafe", _at(38.5), "page", True, f"{_RUNBOOKS}/OidcRotationUnsafe.html"),
        ),
    )


@pytest.fixture(scope="session")
def rich() -> Record:
    """A zero-lead drill on twelve verifiers, one of which never comes to accept the new key."""
    return Record(
        id="20260303-092958-zero-lead",
        scenario="zero-lead",
        title="A new key signs without lead",
        why="Keycloak, Dex and others publish a key and sign with it in the same moment. Verifiers that fetch for an "
        "unknown kid follow at once; the others refuse every new token until their caches let them look.",
        judge=Judge.AS_PREDICTED,
        measure=Measure.ACCEPT,
        issuer="acme",
        url="https://login.acme.example/realms/main",
        provider="keycloak",
        started=_at(-14.0),
        clock_started=_CLOCK,
        healed=_at(_HEALED),
        ended=_at(72.5),
        poll=1.0,
        verdict=Verdict.FAIL,
        because=(
            "static-keys never accepted a token of the new key: it needs a restart or new settings.",
            "OidcResourceRejected was expected and did not fire.",
        ),
        preflight=(
            Checked("provider", True, "the admin API of Keycloak answers, and would let us roll back"),
            Checked("signing key", True, "new tokens are signed with 'rs256-1f00aa9c', which is published"),
            Checked("verifiers", True, "12 of 12 accept the current token"),
            Checked("error budget", True, "login-success has 71 % left, at least 25 % are wanted"),
        ),
        events=tuple(sorted(_events(), key=lambda event: event.at)),
        verifiers=tuple(_verifier(*row) for row in _VERIFIERS),
        detected=(
            Detected(_at(3.1), "rotation_unsafe", "jwks", "identity provider", ("ROT-03", "ROT-07"), "jwks", True),
            Detected(_at(3.4), "resource_rejected", "resource", "gateway", (), "static-keys", False),
        ),
        alerts=_alerts(),
        detect_seconds=3.1,
        page_seconds=38.5,
        recover_seconds=0.4,
        runbook=(
            "Sign in by hand.",
            "Compare the kid of a new token with the published key set.",
            "Sign with the old key.",
        ),
        follow_ups=(
            "Give static-keys a key set's URL in place of keys, or restart it with every rotation.",
            "Publish new keys at least 60 s before they sign: openid-client needs that long.",
        ),
    )


@pytest.fixture(scope="session")
def earlier(rich: Record) -> tuple[Record, ...]:
    """Three drills before the rich one."""

    def drill(days: int, verdict: Verdict, slower: float, detect: float | None) -> Record:
        observed = tuple(
            dataclasses.replace(verifier, observed=Times(accept=(verifier.observed.accept or 0.0) + slower), ok=True)
            for verifier in rich.verifiers[:-1]
        )
        started = rich.started - timedelta(days=days)
        return dataclasses.replace(
            rich, id=f"before-{days}", started=started, verdict=verdict, verifiers=observed, detect_seconds=detect,
            page_seconds=None if detect is None else detect + 40, recover_seconds=slower + 2,
        )  # fmt: skip

    return (
        drill(21, Verdict.FAIL, 14.0, None),
        drill(14, Verdict.PASS, 9.0, 22.0),
        drill(7, Verdict.PASS, 0.2, 3.3),
    )


@pytest.fixture(scope="session")
def stillborn(rich: Record) -> Record:
    """A drill that was stopped before anything was changed."""
    return dataclasses.replace(
        rich, verdict=Verdict.ABORTED, because=("It was stopped before the provider was changed.",), clock_started=None,
        healed=None, ended=rich.started + timedelta(seconds=4), events=rich.events[:2], detected=(), alerts=Alerts(),
        verifiers=tuple(dataclasses.replace(v, observed=Times(), curve=(), refusals=()) for v in rich.verifiers),
        detect_seconds=None, page_seconds=None, recover_seconds=None, runbook=(), follow_ups=(),
    )  # fmt: skip


HOSTILE = (
    "</svg><script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "](javascript:alert(1))", "| a | b |\n# head",
    "{{ 7 * 7 }}", "`` ` ``", "\ud800", "\x00\x1b[31m", "https://a/b c)", "", "javascript:alert(1)", "\u202e",
)  # fmt: skip
_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.sampled_from(HOSTILE) | st.text(max_size=30),
    float: st.floats(-1e6, 1e7, allow_nan=False),
    bool: st.booleans(),
    datetime: st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy adds the zone
    type(None): st.none(),
}


def _any(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _LEAVES:
        return _LEAVES[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{field.name: _any(hints[field.name]) for field in dataclasses.fields(kind)})
    if typing.get_origin(kind) is tuple:
        return st.lists(_any(typing.get_args(kind)[0]), max_size=4).map(tuple)
    assert isinstance(kind, types.UnionType)
    return st.one_of(*map(_any, typing.get_args(kind)))


@pytest.fixture(scope="session")
def any_record() -> Callable[[], st.SearchStrategy[Record]]:
    """Every record that the types allow."""
    return lambda: _any(Record)


@pytest.fixture(scope="session")
def hostile() -> Callable[[Record], Record]:
    """Puts what tries to break out into every text that comes from outside."""

    def with_hostile(record: Record) -> Record:
        said = " ".join(HOSTILE) + "x" * 200
        verifiers = tuple(
            dataclasses.replace(each, name=f"{each.name} {said}", said=said, why=said, refusals=HOSTILE)
            for each in record.verifiers
        )
        events = tuple(dataclasses.replace(each, text=f"{said} {each.text}") for each in record.events)
        return dataclasses.replace(record, title=said, because=(said,), why=said, verifiers=verifiers, events=events)

    return with_hostile
