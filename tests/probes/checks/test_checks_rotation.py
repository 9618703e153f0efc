"""Rotations that the ledger shows: each rule speaks when it is broken, for as long as it matters, and not otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from probes.checks.base import run_checks
from probes.checks.rotation import ROTATION, Rotation
from probes.ledger import ExposureSeen, KeyFacts, Ledger, SetSeen, TokenSeen, observe
from probes.model import Severity
from probes.subjects import Issuer, Policy, VerifierFacts

START = datetime(2026, 3, 1, tzinfo=UTC)
ACME = Issuer("acme", "https://login.acme.example")
F, W, INFO = Severity.FAILURE, Severity.WARNING, Severity.INFO


def facts(kid: str) -> KeyFacts:
    return KeyFacts(f"thumbprint-of-{kid}", kid, "RSA", "RS256")


@dataclass(slots=True)
class Story:
    """What one region sees, in minutes from the start; judged at the time of its last word."""

    issuer: Issuer = ACME
    max_age: int | None = None
    ledger: Ledger = field(default_factory=Ledger)
    now: datetime = START

    def published(self, minute: float, *kids: str) -> Story:
        return self._see(minute, SetSeen(self._at(minute), "eu", tuple(map(facts, kids)), 60))

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
        return Rotation(self.issuer, self.ledger, "eu", self.now, self.max_age)

    def _see(self, minute: float, seen: SetSeen | TokenSeen | ExposureSeen) -> Story:
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


def test_a_key_that_leaves_within_the_longest_lifetime_is_a_failure(story: Story) -> None:
    story.published(0, "old").token(0, "old", lives=60).token(50, "old", lives=1)

    story.published(70, "new")

    assert story.found() == [("ROT-04", F)]


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
