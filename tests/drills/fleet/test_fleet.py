"""Every verifier of the table takes part in a drill, and does what is expected of it."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from drills.canaries.failures import CanaryFailed
from drills.canaries.registry import CANARIES
from drills.curve import observed, recovered
from drills.expectation import Scene, bound_of, expect
from drills.fleet import Fleet
from drills.fleet_members import CanarySubject
from drills.judgement import judge
from drills.prediction import Outage
from drills.scenario import Generation, Measure
from drills.subject import Kind, Sample
from drills.verifiers import verifiers

pytestmark = pytest.mark.process

TTL, COOLDOWN, POLL = 4.0, 1.0, 0.5
LATENCY = 2.0  # of an answer, on a machine that has much to do
MAX_AGE = 300.0  # what the sandbox says of its key set
DEADLINE = 30.0
OLD, BOTH = frozenset({Generation.OLD}), frozenset(Generation)

ROTATED = Scene(Measure.ACCEPT, polls=BOTH, poll=POLL, window=COOLDOWN + 3.0, max_age=MAX_AGE)
REMOVED = Scene(Measure.REJECT, polls=OLD, poll=POLL, window=TTL + 3.0, max_age=MAX_AGE)
DEAD = Scene(Measure.OUTAGE, polls=OLD, poll=POLL, window=TTL + 3.0, max_age=MAX_AGE, outage=Outage.DEAD)


class Provider(Protocol):
    """What these tests need of it."""

    def token(self) -> str: ...

    def rotate(self) -> None: ...

    def replace(self) -> None: ...

    def outage(self) -> AbstractContextManager[None]: ...


FleetOf = Callable[..., AbstractContextManager[Fleet]]
Inject = Callable[[ExitStack], Mapping[Generation, str]]
Drill = Callable[[Fleet, Scene, str], "Drilled"]


@dataclass(frozen=True, slots=True)
class Drilled:
    """What came of one drill."""

    wrong: Mapping[str, str]
    """The sentence about each verifier that did not do what was expected."""
    samples: list[Sample]
    healed: float


@pytest.fixture(scope="module")
def drill(provider: Provider) -> Drill:
    """Does what the measure is about, with this token as the old one, and judges every verifier."""

    def rotated(_: ExitStack) -> Mapping[Generation, str]:
        provider.rotate()
        return {Generation.NEW: provider.token()}

    def removed(_: ExitStack) -> Mapping[Generation, str]:
        provider.replace()
        return {}

    def dead(fault: ExitStack) -> Mapping[Generation, str]:
        fault.enter_context(provider.outage())
        return {}

    injections: Mapping[Measure, Inject] = {Measure.ACCEPT: rotated, Measure.REJECT: removed, Measure.OUTAGE: dead}

    def drilled(fleet: Fleet, scene: Scene, old: str) -> Drilled:
        samples: list[Sample] = []
        tokens: Mapping[Generation, str] = {Generation.OLD: old}
        with fleet.polling(lambda: tokens, scene.poll, samples.append):
            with ExitStack() as fault:
                time.sleep(2 * POLL)  # the curves begin with what is normal
                warmed, started = fleet.warmed, time.time()
                tokens = {**tokens, **injections[scene.measure](fault)}
                time.sleep(scene.window)
                seen = list(samples)
            healed = time.time()
            if scene.measure is Measure.OUTAGE:
                time.sleep(4 * POLL)
        scenes = {name: replace(scene, warmed=max(0.0, started - moment)) for name, moment in warmed.items()}
        return Drilled(_wrong(fleet, scenes, seen, started), samples, healed)

    return drilled


def _wrong(fleet: Fleet, scenes: Mapping[str, Scene], samples: list[Sample], started: float) -> dict[str, str]:
    wrong = {}
    for subject in fleet.subjects:
        row, scene = subject.row, scenes[subject.row.name]
        came = observed([sample for sample in samples if sample.verifier == row.name], scene.measure, started)
        judged = judge(
            expect(row, scene), bound_of(row, scene), came, measure=scene.measure, poll=scene.poll,
            window=scene.window, life=math.inf, latency=LATENCY, row=row, kind=subject.kind,
        )  # fmt: skip
        if not judged.ok and judged.watched:
            wrong[row.name] = judged.said
    return wrong


@pytest.fixture(scope="module")
def drills(provider: Provider, fleet_of: FleetOf, drill: Drill) -> Mapping[Measure, Drilled]:
    """The three drills with the whole table, one after the other: to start it takes longer than anything else."""
    with fleet_of(shorten={"ttl": TTL, "cooldown": COOLDOWN}) as fleet:
        old = provider.token()
        refused = [name for name, verdict in fleet.warm(old).items() if not verdict.ok]
        assert not refused
        assert {subject.row.name for subject in fleet.subjects} >= set(verifiers())
        return {scene.measure: drill(fleet, scene, old) for scene in (DEAD, ROTATED, REMOVED)}


@pytest.mark.parametrize("measure", Measure)
def test_every_verifier_of_the_table_does_what_is_expected_of_it(
    measure: Measure, drills: Mapping[Measure, Drilled]
) -> None:
    assert drills[measure].wrong == {}


def test_a_new_key_costs_no_verifier_the_old_one(drills: Mapping[Measure, Drilled]) -> None:
    asked = [sample for sample in drills[Measure.ACCEPT].samples if sample.generation is Generation.OLD]

    assert asked
    assert not [sample for sample in asked if not sample.ok]


def test_whoever_refused_in_an_outage_accepts_again_after_it(drills: Mapping[Measure, Drilled]) -> None:
    outage = drills[Measure.OUTAGE]
    by_name = {
        name: [each for each in outage.samples if each.verifier == name]
        for name in {sample.verifier for sample in outage.samples if not sample.ok}
    }

    assert {"pyjwt", "jose", "node-jwks-rsa", "nimbus-jwk-source", "envoy-jwt-authn"} <= set(by_name)
    assert not [name for name, samples in by_name.items() if recovered(samples, outage.healed) is None]


def test_a_verifier_that_was_wrapped_wrongly_is_found_out(provider: Provider, fleet_of: FleetOf, drill: Drill) -> None:
    with fleet_of("pyjwt", shorten={"cooldown": COOLDOWN}, stand_in={"pyjwt": "static-keys"}) as fleet:
        old = provider.token()
        fleet.warm(old)
        wrong = drill(fleet, ROTATED, old).wrong
        notes = fleet.notes

    assert list(wrong) == ["pyjwt"]
    assert "pyjwt had not accepted tokens of the new key within 4 s" in wrong["pyjwt"]
    assert notes == ("static-keys stands in for pyjwt",)


def test_what_has_a_canary_runs_for_real_and_the_rest_is_played(provider: Provider, fleet_of: FleetOf) -> None:
    said: list[str] = []

    with fleet_of("authlib", "istio", "pyjwt", emulate=frozenset({"pyjwt"}), say=said.append) as fleet:
        parts = [(subject.row.name, subject.kind, subject.language) for subject in fleet.subjects]
        notes = fleet.notes

    assert parts == [("authlib", Kind.CANARY, "Python"), ("istio", Kind.EMULATED, ""), ("pyjwt", Kind.EMULATED, "")]
    assert notes == ("istio is emulated: no canary", "pyjwt is emulated: as asked for")
    assert "istio: emulated, no canary" in said


def test_mod_auth_openidc_is_judged_by_the_row_of_its_release(fleet_of: FleetOf) -> None:
    with fleet_of("mod-auth-openidc") as one:
        alone = [subject.row.name for subject in one.subjects]
        release = one.subjects[0].version
    with fleet_of("mod-auth-openidc", "mod-auth-openidc-2.4.12") as two:
        both = {subject.row.name: subject.kind for subject in two.subjects}

    right = "mod-auth-openidc-2.4.12" if release.startswith("2.4.12") else "mod-auth-openidc"
    assert alone == [right]
    assert [name for name, kind in both.items() if kind is Kind.CANARY] == [right]
    assert len(both) == 2


@pytest.mark.parametrize("name", ["jose", "go-oidc", "spring-nimbus"])
def test_a_canary_that_is_not_built_is_played_and_says_what_builds_it(
    name: str, tmp_path: Path, fleet_of: FleetOf
) -> None:
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}

    with fleet_of(name, environ=environ) as fleet:
        kinds = [subject.kind for subject in fleet.subjects]
        notes = fleet.notes

    assert kinds == [Kind.EMULATED]
    assert "make canaries" in notes[0]
    with pytest.raises(CanaryFailed, match="make canaries"), fleet_of(name, environ=environ, strict=True):
        pass


def test_a_canary_that_ends_refuses_and_the_fleet_goes_on(provider: Provider, fleet_of: FleetOf) -> None:
    samples: list[Sample] = []
    tokens = {Generation.OLD: provider.token()}

    with fleet_of("pyjwt", "istio") as fleet, fleet.polling(lambda: tokens, 0.05, samples.append):
        victim = fleet.subjects[0]
        assert isinstance(victim, CanarySubject)
        os.killpg(victim.running.pid, signal.SIGKILL)
        deadline = time.monotonic() + DEADLINE
        while not [sample for sample in samples if not sample.ok] and time.monotonic() < deadline:
            time.sleep(0.05)
        ended = next(sample for sample in samples if not sample.ok)
        time.sleep(0.3)

    assert (ended.verifier, "has ended" in ended.error) == ("pyjwt", True)
    assert [sample for sample in samples if sample.verifier == "istio" and sample.at > ended.at]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shorten": {"leeway": 1.0}}, "shorten: there is no 'leeway', only ttl, cooldown"),
        ({"emulate": frozenset({"jsoe"})}, "emulate: there is no 'jsoe', only jose"),
        ({"stand_in": {"jsoe": "static-keys"}}, "stand-in: there is no 'jsoe', only jose"),
        ({"stand_in": {"jose": "static"}}, f"stand-in: there is no 'static', only {', '.join(CANARIES)}"),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_those_that_are(
    options: dict[str, object], message: str, fleet_of: FleetOf
) -> None:
    with pytest.raises(ValueError, match=message), fleet_of("jose", **options):
        pass
