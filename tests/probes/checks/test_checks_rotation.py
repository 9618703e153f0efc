"""Rotations that the ledger shows: each rule speaks when it is broken, for as long as it matters, and not otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from probes.checks.base import run_checks
from probes.checks.rotation import ROTATION, Rotation
from probes.ledger import ExposureSeen, KeyFacts, Ledger, Observation, SetSeen, TokenSeen, UnknownKidSeen, observe
from probes.model import Severity
from probes.subjects import Issuer, Policy, VerifierFacts

START = datetime(2026, 3, 1, tzinfo=UTC)
ACME = Issuer("acme", "https://login.acme.example")
F, W, INFO = Severity.FAILURE, Severity.WARNING, Severity.INFO


def facts(kid: str) -> KeyFacts:
    """An RSA key, or an elliptic one when its kid begins with ec; without alg when it ends with any."""
    kty, crv, alg = ("EC", "P-256", "ES256") if kid.startswith("ec") else ("RSA", "", "RS256")
    return KeyFacts(f"thumbprint-of-{kid}", kid, kty, "" if kid.endswith("any") else alg, crv=crv)


@dataclass(slots=True)
class Story:
    """What a region sees, in minutes from the start; judged at the time of its last word, as the last region has it."""

    issuer: Issuer = ACME
    max_age: int | None = None
    ledger: Ledger = field(default_factory=Ledger)
    now: datetime = START
    region: str = "eu"

    def published(self, minute: float, *kids: str, region: str = "eu") -> Story:
        self.region = region
        return self._see(minute, SetSeen(self._at(minute), region, tuple(map(facts, kids)), 60))

    def renamed(self, minute: float, key: str, kid: str) -> Story:
        return self._see(minute, SetSeen(self._at(minute), "eu", (replace(facts(key), kid=kid),), 60))

    def unknown(self, minute: float, kid: str, lives: float = 10) -> Story:
        return self._see(minute, UnknownKidSeen(self._at(minute), kid, self._at(minute + lives)))

    def token(self, minute: float, kid: str, lives: float = 10) -> Story:
        return self._see(minute, TokenSeen(self._at(minute), facts(kid), self._at(minute + lives)))

    def exposed(self, minute: float, kid: str) -> Story:
        return self._see(minute, ExposureSeen(self._at(minute), "eu", (facts(kid),)))

    def later(self, minute: float) -> Story:
        self.now = self._at(minute)
        return self

    def found(self) -> list[tuple[str, Severity]]:
        return [(finding.check_id, finding.severity) for finding in run_checks(ROTATION, self._judged())]

    def messages(self) -> list[str]:
        return [finding.message for finding in run_checks(ROTATION, self._judged())]

    def _judged(self) -> Rotation:
        return Rotation(self.issuer, self.ledger, self.region, self.now, self.max_age)

    def _see(self, minute: float, seen: Observation) -> Story:
        self.ledger, _ = observe(self.ledger, seen)
        return self.later(minute)

    @staticmethod
    def _at(minute: float) -> datetime:
        return START + timedelta(minutes=minute)


@pytest.fixture
def story() -> Story:
    return Story()


def rotated(story: Story, lead: int) -> Story:
    """A new key is published at minute 1 and signs so many minutes later; the old one stays."""
    story.published(0, "old").token(0, "old")
    for minute in range(1, lead + 2):
        story.published(minute, "old", "new")
    return story.token(lead + 1, "new")


def test_a_safe_rotation_raises_nothing(story: Story) -> None:
    story.issuer = replace(ACME, policy=Policy(min_key_lead=600))
    story.max_age = 300
    rotated(story, lead=15)

    story.published(40, "old", "new").published(41, "new")

    assert story.found() == []


def test_a_key_that_leaves_while_a_token_of_it_is_valid_is_a_failure(story: Story) -> None:
    story.published(0, "old").token(0, "old", lives=10)

    story.published(4, "new")

    assert story.found() == [("ROT-05", F)]
    assert story.messages() == [
        "key 'old' left the set while a token that it signed is valid for another 360 s: publish it again"
    ]


def test_the_failure_lasts_until_that_token_has_expired(story: Story) -> None:
    story.published(0, "old").token(0, "old", lives=10).published(4, "new")

    assert story.later(9.9).found() == [("ROT-05", F)]
    assert ("ROT-05", F) not in story.later(10).found()


def test_publishing_the_key_again_ends_the_failure(story: Story) -> None:
    story.published(0, "old").token(0, "old").published(4, "new")

    story.published(5, "old", "new")

    assert story.found() == []


def test_a_compromised_key_cannot_leave_too_early(story: Story) -> None:
    story.published(0, "old").token(0, "old").exposed(1, "old")

    story.published(2, "new")

    assert story.found() == []


def test_a_key_that_left_while_its_region_was_given_another_name_is_a_failure(story: Story) -> None:
    story.published(0, "old").token(0, "old", lives=60)

    story.published(10, "new", region="eu-west")

    assert story.found() == [("ROT-05", F)]


def test_a_region_that_never_had_a_key_which_others_have_saw_none_leave(story: Story) -> None:
    story.published(0, "old").token(0, "old", lives=60)

    story.published(1, "new", region="us")

    assert ("ROT-05", F) not in story.found()


def test_a_kid_that_no_set_holds_is_a_failure_until_it_is_published_and_then_a_warning(story: Story) -> None:
    story.published(0, "old").unknown(1, "new", lives=10)

    unpublished = story.found()
    story.published(2, "old", "new")

    assert unpublished == [("ROT-06", F)]
    assert story.found() == [("ROT-06", W)]
    assert story.messages() == ["kid 'new' was published 60 s after a token had named it"]
    assert story.later(11).found() == []


def test_a_key_published_under_the_kid_that_its_tokens_name_is_no_failure_any_more(story: Story) -> None:
    story.published(0, "old").unknown(1, "renamed", lives=10)

    story.renamed(2, key="old", kid="renamed")

    assert story.found() == []


def test_tokens_that_name_the_former_kid_of_a_key_are_a_failure(story: Story) -> None:
    story.published(0, "old").renamed(1, key="old", kid="renamed")

    story.unknown(2, "old")

    assert story.found() == [("ROT-06", F)]


def test_a_key_that_leaves_within_the_longest_lifetime_is_a_failure(story: Story) -> None:
    story.published(0, "old").token(0, "old", lives=60).token(50, "old", lives=1)

    story.published(70, "new")

    assert story.found() == [("ROT-04", F)]


def test_how_soon_a_key_left_does_not_grow_while_it_is_told(story: Story) -> None:
    story.published(0, "old", "new").token(0, "old", lives=60).token(1, "new", lives=60)
    story.token(55, "old", lives=5).published(59, "old", "new").published(62, "new")

    told = [story.later(minute).messages() for minute in (63, 80)]

    assert all(message.startswith("key 'old' left the set, 420 s after a token of it was seen") for [message] in told)


def test_a_key_stays_for_no_longer_than_the_tokens_of_today_live(story: Story) -> None:
    story.token(0, "old", lives=1440)
    for hour in range(24 * 5):
        story.published(60 * hour, "old", "new").token(60 * hour + 1, "old", lives=10)

    story.published(7200, "new")

    assert story.found() == []


def test_a_key_that_leaves_within_the_leeway_of_verifiers_is_a_warning(story: Story) -> None:
    story.published(0, "old").token(0, "old", lives=10)

    story.published(12, "new")

    assert story.found() == [("ROT-04", W)]
    assert story.later(15).found() == []


def test_a_lead_shorter_than_the_policy_is_a_warning_until_the_wanted_lead_is_over(story: Story) -> None:
    story.issuer = replace(ACME, policy=Policy(min_key_lead=3600))

    rotated(story, lead=15)

    assert story.found() == [("ROT-03", W)]
    assert story.messages() == ["key 'new' signed 900 s after its publication, 3600 s are wanted"]
    assert story.later(75.9).found() == [("ROT-03", W)]
    assert story.later(76).found() == []


def test_a_lead_shorter_than_max_age_is_a_warning(story: Story) -> None:
    story.max_age = 300

    rotated(story, lead=0)

    assert story.found() == [("ROT-03", W)]


def test_a_lead_shorter_than_max_age_is_a_failure_where_a_verifier_waits_for_it(story: Story) -> None:
    story.issuer = replace(ACME, verifier_facts=(VerifierFacts("kube-apiserver", waits_for_max_age=True, early=30),))
    story.max_age = 3600

    rotated(story, lead=5)

    assert story.found() == [("ROT-03", F)]
    assert "kube-apiserver refuses its tokens for up to 3570 s" in story.messages()[0]


def test_a_lead_that_may_be_long_enough_is_not_doubted(story: Story) -> None:
    story.max_age = 30  # we look every 60 s

    rotated(story, lead=0)

    assert story.found() == []


def test_an_unwanted_lead_is_no_business_of_ours(story: Story) -> None:
    rotated(story, lead=0)

    assert story.found() == []


def test_a_key_that_signs_for_longer_than_four_hundred_days_is_a_warning(story: Story) -> None:
    story.published(0, "old").token(0, "old")

    assert story.later(400 * 1440).found() == []
    assert story.later(401 * 1440).found() == [("ROT-14", W)]


def test_a_key_that_lies_unused_for_longer_than_ninety_days_is_told(story: Story) -> None:
    story.published(0, "old", "spare").token(0, "old")

    assert story.later(90 * 1440).found() == []
    assert story.later(91 * 1440).found() == [("ROT-15", INFO)]


def test_no_key_counts_as_unused_where_nobody_looks_at_tokens(story: Story) -> None:
    story.published(0, "old", "spare")

    assert story.later(91 * 1440).found() == []


def test_a_key_that_the_policy_wants_to_stand_by_does_not_lie_unused(story: Story) -> None:
    story.issuer = replace(ACME, policy=Policy(standby_key=True))

    story.published(0, "old", "spare").token(0, "old")

    assert story.later(91 * 1440).found() == []


def test_of_two_keys_that_stand_by_the_older_one_lies_unused(story: Story) -> None:
    story.issuer = replace(ACME, policy=Policy(standby_key=True))
    story.published(0, "old", "spare").token(0, "old").published(1, "old", "spare", "newer")

    story.later(92 * 1440)

    assert story.found() == [("ROT-15", INFO)]
    assert "'spare'" in story.messages()[0]


def test_a_key_that_can_follow_none_that_signs_lies_unused(story: Story) -> None:
    story.issuer = replace(ACME, policy=Policy(standby_key=True))

    story.published(0, "old", "spare", "ec").token(0, "old").later(91 * 1440)

    assert story.found() == [("ROT-15", INFO)]
    assert "'ec'" in story.messages()[0]


@pytest.mark.parametrize(
    ("active", "standby", "found"),
    [
        ("ec", "any", [("ROT-14", W)]),
        ("ec", "ec-any", []),
        ("rsa", "any", []),
        ("rsa", "ec-any", [("ROT-14", W)]),
        ("rsa", "ec", [("ROT-14", W)]),
        ("rsa", "next", []),
    ],
)
def test_a_key_stands_by_for_those_of_its_kind(
    story: Story, active: str, standby: str, found: list[tuple[str, Severity]]
) -> None:
    story.issuer = replace(ACME, policy=Policy(standby_key=True))

    story.published(0, active, standby).token(0, active)

    assert story.found() == found
