"""What was asked of `drill run`, as a value: `drill resume` runs it again from the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from drills.canaries.registry import CANARIES
from drills.plan import LONGEST, POLL
from drills.scenario import Scenario
from drills.scenarios import SCENARIOS
from drills.verifiers import Verifier
from oidcwatch.config_problem import closest, found

BROKEN_ON_PURPOSE = "static-keys"
"""It never takes a new key: a drill in which it takes part by default would prove nothing new."""


class CallError(Exception):
    """The call names something that is not there; the message says what there is."""


class Lab(StrEnum):
    """A provider that is started for the drill alone."""

    SANDBOX = "sandbox"
    KEYCLOAK = "keycloak"


@dataclass(frozen=True, slots=True)
class DrillCall:
    """Holds no secret. Times in seconds."""

    scenario: str
    lab: Lab | None = None
    issuer: str = ""
    """Name in the configuration; empty for a lab."""
    config: str = ""
    """Absolute path of the configuration; empty for a lab."""
    verifiers: tuple[str, ...] = ()
    all_canaries: bool = False
    poll: float = POLL
    longest: float = LONGEST
    shorten: Mapping[str, float] = field(default_factory=dict)
    """`ttl` and `cooldown`."""
    emulate: tuple[str, ...] = ()
    stand_in: Mapping[str, str] = field(default_factory=dict)
    prometheus: str = ""
    alertmanager: str = ""


_CALL = TypeAdapter(DrillCall)


def call_to_json(call: DrillCall) -> dict[str, Any]:
    """For the journal."""
    data: dict[str, Any] = _CALL.dump_python(call, mode="json")
    return data


def call_from_json(data: object) -> DrillCall:
    """Raises ValueError (pydantic's) for what `call_to_json` did not write."""
    return _CALL.validate_python(data)


def scenario_named(name: str) -> Scenario:
    """Raises CallError that says which one may have been meant."""
    if name not in SCENARIOS:
        raise CallError(f"{found(name)} is not a drill{closest(name, SCENARIOS)}; see oidcwatch drill list")
    return SCENARIOS[name]


def rows_of(call: DrillCall, usual: tuple[str, ...], table: Mapping[str, Verifier]) -> tuple[Verifier, ...]:
    """The verifiers that take part: those that the call names, else `usual`, else every canary; and the scenario's own.

    Raises CallError for a name that no row has, and for one that is to be emulated or replaced and takes no part.
    """
    chosen = call.verifiers or (() if call.all_canaries else usual)
    canaries = () if chosen else (name for name in CANARIES if name != BROKEN_ON_PURPOSE)
    names = tuple(dict.fromkeys((*chosen, *canaries, *scenario_named(call.scenario).verifiers)))
    for problem in _problems(call, names, table):
        raise CallError(problem)
    return tuple(table[name] for name in names)


def _problems(call: DrillCall, names: tuple[str, ...], table: Mapping[str, Verifier]) -> Iterator[str]:
    for name in names:
        if name not in table:
            yield f"{found(name)} is not a verifier of the table{closest(name, table)}; see oidcwatch drill verifiers"
    for option, wanted in (("--emulate", call.emulate), ("--stand-in", tuple(call.stand_in))):
        for name in wanted:
            if name not in names:
                yield f"{option}: {found(name)} takes no part{closest(name, names)}; name it with --verifier as well"
    for name in call.stand_in.values():
        if name not in CANARIES:
            known = ", ".join(CANARIES)
            yield f"--stand-in: there is no canary {found(name)}{closest(name, CANARIES)}; there are: {known}"
