"""A fleet is asked at its pace: the old token first, nobody held up by a slow one, nothing after the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import jwt
import pytest

from drills.emulator import Emulated, FetchKeys
from drills.fleet import Fleet
from drills.fleet_members import Member
from drills.prediction import Outage
from drills.scenario import Generation
from drills.subject import Sample
from drills.verifiers import verifiers

DEADLINE = 30.0
TOKENS = {
    generation: jwt.encode({"sub": generation}, "k" * 32, headers={"kid": f"kid-{generation}"})
    for generation in Generation
}


def refusing(_: float) -> Outage:
    return Outage.DEAD


def fleet_of(**fetches: FetchKeys) -> Fleet:
    """Emulated verifiers by name, whose key sets the test answers for."""
    table = verifiers()
    subjects = [
        Emulated(table[name.replace("_", "-")], fetch, "https://a.example", "orders") for name, fetch in fetches.items()
    ]
    return Fleet([Member(subject) for subject in subjects], ())


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def samples() -> list[Sample]:
    return []


def test_the_old_token_is_asked_about_before_the_new_one(samples: list[Sample]) -> None:
    backwards = dict(reversed(TOKENS.items()))

    with fleet_of(jose=refusing).polling(lambda: backwards, 0.01, samples.append):
        until(lambda: len(samples) >= 6)

    assert [sample.generation for sample in samples[:4]] == [Generation.OLD, Generation.NEW] * 2
    assert samples == sorted(samples, key=lambda sample: sample.at)


def test_tokens_are_looked_up_for_every_question(samples: list[Sample]) -> None:
    tokens = {Generation.OLD: TOKENS[Generation.OLD]}

    with fleet_of(jose=refusing).polling(lambda: dict(tokens), 0.01, samples.append):
        until(lambda: samples)
        tokens[Generation.NEW] = TOKENS[Generation.NEW]
        until(lambda: samples[-1].generation is Generation.NEW)

    assert samples[0].generation is Generation.OLD


def test_a_slow_verifier_holds_nobody_up_and_is_not_heard_after_the_end(samples: list[Sample]) -> None:
    answer, asked = threading.Event(), threading.Event()

    def slow(_: float) -> Outage:
        asked.set()
        answer.wait(DEADLINE)
        return Outage.DEAD

    with fleet_of(jose=slow, spring_nimbus=refusing).polling(lambda: TOKENS, 0.01, samples.append):
        until(lambda: asked.is_set() and len(samples) > 10)
    heard = list(samples)
    answer.set()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("poll-")])

    assert {sample.verifier for sample in heard} == {"spring-nimbus"}
    assert samples == heard


def test_one_sample_is_delivered_at_a_time() -> None:
    inside, most, delivered = [0], [0], [0]

    def sink(_: Sample) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.001)
        inside[0] -= 1
        delivered[0] += 1

    with fleet_of(jose=refusing, pyjwt=refusing, keyfunc=refusing).polling(lambda: TOKENS, 0.001, sink):
        until(lambda: delivered[0] > 30)

    assert most == [1]


def test_a_warm_fleet_says_who_refused_and_when_each_fetched() -> None:
    before = time.time()
    fleet = fleet_of(jose=refusing)

    verdicts = fleet.warm(TOKENS[Generation.OLD])

    assert verdicts["jose"].error == "no key: the key set cannot be fetched"
    assert before <= fleet.warmed["jose"] <= time.time()


def test_a_fleet_of_nobody_has_nothing_to_say(samples: list[Sample]) -> None:
    fleet = fleet_of()

    with fleet.polling(lambda: TOKENS, 0.01, samples.append):
        assert fleet.ask(TOKENS[Generation.OLD], Generation.OLD) == []

    assert (fleet.subjects, samples, dict(fleet.warm(TOKENS[Generation.OLD]))) == ((), [], {})
